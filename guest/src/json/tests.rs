use super::*;
use crate::fault::Result;

/// Reads a whole text as values, re-printing strings, so that a difference shows.
fn values(text: &str) -> Result<Vec<String>> {
    let mut reader = Reader::new(text);
    let mut out = Vec::new();
    while !reader.at_end() {
        out.push(match reader.peek()? {
            Peek::String => format!("{:?}", reader.string()?),
            _ => reader.skip()?.to_owned(),
        });
    }
    Ok(out)
}

#[test]
fn accepts_what_is_json() {
    for text in [
        "null",
        " [ ] ",
        "{}",
        "[1,2.5,-0,1e9,-1.5E-3]",
        r#"{"a":{"b":[{},[]]},"c":"\"\\\u00e9"}"#,
        "[true,false,null]",
        "\"\"",
        "123456789012345678901234567890.12345",
    ] {
        assert_eq!(values(text).map(|v| v.len()), Ok(1), "{text}");
        serde_json::from_str::<serde_json::Value>(text).unwrap();
    }
}

#[test]
fn rejects_what_is_not() {
    for (text, message) in [
        ("[1,2", "expected `,` or `]`, found the end of the text at line 1 column 5 (byte 4)"),
        ("{\"a\" 1}", "expected `:`, found '1' at line 1 column 6 (byte 5)"),
        ("[01]", "expected the end of the number, found '1' at line 1 column 3 (byte 2)"),
        ("[1.]", "expected a digit, found ']' at line 1 column 4 (byte 3)"),
        (
            "\"a\nb\"",
            "expected no control character in a string, found '\\n' at line 1 column 3 (byte 2)",
        ),
        ("\"\\x\"", "expected an escape, found 'x' at line 1 column 3 (byte 2)"),
        (
            "\"abc",
            "expected the end of the string, found the end of the text at line 1 column 5 (byte 4)",
        ),
        ("{a:1}", "expected a key in double quotes, found 'a' at line 1 column 2 (byte 1)"),
        ("[1,\n nul]", "expected null, found ']' at line 2 column 5 (byte 8)"),
        ("[NaN]", "expected a value, found 'N' at line 1 column 2 (byte 1)"),
        ("{\"é\":<html>", "expected a value, found '<' at line 1 column 6 (byte 6)"),
    ] {
        let fault = values(text).unwrap_err();
        assert_eq!(fault.message, format!("not JSON: {message}"), "{text}");
        serde_json::from_str::<serde_json::Value>(text).unwrap_err();
    }
}

#[test]
fn strings_of_every_length_and_alignment() {
    for before in 0..20 {
        for after in 0..20 {
            for middle in ["", "\\n", "\\\"", "é", "\\u0041", "\\ud83d\\ude00", "\\ud800x"] {
                let raw = format!("\"{}{middle}{}\"", "x".repeat(before), "y".repeat(after));
                let expect = match serde_json::from_str::<String>(&raw) {
                    Ok(text) => text,
                    Err(_) => format!("{}\u{fffd}x{}", "x".repeat(before), "y".repeat(after)),
                };
                let mut reader = Reader::new(&raw);
                reader.peek().unwrap();
                assert_eq!(reader.string().unwrap(), expect);
                assert!(reader.at_end());
            }
        }
    }
}

#[test]
fn depth_is_limited() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(Reader::new(&deep(MAX_DEPTH as usize)).skip().is_ok());
    let fault = Reader::new(&deep(100_000)).skip().unwrap_err();
    assert!(fault.message.contains("256 levels"), "{fault}");
}

#[test]
fn values_follow_one_another() {
    assert_eq!(values("{\"a\":1}\n\n[2] \"x\"").unwrap(), ["{\"a\":1}", "[2]", "\"x\""]);
}

#[test]
fn reads_the_content_of_strings() {
    let check = |raw: &str, expect: &str| {
        let found = string_content(raw);
        assert_eq!(
            found.map_or_else(|fault| fault.message, std::borrow::Cow::into_owned),
            expect,
            "{raw}"
        );
    };
    check("\"abc\"", "abc");
    check("\"\"", "");
    check("\"a\\nb\\u00e9\\ud83d\\ude00\\/\"", "a\nbé😀/");
    check("abc", "not JSON: expected a string, found 'a' at line 1 column 1 (byte 0)");
    check("", "not JSON: expected a string, found the end of the text at line 1 column 1 (byte 0)");
    check(
        "\"a\"b\"",
        "not JSON: expected the end of the text, found 'b' at line 1 column 4 (byte 3)",
    );
    check(
        "\"a\" ",
        "not JSON: expected the end of the text, found ' ' at line 1 column 4 (byte 3)",
    );
    check("\"\\ud800\"", "expected both halves of each surrogate pair, found \"\\ud800\"");
    check("\"x\\ude00\"", "expected both halves of each surrogate pair, found \"x\\ude00\"");
    check(
        "\"\\ud800\\u0041\"",
        "expected both halves of each surrogate pair, found \"\\ud800\\u0041\"",
    );
}
