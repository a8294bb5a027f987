//! Fixed-point numbers, parsed digit by digit without floats.

/// The maximum number of digits of Snowflake's NUMBER. An `i128` holds them.
const MAX_DIGITS: u32 = 38;

/// The number times ten to the power of `scale`. `None` if it has more than `precision` digits in
/// total, or a digit other than zero after the scale. `number` is an ASCII number as in JSON or
/// Python: `-12`, `.5`, `5.`, `1.5e-3`.
pub(super) fn scaled(number: &str, (precision, scale): (u32, u32)) -> Option<i128> {
    let (negative, unsigned) = match number.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (mantissa, exponent) = match unsigned.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (unsigned.get(..at)?, exponent(unsigned.get(at + 1..)?)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (mantissa.get(..at)?, mantissa.get(at + 1..)?),
        None => (mantissa, [].as_slice()),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // Trailing zeros are held back until another digit follows, so that they neither count nor
    // overflow. `shift` is the power of ten of the last digit used.
    let mut value: i128 = 0;
    let mut digits = 0;
    let mut held = 0;
    for byte in whole.iter().chain(fraction) {
        let digit = byte.wrapping_sub(b'0');
        match digit {
            0 if value == 0 => {}
            0 => held += 1,
            1..=9 => {
                digits += held + 1;
                if digits > MAX_DIGITS {
                    // From here on the digits are only checked for validity.
                    held = 0;
                    continue;
                }
                value = value * 10_i128.pow(held + 1) + i128::from(digit);
                held = 0;
            }
            _ => return None,
        }
    }
    if value == 0 {
        return Some(0);
    }
    let shift =
        i64::from(held) + exponent + i64::from(scale) - i64::try_from(fraction.len()).ok()?;
    let shift = u32::try_from(shift).ok()?;
    if digits.checked_add(shift)? > precision.min(MAX_DIGITS) {
        return None;
    }
    let value = value * 10_i128.pow(shift);
    Some(if negative { -value } else { value })
}

/// The value of an exponent. One that is too large for any number is clamped.
fn exponent(digits: &[u8]) -> Option<i64> {
    const TOO_LARGE: i64 = i32::MAX as i64;
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0, |value: i64, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| (value * 10 + i64::from(digit)).min(TOO_LARGE))
    })?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |number: &str, limits, expect| {
            assert_eq!(scaled(number, limits), expect, "{number:?} as {limits:?}");
        };
        check("0", (38, 9), Some(0));
        check("-0.0", (38, 9), Some(0));
        check("0e999999999999999999999", (38, 9), Some(0));
        check("1.5", (38, 9), Some(1_500_000_000));
        check("-2.50", (4, 1), Some(-25));
        check("+.5", (38, 1), Some(5));
        check("5.", (38, 0), Some(5));
        check("1e3", (38, 0), Some(1000));
        check("1500e-3", (38, 1), Some(15));
        check("0.000000001", (38, 9), Some(1));
        check("0.0000000010", (38, 9), Some(1));
        check("0.0000000001", (38, 9), None);
        check("9007199254740993.123456789", (38, 9), Some(9_007_199_254_740_993_123_456_789));
        check(&"9".repeat(38), (38, 0), Some(10_i128.pow(38) - 1));
        check(&format!("-{}", "9".repeat(38)), (38, 0), Some(1 - 10_i128.pow(38)));
        check(&"9".repeat(29), (38, 9), Some((10_i128.pow(29) - 1) * 10_i128.pow(9)));
        check(&"9".repeat(30), (38, 9), None);
        check("1e38", (38, 0), None);
        check("1e37", (38, 0), Some(10_i128.pow(37)));
        check("100000000000000000000000000000000000000.0e-1", (38, 0), Some(10_i128.pow(37)));
        check("999", (3, 0), Some(999));
        check("1000", (3, 0), None);
        check("99.95", (4, 2), Some(9995));
        check("100", (4, 2), None);
        check("1e999999999999999999999", (38, 9), None);
        check("1e-999999999999999999999", (38, 9), None);
        check(&"7".repeat(500), (38, 9), None);
        check(&format!("1{}", "0".repeat(500)), (38, 9), None);
        check(&format!("1.{}", "0".repeat(500)), (38, 9), Some(1_000_000_000));
        for number in
            ["", "-", ".", "e1", "1e", "1e+", "1.2.3", "--1", "1 ", "inf", "NaN", "1_0", "0x1"]
        {
            check(number, (38, 9), None);
        }
        // A text with too many digits is still checked for validity.
        check(&format!("{}x", "7".repeat(50)), (38, 9), None);
    }
}
