//! Comparison with dlt 1.31: `cases.json` has the results of its `Incremental` for random cursors,
//! states and pages (`c` is the cursor, `n` names a record).

use serde_json::json;

use chrono::DateTime;

use super::*;
use crate::dlt::hash::b64_digest;
use crate::job::Job;

/// The cursor, as parsed from a job.
fn incremental(cursor: &Value, primary_key: &Value, saved: &Value) -> Result<Incremental> {
    let job = json!({
        "pipeline": "p", "database": "D", "dataset": "s",
        "resources": [{"name": "r", "incremental": cursor, "primary_key": primary_key}],
    });
    let job = Job::parse(&job.to_string())?;
    let resource = &job.resources[0];
    Incremental::new(resource.cursor.as_ref().unwrap(), &resource.primary_key, saved.as_object())
}

/// The records of a page that are loaded.
fn page(incremental: &mut Incremental, records: &[Value]) -> Result<Vec<Value>> {
    let mut kept = Vec::new();
    for record in records {
        let unique = match incremental.unique() {
            Unique::Field(field) => record[field].to_string(),
            Unique::Fields(fields) => {
                fields.iter().map(|field| record[field].clone()).collect::<Value>().to_string()
            }
            Unique::Nothing => String::new(),
            Unique::Record => record.to_string(),
        };
        let cursor = record.get("c").map(Value::to_string);
        if incremental.keep(cursor.as_deref(), || Ok(unique))? == RecordVerdict::Keep {
            kept.push(record["n"].clone());
        }
    }
    Ok(kept)
}

#[test]
fn keeps_the_records_that_dlt_keeps() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases.json")).unwrap();
    for case in &cases {
        let run = || {
            let mut it = incremental(&case["incremental"], &case["primary_key"], &case["before"])?;
            let start = it.start_value().map(CursorValue::to_value);
            let mut kept = Vec::new();
            for records in case["pages"].as_array().unwrap() {
                kept.push(Value::from(page(&mut it, records.as_array().unwrap())?));
                if it.is_closed() {
                    break;
                }
            }
            Ok((start, kept, it.state()?))
        };
        let found: Result<_> = run();
        match (found, case.get("refused")) {
            (Err(_), Some(_)) => {}
            (Ok((start, kept, state)), None) => {
                assert_eq!(start.unwrap_or_default(), case["start"], "{case}");
                assert_eq!(Value::from(kept), case["kept"], "{case}");
                let mut state = state.map_or(Value::Null, Value::Object);
                if let Some(hashes) = state.get_mut("unique_hashes").and_then(Value::as_array_mut) {
                    // dlt's order is that of a Python set; the recorded ones are sorted.
                    hashes.sort_by_key(Value::to_string);
                }
                assert_eq!(state.to_string(), case["after"].to_string(), "{case}");
            }
            (found, _) => panic!("{found:?} for {case}"),
        }
    }
    assert!(cases.len() >= 60);
}

#[test]
fn understands_hashes_of_older_dlt() {
    // The digest128("1") of 15 bytes, as dlt wrote it before 1.29.
    let old = b64_digest(b"1", 15);
    let state =
        json!({"initial_value": null, "last_value": 5, "unique_hashes": [old], "start_value": 5});
    let mut it = incremental(&json!({"cursor_path": "c"}), &json!("id"), &state).unwrap();
    let records = [json!({"c": 5, "id": 1, "n": "old"}), json!({"c": 5, "id": 2, "n": "new"})];
    assert_eq!(page(&mut it, &records).unwrap(), ["new"]);
    let hashes = it.state().unwrap().unwrap()["unique_hashes"].clone();
    // The set keeps its kind of hashes until the cursor advances.
    assert_eq!(hashes, json!([old, b64_digest(b"2", 15)]));
    page(&mut it, &[json!({"c": 6, "id": 3})]).unwrap();
    let hashes = it.state().unwrap().unwrap()["unique_hashes"].clone();
    assert_eq!(hashes, json!([b64_digest(b"3", 9)]));
}

#[test]
fn lag_is_subtracted() {
    let check = |lag: f64, initial: Value, last: Value, func: &str, start: Value| {
        let cursor = json!({"cursor_path": "c", "lag": lag, "initial_value": initial, "last_value_func": func});
        let state = json!({"initial_value": initial, "last_value": last, "unique_hashes": [], "start_value": last});
        let it = incremental(&cursor, &Value::Null, &state).unwrap();
        assert_eq!(it.start_value().map(CursorValue::to_value), Some(start), "{last} - {lag}");
    };
    let null = Value::Null;
    check(5.0, null.clone(), json!(10), "max", json!(5));
    check(1.5, null.clone(), json!(10), "max", json!(8));
    check(1.5, null.clone(), json!(10.25), "max", json!(8.75));
    check(5.0, json!(8), json!(10), "max", json!(8));
    check(5.0, null.clone(), json!(10), "min", json!(15));
    check(
        60.0,
        null.clone(),
        json!("2024-03-01T00:00:30.250+0100"),
        "max",
        json!("2024-02-29T23:59:30.250+0100"),
    );
    check(1.0, null.clone(), json!("2024-03-01"), "max", json!("2024-02-29"));
    check(1.5, null.clone(), json!("2024-03-02"), "max", json!("2024-02-29"));
    // The initial value shows that the unit is days.
    check(
        1.0,
        json!("2024-01-01"),
        json!("2024-03-01T05:00:00Z"),
        "max",
        json!("2024-02-29T00:00:00Z"),
    );
    check(
        1.0,
        json!("2024-01-01"),
        json!("2024-03-01T01:00:00+02:00"),
        "max",
        json!("2024-02-28T02:00:00+02:00"),
    );
    check(
        1.0,
        json!("2024-06-01"),
        json!("2024-03-01T05:00:00.000Z"),
        "min",
        json!("2024-03-02T23:59:59.999Z"),
    );
    let cursor = json!({"cursor_path": "c", "lag": 1});
    let state = json!({"last_value": "abc"});
    assert_eq!(
        incremental(&cursor, &Value::Null, &state).unwrap_err().to_string(),
        "cursor c: expected a number, a date or a time as the cursor, from which the lag can be subtracted, found \"abc\""
    );
}

/// With `saved_before_start`, the saved value is at most the start of the load minus that time.
#[test]
fn saves_no_value_after_the_start_of_the_load() {
    let saves = |cursor: &Value, saved: &Value, values: &[Value], progress: Option<&Value>| {
        let job = json!({
            "pipeline": "p", "database": "D", "dataset": "s",
            "resources": [{"name": "r", "incremental": cursor, "primary_key": "n"}],
        });
        let now = DateTime::from_timestamp(1_700_000_600, 0).unwrap();
        let job = Job::parse(&job.to_string())?.at(now);
        let resource = &job.resources[0];
        let cursor = resource.cursor.as_ref().unwrap();
        let mut it = Incremental::new(cursor, &resource.primary_key, saved.as_object())?;
        if let Some(progress) = progress {
            it.go_on(progress)?;
        }
        let records: Vec<_> =
            values.iter().enumerate().map(|(n, c)| json!({"c": c, "n": n})).collect();
        assert_eq!(page(&mut it, &records)?.len(), records.len(), "every record is loaded");
        Ok::<_, Fault>((it.state()?.unwrap()["last_value"].clone(), it.progress()?))
    };
    let cursor = json!({"cursor_path": "c", "saved_before_start": 600});
    let check = |saved: Value, values: &[Value], last: Value| {
        let found = saves(&cursor, &saved, values, None).unwrap().0;
        assert_eq!(found, last, "{values:?}");
    };
    // 1,700,000,000 s is 2023-11-14T22:13:20Z.
    check(Value::Null, &[json!("2023-11-14T22:13:20Z")], json!("2023-11-14T22:13:20Z"));
    check(Value::Null, &[json!("2023-11-14T22:13:21.5Z")], json!("2023-11-14T22:13:20.0Z"));
    check(Value::Null, &[json!("2023-11-14T23:13:21+01:00")], json!("2023-11-14T23:13:20+01:00"));
    check(Value::Null, &[json!(1_700_000_001), json!(5)], json!(1_700_000_000));
    check(Value::Null, &[json!(1_699_999_999)], json!(1_699_999_999));
    let saved = json!({"initial_value": null, "last_value": 1_700_000_300, "unique_hashes": [], "start_value": null});
    check(saved.clone(), &[json!(1_700_000_301)], json!(1_700_000_300));
    // Records at the start are loaded again: they may have changed.
    check(saved, &[json!(1_700_000_300)], json!(1_700_000_300));
    // A load that continues saves no value after the start of the load whose pages it has.
    let progress = saves(&cursor, &Value::Null, &[json!(1_699_999_999)], None).unwrap().1;
    assert_eq!(progress["saved_at_most"], json!(1_700_000_000_000_000_i64));
    let mut earlier = progress;
    earlier["saved_at_most"] = json!(1_699_999_000_000_000_i64);
    let found = saves(&cursor, &Value::Null, &[json!(1_700_000_001)], Some(&earlier)).unwrap().0;
    assert_eq!(found, json!(1_699_999_000));
    let fault = saves(&cursor, &Value::Null, &[json!("abc")], None).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "cursor c: expected a cursor that is a date, a time or seconds since 1970, for it has \
         saved_before_start, found \"abc\""
    );
}

#[test]
fn invalid_states_and_cursors_are_reported() {
    let check = |cursor: Value, record: Value, message: &str| {
        let mut it = incremental(&cursor, &Value::Null, &Value::Null).unwrap();
        assert_eq!(page(&mut it, &[record]).unwrap_err().to_string(), message);
    };
    let cursor = json!({"cursor_path": "c", "initial_value": "2024"});
    let missing = "on_cursor_value_missing can say \"include\" or \"exclude\"";
    check(
        cursor.clone(),
        json!({}),
        &format!("cursor c: expected a value for the cursor, found nothing: {missing}"),
    );
    check(
        cursor.clone(),
        json!({"c": null}),
        &format!("cursor c: expected a value for the cursor, found null: {missing}"),
    );
    check(
        cursor.clone(),
        json!({"c": 2024}),
        "cursor c: expected values of the cursor to be of one type, found 2024 and \"2024\"",
    );
    check(
        cursor,
        json!({"c": [1]}),
        "expected the cursor to be a string, a number, true or false, found [1]",
    );
    let check = |state: Value, message: &str| {
        let fault = incremental(&json!({"cursor_path": "c"}), &Value::Null, &state).unwrap_err();
        assert_eq!(fault.to_string(), format!("the saved state of cursor c: {message}"));
    };
    check(json!({"last_value": {}}), "expected last_value to be a string or a number, found {}");
    check(
        json!({"unique_hashes": "x"}),
        "expected unique_hashes to be a list of strings, found \"x\"",
    );
}

#[test]
fn warns_of_many_records_with_one_value() {
    let mut it = incremental(&json!({"cursor_path": "c"}), &json!("n"), &Value::Null).unwrap();
    let mut records: Vec<Value> = (0..200).map(|n| json!({"c": 1, "n": n})).collect();
    page(&mut it, &records).unwrap();
    it.state().unwrap();
    assert_eq!(it.warnings(), Vec::<String>::new());
    records = vec![json!({"c": 1, "n": 200})];
    page(&mut it, &records).unwrap();
    assert_eq!(
        it.warnings().concat(),
        "201 records have the same value of cursor c: a cursor of a higher resolution would keep \
         the state small"
    );
}

#[test]
fn only_records_at_the_limits_are_hashed() {
    let mut it = incremental(&json!({"cursor_path": "c"}), &json!("n"), &Value::Null).unwrap();
    let mut asked = 0;
    for n in [1, 2, 3, 3, 1, 2] {
        it.keep(Some(&n.to_string()), || {
            asked += 1;
            Ok(n.to_string())
        })
        .unwrap();
    }
    // For 1, 2, 3 and 3, which are at the start or at the last value; not for the others.
    assert_eq!(asked, 4);
    assert_eq!(it.last_value().unwrap(), Some(CursorValue::Whole(3)));
}

/// Continues from dlt's state of a source with dates and times rather than strings.
#[test]
fn goes_on_from_typed_values() {
    let check = |saved: &str, records: &[Value], expect: (&[i64], Value)| {
        let state = json!({"last_value": saved, "unique_hashes": [], "start_value": saved, "initial_value": saved});
        let mut it = incremental(&json!({"cursor_path": "c"}), &json!("n"), &state).unwrap();
        assert_eq!(page(&mut it, records).unwrap(), expect.0, "{saved}");
        let state = it.state().unwrap().unwrap();
        assert_eq!(state["last_value"], expect.1);
        assert_eq!(
            (&state["initial_value"], &state["start_value"]),
            (&json!(saved), &json!(saved))
        );
    };
    let record = |n: i64, c: Value| json!({"n": n, "c": c});
    check(
        "\u{f027}2024-01-02T00:00:00+00:00",
        &[
            record(1, json!("2024-01-01T23:00:00.000-0000")),
            // These are the same instants; as strings they would sort differently.
            record(2, json!("2024-01-02 01:00:00+01:00")),
            record(3, json!("2024-01-02T00:30:00.250+0100")),
            record(4, json!("2024-01-03T12:00:00.500+0100")),
        ],
        (&[2, 4], json!("\u{f027}2024-01-03T12:00:00.500000+01:00")),
    );
    check(
        "\u{f028}2024-01-02",
        &[record(1, json!("2024-01-01")), record(2, json!("2024-01-05T10:00:00Z"))],
        (&[2], json!("\u{f028}2024-01-05")),
    );
    check(
        "\u{f026}10.5",
        &[record(1, json!(9)), record(2, json!(10.5)), record(3, json!(10.75))],
        (&[2, 3], json!(10.75)),
    );
    // Without new records the saved state is unchanged.
    check(
        "\u{f027}2024-01-02T00:00:00.000+0000",
        &[record(1, json!("2024-01-01T00:00:00Z"))],
        (&[], json!("\u{f027}2024-01-02T00:00:00.000+0000")),
    );
    let state = json!({"last_value": "\u{f027}2024-01-02T00:00:00+00:00"});
    let mut it = incremental(&json!({"cursor_path": "c"}), &json!("n"), &state).unwrap();
    assert_eq!(it.start_value(), Some(&CursorValue::Text("2024-01-02T00:00:00+00:00".into())));
    assert_eq!(
        page(&mut it, &[record(1, json!("soon"))]).unwrap_err().to_string(),
        "cursor c: expected a date or a time, for such was saved, found \"soon\""
    );
}

/// The records of two loads with one record per page; the second starts where the first ended.
#[test]
fn times_are_compared_as_instants() {
    let check = |format: Option<&str>, first: &str, second: &str, kept: bool, warns: bool| {
        let cursor = json!({"cursor_path": "c", "format": format});
        let mut it = incremental(&cursor, &json!("id"), &Value::Null).unwrap();
        page(&mut it, &[json!({"c": first, "id": 1, "n": 1})]).unwrap();
        let state = Value::Object(it.state().unwrap().unwrap());
        // The state has the source's text, because requests use it.
        assert_eq!(state["last_value"], json!(first));
        let mut it = incremental(&cursor, &json!("id"), &state).unwrap();
        let found = page(&mut it, &[json!({"c": second, "id": 2, "n": 2})]).unwrap();
        assert_eq!(found, if kept { vec![json!(2)] } else { Vec::new() }, "{first} {second}");
        let warnings = it.warnings();
        assert_eq!(warnings.len(), usize::from(warns), "{warnings:?}");
        if warns {
            let last = if kept { second } else { first };
            let expect = format!("values of cursor c such as {last:?} are neither dates or times");
            assert!(warnings[0].starts_with(&expect), "{warnings:?}");
        }
    };
    // Jira at the end of daylight saving time; a source that omits a fraction of zero.
    check(None, "2024-11-03T01:50:00.000-0700", "2024-11-03T01:20:00.000-0800", true, false);
    check(None, "2024-11-03T01:20:00.000-0800", "2024-11-03T01:50:00.000-0700", false, false);
    check(None, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.750Z", true, false);
    check(None, "9", "10", true, false);
    // Twilio.
    let (wednesday, friday) =
        ("Wed, 04 Sep 2024 10:00:00 +0000", "Fri, 06 Sep 2024 10:00:00 +0000");
    check(Some("rfc2822"), wednesday, friday, true, false);
    check(None, wednesday, friday, false, true);
    check(Some("%m/%d/%Y"), "9/2/2024", "10/1/2024", true, false);
    check(Some("%d.%m.%Y"), "30.09.2024", "01.10.2024", true, false);
    check(None, "01HQ3", "01HQ4", true, true);
    check(Some("text"), "01HQ3", "01HQ4", true, false);
    check(Some("text"), "9", "10", false, false);
}

#[test]
fn lag_is_subtracted_in_the_cursors_format() {
    let check = |format: &str, last: &str, lag: f64, start: &str| {
        let cursor = json!({"cursor_path": "c", "lag": lag, "format": format});
        let it = incremental(&cursor, &Value::Null, &json!({"last_value": last})).unwrap();
        assert_eq!(it.start_value().map(CursorValue::to_value), Some(json!(start)));
    };
    check("rfc2822", "Fri, 06 Sep 2024 10:00:00 +0000", 3600.0, "Fri, 06 Sep 2024 09:00:00 +0000");
    check("%d.%m.%Y", "01.10.2024", 1.0, "30.09.2024");
    let cursor = json!({"cursor_path": "c", "format": "%d.%m.%Y"});
    let mut it = incremental(&cursor, &Value::Null, &json!({"last_value": "01.10.2024"})).unwrap();
    assert_eq!(
        page(&mut it, &[json!({"c": "2024-10-02"})]).unwrap_err().to_string(),
        "cursor c: expected a cursor in the format %d.%m.%Y, found \"2024-10-02\""
    );
}
