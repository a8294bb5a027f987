use snowcat_host::FaultKind;

use super::*;

/// Returns these faults one after the other, then none.
#[track_caller]
fn check(text: &str, faults: &[(&str, &str)], expected: &[&str]) {
    let mut faults = faults.iter();
    let judge = |_: &str| {
        let (place, message) = faults.next()?;
        let context = [*place].into_iter().filter(|p| !p.is_empty()).map(str::to_owned);
        Some(Fault {
            kind: FaultKind::Config,
            message: (*message).to_owned(),
            context: context.collect(),
        })
    };
    let found = mistakes(text, &[], judge);
    let found: Vec<String> = found
        .iter()
        .map(|m| format!("{}:{} {}|{}", m.line, m.column, m.place, m.message))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn errors_are_located_in_the_file() {
    let job = "{\n \"pipelin\": \"p\",\n \"x\": {\"resource_defaults\": 1},\n \"resource_defaults\": {\"primary_key\": 7},\n \"resources\": [{\"name\": \"a\"}]\n}";
    // A misspelled key is corrected.
    check(
        job,
        &[
            ("", "unknown key \"pipelin\", did you mean \"pipeline\"?"),
            ("pipeline", "expected nonsense, found \"p\""),
            ("pipeline", "expected a string, found nothing"),
        ],
        &[
            "2:2 |unknown key \"pipelin\", did you mean \"pipeline\"?",
            "2:13 pipeline|expected nonsense, found \"p\"",
        ],
    );
    // All missing keys are reported.
    check(
        "{\n \"pipeline\": \"p\"}",
        &[
            ("database", "expected a string, found nothing"),
            ("dataset", "expected a string, found nothing"),
            ("resources", "expected at least one resource, found nothing"),
        ],
        &[
            "1:1 database|expected a string, found nothing",
            "1:1 dataset|expected a string, found nothing",
            "1:1 resources|expected at least one resource, found nothing",
        ],
    );
    // A repeated name does not prevent checks of its resource.
    check(
        "{\"resources\": [{\"name\": \"a\"}, {\"name\": \"a\",\n \"primary_keys\": 1}]}",
        &[
            ("resources[1].name", "the resource \"a\" is given twice"),
            ("resources[1]", "unknown key \"primary_keys\", did you mean \"primary_key\"?"),
        ],
        &[
            "1:40 resources[1].name|the resource \"a\" is given twice",
            "2:2 resources[1]|unknown key \"primary_keys\", did you mean \"primary_key\"?",
        ],
    );
    // A missing key is reported at its object, and an error in the defaults there.
    check(
        job,
        &[("resources[0].endpoint.path", "expected a string, found nothing")],
        &["5:16 resources[0].endpoint.path|expected a string, found nothing"],
    );
    check(
        job,
        &[("resources[0].primary_key", "expected a column's name, found 7")],
        &["4:39 resources[0].primary_key|expected a column's name, found 7"],
    );
    check(
        "{\"a\":\n1,}",
        &[("", "the job is not valid JSON: trailing comma at line 2 column 3")],
        &["2:3 |the job is not valid JSON: trailing comma"],
    );
    check(
        job,
        &[("resource a", "expected a merge key, found none")],
        &["5:16 resources[0]|expected a merge key, found none"],
    );
    check("{}", &[], &[]);
}

#[test]
fn places_in_buckets_are_checked() {
    let job = "{\"resources\": [{\"files\": \"s3://b/*.csv\"},\n{\"files\": [\"a.csv\", \"abfss://c@evil/a.csv\"]},\n{\"files\": \"gs:///a\"}, {}]}";
    let found = misplaced(job, &[]);
    let found: Vec<_> = found.iter().map(|it| (it.line, it.column, &*it.place)).collect();
    assert_eq!(found, [(2, 21, "resources[1].files[1]"), (3, 11, "resources[2].files")]);
}

#[test]
fn values_to_fill_in_are_named() {
    let check = |job: Value, expected: &str| {
        let text = summary(&job.to_string());
        assert_eq!(text, format!("{expected} ( into .: )"));
    };
    let open = |name: &str| json!({"params": {name: OPEN, "b": "c"}, "//x": OPEN});
    check(json!({}), "");
    check(json!({"resources": [open("a")]}), ", but resources[0].params.a is to be filled in");
    let several = json!({"resources": [open("a"), open("x"), open("y")]});
    check(several, ", but resources[0].params.a and 2 other values are to be filled in");
}

#[test]
fn mark_is_under_its_character() {
    let mistake = Mistake::at("{\n\t\"é\": 1}", 9, "a".to_owned(), "no".to_owned());
    assert_eq!(mistake.text("f"), "f:2:7: a: no\n  2 | \t\"é\": 1}\n    | \t     ^");
}
