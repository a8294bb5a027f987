use super::*;

#[test]
fn prints_compact_json() {
    let check = |json: &str, expect: &str| {
        let found = compact(json).unwrap();
        assert_eq!(found, expect, "{json}");
        assert_eq!(matches!(found, Cow::Borrowed(_)), json.starts_with(expect), "{json}");
        assert_eq!(compact(expect).unwrap(), expect);
    };
    check("{}", "{}");
    check(" [ ] ", "[]");
    check(
        r#"{"a":[1,2.50,-0,1E5,null,true,"é / ·"],"b":{"a":{}}}"#,
        r#"{"a":[1,2.50,-0,1E5,null,true,"é / ·"],"b":{"a":{}}}"#,
    );
    check("{ \"a b\" :\t[ 1 ,\r\n2 ] }", r#"{"a b":[1,2]}"#);
    check(r#"["\u00e9\u0041\ud83d\ude00\/"]"#, r#"["éA😀/"]"#);
    check(
        r#"["\u0008\u0009\u000a\u000c\u000d\u0022\u005c\u0000\u001F\u007f"]"#,
        "[\"\\b\\t\\n\\f\\r\\\"\\\\\\u0000\\u001f\u{7f}\"]",
    );
    check(r#"["\"\\\b\f\n\r\t"]"#, r#"["\"\\\b\f\n\r\t"]"#);
    check(r#"["a\\"," b"]"#, r#"["a\\"," b"]"#);
    check(r#"{"a":1,"b":2,"a":{"x":[3]},"c":4}"#, r#"{"a":{"x":[3]},"b":2,"c":4}"#);
    check(r#"{"a":1,"\u0061":2}"#, r#"{"a":2}"#);
    check(r#"{"\"":1,"\u0022":2}"#, r#"{"\"":2}"#);
    check(
        r#"{"a":{"b":1,"b":2},"c":[{"d":1,"d":{"e":1,"e":2}}]}"#,
        r#"{"a":{"b":2},"c":[{"d":{"e":2}}]}"#,
    );
    check(r#"[{"a":{"x":1},"\u0061":{"y":[{"z":1,"z":2}]}}]"#, r#"[{"a":{"y":[{"z":2}]}}]"#);
    check(r#"{"a":["a","a"],"b":{"a":1}}"#, r#"{"a":["a","a"],"b":{"a":1}}"#);
    check("7", "7");
    check(r#" "x" "#, r#""x""#);
    check("7 ", "7");
}

#[test]
fn half_a_surrogate_pair_is_replaced_or_rejected() {
    let strict = Style { half_pairs: HalfPairs::Refuse, ..COMPACT };
    let check = |json: &str, expect: &str| {
        assert_eq!(compact(json).unwrap(), expect);
        let fault = print(json, &strict).unwrap_err();
        assert!(fault.message.starts_with("expected both halves"), "{fault}");
    };
    check(r#"["\ud800"]"#, "[\"\u{fffd}\"]");
    check(r#"["\ude00x"]"#, "[\"\u{fffd}x\"]");
    check(r#"["\ud800\n"]"#, "[\"\u{fffd}\\n\"]");
    check(r#"["\ud800\u0041"]"#, "[\"\u{fffd}A\"]");
    check(r#"{"\ud800":1,"\ud801":2}"#, "{\"\u{fffd}\":2}");
    assert_eq!(print(r#"["\ud83d\ude00\\ud800"]"#, &strict).unwrap(), r#"["😀\\ud800"]"#);
}

#[test]
fn objects_of_many_keys() {
    let members: Vec<String> = (0..1000).map(|i| format!(r#""k{i}":{i}"#)).collect();
    let json = format!("{{{}}}", members.join(","));
    assert_eq!(compact(&json).unwrap(), json);
    let twice = format!(r#"{{{},"k0":"new"}}"#, members.join(","));
    assert_eq!(compact(&twice).unwrap(), json.replacen(r#""k0":0"#, r#""k0":"new""#, 1));
}

#[test]
fn rejects_what_is_not_one_value() {
    for text in
        ["", "{", "}", "\"", "\"\\", "{\"a\"", "[\"\\u12\"]", "1 2", "{}x", "\u{feff}1", "{,}"]
    {
        let fault = compact(text).unwrap_err();
        assert!(fault.message.starts_with("not JSON: expected "), "{text}: {fault}");
    }
}

#[test]
fn depth_is_limited_by_the_style_only() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(compact(&deep).unwrap(), deep);
    assert_eq!(compact(&format!("{deep} ")).unwrap(), deep);
    let limited = Style { max_depth: Some(2), ..COMPACT };
    assert_eq!(print("[[1,{}]]", &COMPACT).unwrap(), "[[1,{}]]");
    let fault = print("[[1,{}]]", &limited).unwrap_err();
    let expect = "expected at most 2 levels of nesting, found more at line 1 column 7";
    assert_eq!(fault.message, expect);
}

/// A random value: spelled in a random way, with repeated keys; of no more than so many levels.
fn random(random: &mut impl FnMut(usize) -> usize, depth: usize, out: &mut String) {
    const SPACES: [&str; 6] = ["", "", "", "", " ", "\n\t"];
    const STRINGS: [&str; 14] = [
        "",
        "a",
        "b",
        "aa",
        "é",
        "\\u0061",
        "\\u00E9",
        "\\n",
        "\\u000a",
        "\\/",
        "\\\"",
        "\\ud83d\\ude00",
        "a longer string with a \\\\ in it",
        "\\u0001x",
    ];
    const SCALARS: [&str; 10] =
        ["null", "true", "false", "0", "-1", "12345678901", "1.50", "-2E3", "0.1e-2", "1e15"];
    out.push_str(SPACES[random(6)]);
    match random(if depth == 0 { 3 } else { 7 }) {
        0 | 1 => out.push_str(SCALARS[random(SCALARS.len())]),
        2 => out.push_str(&format!("\"{}\"", STRINGS[random(STRINGS.len())])),
        kind => {
            let object = kind > 4;
            out.push(if object { '{' } else { '[' });
            for member in 0..random(5) {
                out.push_str(if member == 0 { SPACES[random(6)] } else { "," });
                if object {
                    out.push_str(&format!(
                        "{}\"{}\"{}:",
                        SPACES[random(6)],
                        STRINGS[random(STRINGS.len())],
                        SPACES[random(6)]
                    ));
                }
                self::random(random, depth - 1, out);
            }
            out.push_str(SPACES[random(6)]);
            out.push(if object { '}' } else { ']' });
        }
    }
    out.push_str(SPACES[random(6)]);
}

/// The printed value is the value, by another parser; printing it again changes nothing; an object has no key
/// twice, and sorted ones have their keys in order.
#[test]
fn random_values_are_what_they_were() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut numbers = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let sorted = Style { sorted: true, ..COMPACT };
    let mut changed = 0;
    for _ in 0..5000 {
        let mut json = String::new();
        random(&mut numbers, 4, &mut json);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let found = compact(&json).unwrap();
        changed += usize::from(found != json.trim());
        assert!(json.starts_with(found.as_ref()) || matches!(found, Cow::Owned(_)), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&found).unwrap(), value, "{json}");
        assert_eq!(compact(&found).unwrap(), found, "{json}");
        let printed = |text: &str| {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            value.sort_all_objects();
            value.to_string()
        };
        let in_order = print(&json, &sorted).unwrap();
        assert_eq!(printed(&in_order), printed(&found), "{json}");
        let again: serde_json::Value = serde_json::from_str(&in_order).unwrap();
        assert_eq!(again.to_string(), printed(&in_order), "{json}");
    }
    assert!(changed > 500, "{changed}");
}
