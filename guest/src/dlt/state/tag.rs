//! Values of types that JSON lacks: dlt writes their text after a private use character.
//!
//! Source: dlt 1.31, `common/json/__init__.py` (`custom_pua_encode`, `DECODERS`).

use serde_json::Value;

/// The first of the characters.
const FIRST: u32 = 0xf026;

/// The type of a tagged text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tag {
    /// A fixed-point number: `1.50`.
    Decimal,
    /// An ISO 8601 date and time; without an offset it is local time.
    DateTime,
    /// A calendar date, ISO 8601.
    Date,
    /// A UUID.
    Uuid,
    /// Bytes, `0x` and hexadecimal digits.
    HexBytes,
    /// Bytes in base64.
    Base64,
    /// An integer of up to 256 bits.
    Wei,
    /// A time of day, ISO 8601.
    Time,
}

impl Tag {
    /// All tags in the order of their characters.
    const ALL: [Self; 8] = [
        Self::Decimal,
        Self::DateTime,
        Self::Date,
        Self::Uuid,
        Self::HexBytes,
        Self::Base64,
        Self::Wei,
        Self::Time,
    ];

    /// Splits a text into its tag and the rest. `None` for a text without a tag.
    pub(crate) fn split(text: &str) -> Option<(Self, &str)> {
        let mut chars = text.chars();
        let place = u32::from(chars.next()?).checked_sub(FIRST)?;
        let tag = Self::ALL.get(usize::try_from(place).ok()?)?;
        // dlt takes the character alone for a text.
        (!chars.as_str().is_empty()).then_some((*tag, chars.as_str()))
    }

    /// Returns `true` if the tag marks numbers.
    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Decimal | Self::Wei)
    }

    /// Adds this tag to a text.
    pub(crate) fn mark(self, text: &str) -> String {
        let place = Self::ALL.iter().position(|tag| *tag == self).unwrap_or_default();
        let place = u32::try_from(place).unwrap_or_default();
        let mark = char::from_u32(FIRST + place);
        mark.into_iter().chain(text.chars()).collect()
    }

    /// A value without its tag, for comparison with values of records.
    pub(crate) fn strip(value: &Value) -> Value {
        match value.as_str().and_then(Self::split) {
            Some((_, text)) => text.into(),
            None => value.clone(),
        }
    }

    /// Adds the tag of an old value to a new one: dlt must find an instant where it stored an
    /// instant.
    pub(crate) fn like(old: &Value, new: Value) -> Value {
        match (old.as_str().and_then(Self::split), &new) {
            (Some((tag, _)), Value::String(text)) if Self::split(text).is_none() => {
                tag.mark(text).into()
            }
            _ => new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_marks() {
        let check = |text: &str, expect: Option<(Tag, &str)>| {
            assert_eq!(Tag::split(text), expect, "{text:?}");
            if let Some((tag, rest)) = expect {
                assert_eq!(tag.mark(rest), text);
            }
        };
        check("\u{f026}1.50", Some((Tag::Decimal, "1.50")));
        check(
            "\u{f027}2024-01-01T00:00:00+00:00",
            Some((Tag::DateTime, "2024-01-01T00:00:00+00:00")),
        );
        check("\u{f02d}10:00:00", Some((Tag::Time, "10:00:00")));
        check("\u{f02e}x", None);
        check("\u{f025}x", None);
        check("\u{f027}", None);
        check("x", None);
        check("", None);
    }

    #[test]
    fn new_value_gets_the_tag_of_the_old() {
        let check = |old: &str, new: Value, expect: Value| {
            assert_eq!(Tag::like(&old.into(), new.clone()), expect, "{old:?} {new}");
        };
        check("\u{f028}2024-01-01", "2024-01-02".into(), "\u{f028}2024-01-02".into());
        check("2024-01-01", "2024-01-02".into(), "2024-01-02".into());
        check("\u{f026}1.5", 2.into(), 2.into());
        assert_eq!(Tag::strip(&"\u{f02c}7".into()), "7");
        assert_eq!(Tag::strip(&7.into()), 7);
    }
}
