use serde_json::{Value, json};

use super::*;
use crate::job::{Input, Job};

/// The format, as parsed from a job.
fn format(format: &Value) -> Format {
    let job = json!({"pipeline": "p", "database": "D", "dataset": "d",
        "resources": [{"name": "r", "source": "pull", "format": format}]});
    match &Job::parse(&job.to_string()).unwrap().resources[0].input {
        Input::Pull(pulled) => pulled.format.clone(),
        Input::Endpoint(_) => panic!("not pulled"),
    }
}

/// Each frame as a line: `12 text` for values, `12! reason: raw` for a bad record, or the fault at
/// the end.
fn read(format: &Format, lenient: bool, pages: &[&str]) -> Vec<String> {
    let mut frames = Frames::new(format, lenient).unwrap();
    let mut found = Vec::new();
    let mut pages = pages.iter().map(|page| (*page).to_owned());
    loop {
        let last = match pages.next() {
            Some(page) => {
                frames.feed(page);
                false
            }
            None => true,
        };
        loop {
            match frames.next(last) {
                Ok(None) => break,
                Ok(Some(Frame::Values { text, line })) => found.push(format!("{line} {text}")),
                Ok(Some(Frame::Bad { raw, line, reason })) => {
                    found.push(format!("{line}! {reason}: {raw}"));
                }
                Err(fault) => {
                    found.push(fault.to_string());
                    return found;
                }
            }
        }
        if last {
            return found;
        }
    }
}

/// Wherever an input is cut into pages, the records are the same.
#[track_caller]
fn check(dialect: Value, lenient: bool, input: &str, expect: &[&str]) {
    let format = format(&dialect);
    assert_eq!(read(&format, lenient, &[input]), expect, "{input:?}");
    // If JSON is not split into records, the frames depend on the pages.
    if !lenient && format == Format::Json {
        return;
    }
    for (at, _) in input.char_indices() {
        let (one, other) = input.split_at(at);
        assert_eq!(read(&format, lenient, &[one, "", other]), expect, "{input:?} cut at {at}");
    }
    let single: Vec<String> = input.chars().map(String::from).collect();
    let single: Vec<&str> = single.iter().map(String::as_str).collect();
    assert_eq!(read(&format, lenient, &single), expect, "{input:?} by characters");
}

#[test]
fn csv() {
    let check = |input: &str, expect: &[&str]| check(json!("csv"), false, input, expect);
    check("", &[]);
    check("a,b", &[]);
    check("a,b\n1,2\n", &[r#"2 {"a":"1","b":"2"}"#]);
    check("a,b\n1,2", &[r#"2 {"a":"1","b":"2"}"#]);
    check("a,b\r\n1,2\r\n3,\r\n", &[r#"2 {"a":"1","b":"2"}"#, r#"3 {"a":"3","b":null}"#]);
    check("a,b\r1,2\r3,4", &[r#"2 {"a":"1","b":"2"}"#, r#"3 {"a":"3","b":"4"}"#]);
    // A byte order mark, blank lines, quotes in quotes, and a quote that is a character.
    check("\u{feff}a,b\n\n\"x\"\"y\",it\"s\n\n", &[r#"3 {"a":"x\"y","b":"it\"s"}"#]);
    // Line ends within fields are counted.
    check(
        "a,b\n\"1\n2\r\n3\",\"é,\"\nx,y\n",
        &[r#"2 {"a":"1\n2\r\n3","b":"é,"}"#, r#"5 {"a":"x","b":"y"}"#],
    );
    // A quoted field is a string, even if it is empty.
    check("a,b\n\"\",\n", &[r#"2 {"a":"","b":null}"#]);
    check("a,,b\n1,2,3\n", &[r#"2 {"a":"1","column_2":"2","b":"3"}"#]);
    check("a\n\u{1}\\\t\n", &[r#"2 {"a":"\u0001\\\t"}"#]);
    // Bad rows.
    check("a,b\n1\n", &["line 2: expected 2 fields, found 1"]);
    check("a,b\n1,2,3\n", &["line 2: expected 2 fields, found 3"]);
    check(
        "a,b\n1,2\n\"x\"y,2\n",
        &[
            r#"2 {"a":"1","b":"2"}"#,
            "line 3: expected a delimiter after the closing quote, found more text",
        ],
    );
    check("a\n\"x\n\n", &["line 2: expected a quote that ends the field, found none"]);
    check(
        "a,a\n1,2\n",
        &["line 1: expected columns of different names, found \"a\" twice: name them in \
           \"header\" and have \"skip_lines\" skip this line"],
    );
}

#[test]
fn dialects_of_csv() {
    let csv = |more: Value| {
        let mut dialect = json!({"type": "csv"});
        dialect.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        dialect
    };
    check(csv(json!({"delimiter": ";"})), false, "a;b\n1;2,5\n", &[r#"2 {"a":"1","b":"2,5"}"#]);
    check(csv(json!({"delimiter": "\t"})), false, "a\tb\n1\t2\n", &[r#"2 {"a":"1","b":"2"}"#]);
    check(csv(json!({"quote": "'"})), false, "a\n'x\ny'\n", &[r#"2 {"a":"x\ny"}"#]);
    check(csv(json!({"quote": null})), false, "a\n\"x\n", &[r#"2 {"a":"\"x"}"#]);
    check(csv(json!({"header": false})), false, "1,2\n", &[r#"1 {"column_1":"1","column_2":"2"}"#]);
    check(csv(json!({"header": ["x", "y"]})), false, "1,2\n", &[r#"1 {"x":"1","y":"2"}"#]);
    check(
        csv(json!({"header": ["x"], "skip_lines": 2})),
        false,
        "made by\r\n\r\n1\n",
        &[r#"3 {"x":"1"}"#],
    );
    check(
        csv(json!({"null": ["NA", "-"]})),
        false,
        "a,b,c,d\nNA,-,,\"NA\"\n",
        &[r#"2 {"a":null,"b":null,"c":"","d":"NA"}"#],
    );
    check(csv(json!({"null": []})), false, "a,b\n1,\n", &[r#"2 {"a":"1","b":""}"#]);
    check(csv(json!({"comment": "#"})), false, "# by x\na\n#1\n\"#\"\n", &[r##"4 {"a":"#"}"##]);
    check(
        csv(json!({"escape": "\\", "null": "\\N"})),
        false,
        "a,b,c\n\\N,x\\,y,\"\\\"é\\\\\"\n",
        &[r#"2 {"a":null,"b":"x,y","c":"\"é\\"}"#],
    );
    check(csv(json!({"escape": "\""})), false, "a\n\"x\"\"\"\n", &[r#"2 {"a":"x\""}"#]);
    check(csv(json!({"short_rows": true})), false, "a,b\n1\n", &[r#"2 {"a":"1","b":null}"#]);
}

#[test]
fn bad_rows_of_csv_are_distinguished() {
    check(
        json!("csv"),
        true,
        "a,b\n1\n\"x\"y,2\n3,4\n\"\n5,6\n",
        &[
            "2! expected 2 fields, found 1: 1",
            "3! expected a delimiter after the closing quote, found more text: \"x\"y,2",
            r#"4 {"a":"3","b":"4"}"#,
            "5! expected a quote that ends the field, found none: \"",
            r#"6 {"a":"5","b":"6"}"#,
        ],
    );
}

#[test]
fn lines() {
    let check = |lenient: bool, input: &str, expect: &[&str]| {
        check(json!("jsonl"), lenient, input, expect);
    };
    check(false, "", &[]);
    check(false, "\n \n", &[]);
    check(false, "{\"a\":1}\n\n{\"a\":\"é\"}", &["1 {\"a\":1}", "3 {\"a\":\"é\"}"]);
    check(false, "\u{feff}1\r\n2\r\n", &["1 1\r", "2 2\r"]);
    check(
        true,
        "1\n{\"a\":}\n{\"a\n[2]\n",
        &[
            "1 1",
            "2! not JSON: expected a value, found '}' at line 2 column 6 (byte 5): {\"a\":}",
            "3! not JSON: expected the end of the string, found the end of the text at line 3 column 4 (byte 3): {\"a",
            "4 [2]",
        ],
    );
}

#[test]
fn json_values() {
    let check = |lenient: bool, input: &str, expect: &[&str]| {
        check(json!("json"), lenient, input, expect);
    };
    check(false, "", &[]);
    check(false, " \n", &[]);
    check(false, "[1,\n2]\n{\"a\":[3]}\n", &["1 [1,\n2]\n{\"a\":[3]}"]);
    check(false, "[1,[2,", &["1 [1]", "1 [[2,"]);
    check(true, "[]", &["1 []"]);
    check(
        true,
        "[ {\"a\":1},\n{\"a\":[1,2]} ,\n3]\n4 \"5\"{}",
        &["1 [ {\"a\":1}]", "2 [\n{\"a\":[1,2]} ]", "3 [\n3]", "4 4", "4 \"5\"", "4 {}"],
    );
    // A balanced text is one record, even if it is invalid.
    let found = read(&format(&json!("json")), true, &["[1,{\"a\":},\n2]\n{]\n3\n"]);
    assert_eq!(found.len(), 5, "{found:?}");
    assert_eq!([&found[0], &found[2], &found[4]], ["1 [1]", "2 [\n2]", "4 3"]);
    assert!(
        found[1].starts_with("1! not JSON: ") && found[3].starts_with("3! not JSON: "),
        "{found:?}"
    );
    // An unfinished record ends with the file.
    let found = read(&format(&json!("json")), true, &["[1,\n{\"a\":\"x\n"]);
    assert_eq!(found[0], "1 [1]");
    assert!(found[1].starts_with("2! not JSON"), "{found:?}");
    let found = read(&format(&json!("json")), true, &["[1,2,"]);
    assert_eq!(found[..2], ["1 [1]", "1 [2]"]);
    assert!(found[2].starts_with("1! not JSON"), "{found:?}");
}

/// Whatever the length of an input, memory is limited to a page and a record.
#[test]
fn memory_is_bounded() {
    let record = |n: u64| format!("{{\"n\":{n},\"t\":\"{}\"}}", "x".repeat(100));
    let all: Vec<(Value, String)> = vec![
        (json!("jsonl"), (0..2000).map(|n| record(n) + "\n").collect()),
        (json!("json"), format!("[{}]", (0..2000).map(record).collect::<Vec<_>>().join(","))),
        (json!("csv"), (0..4000).map(|n| format!("{n},\"{}\"\n", "y\n".repeat(25))).collect()),
    ];
    for (dialect, text) in all {
        let mut frames = Frames::new(&format(&dialect), false).unwrap();
        let bytes: Vec<char> = text.chars().collect();
        for page in bytes.chunks(1000) {
            frames.feed(page.iter().collect());
            while let Some(frame) = frames.next(false).unwrap() {
                drop(frame);
            }
            assert!(frames.held() < 2000, "{dialect}: {}", frames.held());
        }
    }
}

#[test]
fn undecodable_bytes_are_reported() {
    let utf_8 = "expected text in UTF-8, found the byte 0xFF \
         (\"encoding\" says what else a file is written in)";
    let bad = |line: u64, raw: &str| format!("{line}! {utf_8}: {raw}");
    let fault = |line: u64| format!("line {line}: {utf_8}");
    let check = |dialect: Value, lenient: bool, input: &str, expect: &[&str]| {
        let found = read(&format(&dialect), lenient, &[input]);
        assert_eq!(found, expect, "{input:?}");
        for (at, _) in input.char_indices() {
            let (one, other) = input.split_at(at);
            if lenient || dialect != "json" {
                let found = read(&format(&dialect), lenient, &[one, other]);
                assert_eq!(found, expect, "{input:?} cut at {at}");
            }
        }
    };
    let csv = "a,b\n1,x\n2,\u{fdd0}ÿ\n\"3\n\",\u{fdd0}ÿ\n4,y\n";
    let row = |line: u64, a: &str, b: &str| format!("{line} {{\"a\":\"{a}\",\"b\":\"{b}\"}}");
    let rows =
        [row(2, "1", "x"), bad(3, "2,\u{fdd0}ÿ"), bad(4, "\"3\n\",\u{fdd0}ÿ"), row(6, "4", "y")];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    check(json!("csv"), true, csv, &rows);
    check(json!("csv"), false, csv, &[rows[0], &fault(3)]);
    // All rows depend on the header.
    for lenient in [false, true] {
        check(json!("csv"), lenient, "a,\u{fdd0}ÿ\n1,2\n", &[&fault(1)]);
    }
    // Comments and skipped lines are not data.
    let dialect = json!({"type": "csv", "comment": "#", "skip_lines": 1});
    check(dialect, false, "\u{fdd0}ÿ\na\n#\u{fdd0}ÿ\n1\n", &["4 {\"a\":\"1\"}"]);

    let lines = "{\"a\":1}\n{\"a\":\"\u{fdd0}ÿ\"}\n{\"a\":2}\n";
    let line = "{\"a\":\"\u{fdd0}ÿ\"}";
    check(json!("jsonl"), true, lines, &["1 {\"a\":1}", &bad(2, line), "3 {\"a\":2}"]);
    check(json!("jsonl"), false, lines, &["1 {\"a\":1}", &fault(2)]);
    let values = "[{\"a\":1},\n{\"a\":\"\u{fdd0}ÿ\"},\n{\"a\":2}]";
    let inner = bad(2, "[\n{\"a\":\"\u{fdd0}ÿ\"}]");
    check(json!("json"), true, values, &["1 [{\"a\":1}]", &inner, "3 [\n{\"a\":2}]"]);
    check(json!("json"), false, values, &[&fault(2)]);

    // Text that resembles a mark is kept.
    for text in ["\u{fdd0}", "\u{fdd0}a", "ÿ", "\u{fffd}", "\u{fdd0}\u{100}"] {
        check(json!("jsonl"), false, &format!("\"{text}\"\n"), &[&format!("1 \"{text}\"")]);
    }
}

#[test]
fn the_encoding_of_the_job_is_passed_on() {
    let check = |encoding: &str, text: &str, expect: &str| {
        let job = json!({"pipeline": "p", "database": "D", "dataset": "d",
            "resources": [{"name": "r", "files": "a.jsonl", "encoding": encoding}]});
        let job = Job::parse(&job.to_string()).unwrap();
        let Input::Pull(pulled) = &job.resources[0].input else { panic!("not pulled") };
        let mut frames = Frames::new(&pulled.format, false).unwrap().encoded(pulled.encoding);
        frames.feed(format!("1\n\"{text}\"\n"));
        assert!(frames.next(true).is_ok());
        assert_eq!(frames.next(true).unwrap_err().to_string(), expect);
    };
    let expect = "line 2: expected text in windows-1252, found the byte 0x81";
    check("windows-1252", "\u{fdd0}\u{81}", expect);
    let expect = "line 2: expected text in shift_jis, found bytes that are no character";
    check("shift_jis", "\u{fdd0}\u{fffd}", expect);
}

#[test]
fn rejected_records_are_legible() {
    let check = |raw: &str, expect: &str| assert_eq!(legible(raw), expect);
    check("a\u{fdd0}ÿb", "a\u{fffd}b");
    check("\u{fdd0}\u{80}\u{fdd0}\u{fffd}", "\u{fffd}\u{fffd}");
    check("é\u{fdd0}a", "é\u{fdd0}a");
    check("ÿ", "ÿ");
}

#[test]
fn formats_of_a_job() {
    let job = |resource: Value| {
        let job =
            json!({"pipeline": "p", "database": "D", "dataset": "d", "resources": [resource]});
        match Job::parse(&job.to_string()) {
            Ok(job) => match &job.resources[0].input {
                Input::Pull(pulled) => format!("{:?}", pulled.format),
                Input::Endpoint(_) => "endpoint".to_owned(),
            },
            Err(fault) => fault.to_string(),
        }
    };
    let check = |resource: Value, expect: &str| {
        let found = job(resource.clone());
        assert!(found.starts_with(expect), "{resource}: {found}");
    };
    check(json!({"name": "r", "files": "a/*.json"}), "Json");
    check(json!({"name": "r", "files": ["a.ndjson.gz", "b.jsonl.zst"]}), "JsonLines");
    check(json!({"name": "r", "files": "@d.s.t/x.TSV"}), "Csv(Csv { delimiter: 9,");
    check(json!({"name": "r", "files": "@d.s.t/x.parquet"}), "Parquet");
    check(json!({"name": "r", "files": "@d.s.t/x/", "format": "arrow"}), "Arrow");
    check(json!({"name": "r"}), "Values");
    check(json!({"name": "r", "on_bad_record": "reject"}), "Json");
    check(
        json!({"name": "r", "files": "@d.s.t/x"}),
        "resources[0].files: expected a name that ends in",
    );
    check(
        json!({"name": "r", "files": ["a.csv", "b.json"]}),
        "resources[0].files: expected files of one",
    );
    check(
        json!({"name": "r", "format": "cvs"}),
        "resources[0].format: unknown \"cvs\", did you mean \"csv\"?",
    );
    check(
        json!({"name": "r", "format": {"type": "json", "quote": "x"}}),
        "resources[0].format: unknown key \"quote\"",
    );
    check(
        json!({"name": "r", "format": {"type": "csv", "delimiter": ",,"}}),
        "resources[0].format.delimiter: expected one ASCII character, found \",,\"",
    );
    check(
        json!({"name": "r", "format": {"type": "csv", "delimiter": "\""}}),
        "resources[0].format: \"\\\"\" is used for two of delimiter, quote, escape and comment",
    );
    check(
        json!({"name": "r", "endpoint": "https://x/", "on_bad_record": "reject"}),
        "resources[0].on_bad_record: expected nothing",
    );
    check(json!({"name": "r", "files": "a.csv", "encoding": "windows-1252"}), "Csv");
    check(json!({"name": "r", "files": "a.json", "encoding": "utf-8"}), "Json");
    check(
        json!({"name": "r", "files": "a.csv", "encoding": "cp1252"}),
        "resources[0].encoding: expected one of \"utf-8\", \"utf-16\",",
    );
    for resource in [
        json!({"name": "r", "files": "a.parquet", "encoding": "koi8-r"}),
        json!({"name": "r", "encoding": "koi8-r"}),
    ] {
        check(resource, "resources[0].encoding: expected a format of csv, json or jsonl");
    }
    check(
        json!({"name": "r", "endpoint": "https://x/", "encoding": "koi8-r"}),
        "resources[0].encoding: expected nothing",
    );
    check(
        json!({"name": "r", "files": "a.csv", "format": {"type": "csv", "encoding": "koi8-r"}}),
        "resources[0].format: unknown key \"encoding\": it is a key beside \"format\"",
    );
    check(
        json!({"name": "_rejected", "on_bad_record": "reject"}),
        "resources[0].name: the name _rejected is reserved for rejected records",
    );
}
