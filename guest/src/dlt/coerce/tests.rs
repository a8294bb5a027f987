use serde_json::Value;

use super::*;

fn corpus(file: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/conformance/corpus/");
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}{file}")).unwrap()).unwrap()
}

/// The scalar of a JSON text. `text` is the buffer for an unescaped string.
fn scalar<'a>(json: &'a str, text: &'a mut String) -> Scalar<'a> {
    match json.as_bytes()[0] {
        b'"' => {
            *text = serde_json::from_str(json).unwrap();
            Scalar::Text(text)
        }
        b'{' | b'[' => Scalar::Json(json),
        b't' | b'f' => Scalar::Bool(json == "true"),
        _ => Scalar::Number(json),
    }
}

/// A decimal as dlt prints it, times ten to the power of the scale. `None` if the column cannot
/// represent it.
fn units(decimal: &str, scale: i32) -> Option<i128> {
    let (mantissa, exponent) = decimal.split_once('E').unwrap_or((decimal, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = exponent.parse::<i32>().unwrap() - fraction.len() as i32 + scale;
    let unit = 10_i128.checked_pow(shift.unsigned_abs())?;
    let units = if shift >= 0 {
        digits.checked_mul(unit)
    } else {
        (digits % unit == 0).then(|| digits / unit)
    };
    units.filter(|units| units.unsigned_abs() < 10_u128.pow(38))
}

/// The result that the corpus expects, in our types. The second value is the reason if ours
/// differs.
fn expected(
    case: &Value,
    to: &Kind,
    input: &str,
) -> (Option<Datum<'static>>, Option<&'static str>) {
    let out = &case["out"];
    if case.get("raises").is_some() {
        return (None, Some("dlt fails the load"));
    }
    let Some(out) = case.get("out").map(|_| out) else {
        return (None, None);
    };
    let number = matches!(input.as_bytes()[0], b'-' | b'0'..=b'9');
    let whole = number && input.bytes().all(|b| b == b'-' || b.is_ascii_digit());
    let text = |key: &str| out[key].as_str().unwrap().to_owned();
    let datum = match to.data_type {
        DataType::Bool => Datum::Bool(out.as_bool().unwrap()),
        DataType::Bigint => match out.as_i64() {
            Some(value) => Datum::Int(value),
            None => return (None, Some("out of 64 bits")),
        },
        DataType::Double => Datum::Double(match out.as_f64() {
            Some(value) => value,
            None => text("$f").parse().unwrap(),
        }),
        DataType::Text if whole && out.as_str() != Some(input) => {
            return (
                Some(Datum::Text(Cow::Owned(input.to_owned()))),
                Some("an integer keeps its digits"),
            );
        }
        DataType::Text => Datum::Text(Cow::Owned(out.as_str().unwrap().to_owned())),
        DataType::Decimal | DataType::Wei => {
            let scale = to.decimal().1 as i32;
            let Some(decimal) = out["$dec"].as_str() else {
                return (None, Some("no decimal at all, dlt calls it a str"));
            };
            let exact =
                if number { units(&input.replace("e", "E"), scale) } else { units(decimal, scale) };
            let same = exact == units(decimal, scale);
            return match exact {
                Some(units) => {
                    (Some(Datum::Decimal(units)), (!same).then_some("a decimal keeps its digits"))
                }
                None => (None, Some("the column does not hold it")),
            };
        }
        DataType::Timestamp => Datum::Micros(datetime::parse_iso(&text("$ts")).unwrap().micros),
        DataType::Date => Datum::Days(datetime::parse_date(&text("$date")).unwrap()),
        DataType::Time => Datum::TimeMicros(datetime::parse_time(&text("$time")).unwrap()),
        DataType::Binary => {
            let hex = text("$bin");
            let bytes = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            Datum::Bytes(bytes.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect())
        }
        DataType::Json if out.is_null() => Datum::Null,
        DataType::Json => {
            let value = out.get("$json").unwrap_or(out);
            Datum::Json(Cow::Owned(value.to_string()))
        }
    };
    (Some(datum), None)
}

fn same(a: &Option<Datum<'_>>, b: &Option<Datum<'_>>) -> bool {
    match (a, b) {
        // serde_json, which parsed the corpus, may be off by one unit in the last place.
        (Some(Datum::Double(a)), Some(Datum::Double(b))) => {
            a.to_bits().abs_diff(b.to_bits()) <= 1 || a.is_nan() && b.is_nan()
        }
        (Some(Datum::Json(a)), Some(Datum::Json(b))) => {
            let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            parse(a) == parse(b)
        }
        _ => a == b,
    }
}

#[test]
fn coerces_as_dlt() {
    let corpus = corpus("coerce.json");
    let mut wrong = 0;
    for case in &corpus {
        let input = case["in"].as_str().unwrap();
        let mut text = String::new();
        let value = scalar(input, &mut text);
        let to = Kind::of(DataType::parse(case["to"].as_str().unwrap()).unwrap());
        let (expect, difference) = expected(case, &to, input);
        let found = coerce(&value, &to);
        if let Some(difference) = difference {
            println!("on purpose ({difference}): {case} is {found:?}");
        }
        if !same(&found, &expect) {
            wrong += 1;
            println!("{case}: expected {expect:?}, found {found:?}");
        }
        if expect.is_none() && case.get("variant").is_some() {
            let form = value.form();
            let suffix = format!("__v_{}", form.name());
            // Deliberate difference: an integer of more than 64 bits is neither a bigint nor a
            // double.
            if case["variant"] != suffix.as_str() && form != DataType::Wei {
                wrong += 1;
                println!("{case}: the variant is {suffix}");
            }
        }
    }
    assert!(wrong == 0 && corpus.len() > 500, "{wrong} of {} differ", corpus.len());
}

#[test]
fn infers_types_as_dlt() {
    let corpus = corpus("infer.json");
    let mut wrong = 0;
    for case in &corpus {
        let mut text = String::new();
        let value = scalar(case["in"].as_str().unwrap(), &mut text);
        let found = infer(value);
        let expect = match (&value, case["type"].as_str().unwrap()) {
            // Deliberate difference: dlt's bigint has no limit until the load fails.
            (Scalar::Number(number), "bigint") if number.parse::<i64>().is_err() => "wei",
            (_, expect) => expect,
        };
        if found != Kind::of(DataType::parse(expect).unwrap()) {
            wrong += 1;
            println!("{case}: expected {expect}, found {found:?}");
        }
    }
    assert!(wrong == 0 && corpus.len() > 40, "{wrong} of {} differ", corpus.len());
}

#[test]
fn types() {
    let check = |json: &str, expect| {
        let mut text = String::new();
        let value = scalar(json, &mut text);
        assert_eq!(infer(value), Kind::of(expect), "{json}");
        assert!(coerce(&value, &infer(value)).is_some(), "{json} does not fit its own type");
    };
    check("0", DataType::Bigint);
    check("-0", DataType::Bigint);
    check("-9223372036854775808", DataType::Bigint);
    check("-9223372036854775809", DataType::Wei);
    check("9223372036854775807", DataType::Bigint);
    check("9223372036854775808", DataType::Wei);
    check(&"9".repeat(38), DataType::Wei);
    check(&format!("-{}", "9".repeat(38)), DataType::Wei);
    check(&format!("1{}", "0".repeat(38)), DataType::Text);
    check("1.0", DataType::Double);
    check("1e3", DataType::Double);
    check("1E308", DataType::Double);
    check("1e-400", DataType::Double);
    check("1e400", DataType::Text);
    check("\"2024-01-01T00:00:00Z\"", DataType::Timestamp);
    check("\"2024-01-01T00:00:00+24:00\"", DataType::Text);
    check("\"2024-01-01\"", DataType::Text);
    check("[]", DataType::Json);
    check("true", DataType::Bool);
}

#[test]
fn values() {
    use DataType::*;
    let check = |json: &str, to: DataType, expect: Option<Datum<'_>>| {
        let mut text = String::new();
        assert!(
            same(&coerce(&scalar(json, &mut text), &Kind::of(to)), &expect),
            "{json} to {to:?}"
        );
    };
    let text = |text| Some(Datum::Text(Cow::Borrowed(text)));
    check("-0", Text, text("0"));
    check("-0.0", Text, text("-0.0"));
    check("1.50", Text, text("1.5"));
    check("1e400", Text, text("1e400"));
    check("100000000000000000000000000000", Text, text("100000000000000000000000000000"));
    check("1e-7", Text, text("1e-07"));
    check("false", Text, text("False"));
    check("{ \"a\" : 1.0 }", Text, text("{\"a\":1.0}"));
    check("12.0", Bigint, Some(Datum::Int(12)));
    check("1e3", Bigint, Some(Datum::Int(1000)));
    check("12.5", Bigint, None);
    check("9007199254740993.0", Bigint, Some(Datum::Int(9_007_199_254_740_993)));
    check("9223372036854775808.0", Bigint, None);
    check("\" -0x_1F \"", Bigint, None);
    check("\"0x-1F\"", Bigint, Some(Datum::Int(-31)));
    check("\"-9223372036854775808\"", Bigint, Some(Datum::Int(i64::MIN)));
    check("\"9223372036854775808\"", Bigint, None);
    check("true", Bigint, None);
    check("\"0x10000000000000000000000000000001\"", Double, Some(Datum::Double(16_f64.powi(31))));
    check(
        "\"0x1fffffffffffffffffffffffffffffffff\"",
        Double,
        Some(Datum::Double(16_f64.powi(33) * 2.0)),
    );
    check(&format!("\"0x1{}\"", "0".repeat(255)), Double, Some(Datum::Double(2_f64.powi(1020))));
    check(&format!("\"0x1{}\"", "0".repeat(256)), Double, None);
    check("\"1e400\"", Double, Some(Datum::Double(f64::INFINITY)));
    check("1e400", Double, None);
    check("0.1", Decimal, Some(Datum::Decimal(100_000_000)));
    check(
        "12345678901234567890.123456789",
        Decimal,
        Some(Datum::Decimal(12_345_678_901_234_567_890_123_456_789)),
    );
    check("\"0x1F\"", Wei, Some(Datum::Decimal(31)));
    check("\"__1__0\"", Wei, Some(Datum::Decimal(10)));
    check("0.5", Wei, None);
    check("\"NaN\"", Decimal, None);
    check("300", Binary, Some(Datum::Bytes(vec![0x2c, 1])));
    check("0", Binary, Some(Datum::Bytes(vec![])));
    check("-1", Binary, None);
    check("\"0x 0a 0B\"", Binary, Some(Datum::Bytes(vec![10, 11])));
    check("\"0x0 a\"", Binary, None);
    check("\"YQ==\"", Binary, Some(Datum::Bytes(vec![b'a'])));
    check("\"YQ\"", Binary, None);
    check("1.5", Timestamp, Some(Datum::Micros(1_500_000)));
    check("86400", Date, Some(Datum::Days(1)));
    check("-1", Date, Some(Datum::Days(-1)));
    check("9223372036854775807", Timestamp, None);
    check("\"12:30:00.5+02:00\"", Time, Some(Datum::TimeMicros(37_800_500_000)));
    check("\"T123000.5+0200\"", Time, Some(Datum::TimeMicros(37_800_500_000)));
    check("\" {\\\"a\\\": 1} \"", Json, Some(Datum::Json(Cow::Borrowed("{\"a\":1}"))));
    check("\" null \"", Json, Some(Datum::Null));
    check("\"NaN\"", Json, None);
    check("\"[1e999]\"", Json, None);
    check("\"YWJj==\"", Binary, Some(Datum::Bytes(b"abc".to_vec())));
    check("\"YWI==\"", Binary, None);
    check("\"\\u001f 5 \"", Bigint, Some(Datum::Int(5)));
    check("\"0x-0\"", Double, Some(Datum::Double(0.0)));
    check("\"[1,]\"", Json, None);
}

#[test]
fn precision_truncates_instants_and_limits_decimals() {
    let kind = |data_type, precision, scale| Kind { precision, scale, ..Kind::of(data_type) };
    let check =
        |text: &str, kind: &Kind, expect| assert_eq!(coerce(&Scalar::Text(text), kind), expect);
    let millis = kind(DataType::Timestamp, Some(3), None);
    check("1969-12-31T23:59:59.9999Z", &millis, Some(Datum::Micros(-1000)));
    check("00:00:01.9", &kind(DataType::Time, Some(0), None), Some(Datum::TimeMicros(1_000_000)));
    check("99.95", &kind(DataType::Decimal, Some(4), Some(2)), Some(Datum::Decimal(9995)));
    check("100", &kind(DataType::Decimal, Some(4), Some(2)), None);
    check("1.5", &kind(DataType::Decimal, Some(20), None), Some(Datum::Decimal(1_500_000_000)));
    check("1.5", &kind(DataType::Wei, None, Some(1)), Some(Datum::Decimal(15)));
}

#[test]
fn json_in_a_text_column_has_numbers_as_dlt_writes_them() {
    let check = |json: &str, expect: &str| {
        let datum = coerce(&Scalar::Json(json), &Kind::of(DataType::Text));
        assert_eq!(datum, Some(Datum::Text(Cow::Borrowed(expect))), "{json}");
    };
    check("[1, 2]", "[1,2]");
    check(
        r#"[1.50, 1.5e-07, -0.0, -0, 1E2, {"a-0.10": "1.0e5"}, 2e22]"#,
        r#"[1.5,1.5e-7,-0.0,0,100.0,{"a-0.10":"1.0e5"},2e+22]"#,
    );
    check("[-0,99999999999999999999,1e999]", "[0,99999999999999999999,1e999]");
}
