//! Values JSON has no type for: dlt writes their text behind a private use character.
//!
//! Source: dlt 1.31, `common/json/__init__.py` (`custom_pua_encode`, `DECODERS`).

use serde_json::Value;

/// The first of the characters.
const FIRST: u32 = 0xf026;

/// What kind of value a marked text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tag {
    /// A fixed-point number: `1.50`.
    Decimal,
    /// A point in time, ISO 8601; a wall clock reading when it has no offset.
    DateTime,
    /// A calendar date, ISO 8601.
    Date,
    /// A UUID.
    Uuid,
    /// Bytes, `0x` and hexadecimal digits.
    HexBytes,
    /// Bytes in base64.
    Base64,
    /// A whole number of up to 256 bits.
    Wei,
    /// A time of day, ISO 8601.
    Time,
}

impl Tag {
    /// All of them in the order of their characters.
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

    /// The tag of a text and what is behind it; none for a text that is just a text.
    pub fn split(text: &str) -> Option<(Self, &str)> {
        let mut chars = text.chars();
        let place = u32::from(chars.next()?).checked_sub(FIRST)?;
        let tag = Self::ALL.get(usize::try_from(place).ok()?)?;
        // dlt takes the mark alone for a text.
        (!chars.as_str().is_empty()).then_some((*tag, chars.as_str()))
    }

    /// The text with this tag in front.
    pub fn mark(self, text: &str) -> String {
        let place = Self::ALL.iter().position(|tag| *tag == self).unwrap_or_default();
        let place = u32::try_from(place).unwrap_or_default();
        let mark = char::from_u32(FIRST + place);
        mark.into_iter().chain(text.chars()).collect()
    }

    /// A value without its tag, if it has one: what records of JSON hold, and can be compared with.
    pub fn strip(value: &Value) -> Value {
        match value.as_str().and_then(Self::split) {
            Some((_, text)) => text.into(),
            None => value.clone(),
        }
    }

    /// A new value with the tag an old one has: when a text takes the place of a point in time, dlt
    /// must find a point in time again.
    pub fn like(old: &Value, new: Value) -> Value {
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
    fn keeps_the_tag_of_what_was_there() {
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
