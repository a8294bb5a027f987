//! The instant at which a load begins, and the load id made of it.
//!
//! Source: dlt 1.31, `common/storages/load_package.py`, `create_load_id`.

use std::fmt;

use crate::fault::{Fault, Result};

/// An instant: microseconds since 1970 in UTC, not negative.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Instant(i64);

impl Instant {
    /// Parses RFC 3339 with an offset; truncates to microseconds.
    ///
    /// # Errors
    /// A config fault for any other text, or a time before 1970.
    pub(crate) fn parse(now: &str) -> Result<Self> {
        let fault = |why: &dyn fmt::Display| {
            Fault::config(format_args!(
                "expected the current instant (RFC 3339 with an offset), found {now:?}: {why}"
            ))
        };
        let time = chrono::DateTime::parse_from_rfc3339(now).map_err(|e| fault(&e))?;
        let micros = time.timestamp_micros();
        if micros < 0 { Err(fault(&"it is before 1970")) } else { Ok(Self(micros)) }
    }

    /// Microseconds since 1970 in UTC.
    pub(crate) const fn micros(self) -> i64 {
        self.0
    }

    /// The later of this instant and the one after `last` microseconds, in case the clock is late.
    #[must_use]
    pub(crate) fn after(self, last: Option<i64>) -> Self {
        Self(last.map_or(self.0, |last| self.0.max(last.saturating_add(1))))
    }

    /// The instant as date and time.
    pub(crate) fn to_utc(self) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

/// The id of a load in `_dlt_loads`: seconds since 1970.
///
/// dlt takes the state with the greatest load id for the newest, and the database compares ids as
/// text. So an id must be greater than the previous one, both as a number and as text.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct LoadId(String);

impl LoadId {
    /// The id of a load that begins now. It is greater than `last`, even if the clock is late.
    ///
    /// # Errors
    /// A destination fault if `last` is not an id of dlt.
    pub(crate) fn new(now: Instant, last: Option<&str>) -> Result<Self> {
        let mut micros = now.micros();
        if let Some(last) = last {
            let last = whole_micros(last).filter(|micros| *micros < END).ok_or_else(|| {
                Fault::destination(format_args!(
                    "expected seconds since 1970, before {}, as the greatest load_id of _dlt_loads, found {last:?}: no load \
                     comes after it. If no load made that row, delete it there and in _dlt_pipeline_state",
                    END / 1_000_000
                ))
            })?;
            // dlt's ids may be finer than a microsecond: the next whole one is greater than all of
            // them.
            micros = micros.max(last.saturating_add(1));
        }
        Ok(Self::of(micros))
    }

    /// An id before all others: that of a row that only serves as a lock.
    #[must_use]
    pub(crate) fn none() -> Self {
        Self("0".to_owned())
    }

    /// The next id after this one.
    #[must_use]
    pub(crate) fn next(&self) -> Self {
        Self::of(whole_micros(&self.0).unwrap_or(0).saturating_add(1))
    }

    /// The first id from this one on whose microseconds have this remainder. Loads that run at once, and have
    /// different remainders, have different ids.
    #[must_use]
    pub(crate) fn with_remainder(&self, remainder: i64, of: i64) -> Self {
        let (micros, of) = (self.micros(), of.max(1));
        Self::of(micros.saturating_add((remainder - micros).rem_euclid(of)))
    }

    fn of(micros: i64) -> Self {
        Self(format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000))
    }

    /// Its instant: microseconds since 1970 in UTC.
    pub(crate) fn micros(&self) -> i64 {
        whole_micros(&self.0).unwrap_or_default()
    }

    /// Its instant.
    pub(crate) fn instant(&self) -> Instant {
        Instant(self.micros())
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LoadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first microsecond whose id has one digit more: as text it sorts before the others.
const END: i64 = 10_000_000_000 * 1_000_000;

/// The microseconds in a text of seconds, truncated.
fn whole_micros(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let seconds: i64 = seconds.parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_later_than_the_last_load() {
        let check = |now: i64, last: Option<i64>, expect: i64| {
            assert_eq!(Instant(now).after(last), Instant(expect));
        };
        check(5, None, 5);
        check(5, Some(4), 5);
        check(5, Some(5), 6);
        check(5, Some(9), 10);
        check(5, Some(i64::MAX), i64::MAX);
        let id = LoadId("1795219440.999999".to_owned());
        assert_eq!(id.next().as_str(), "1795219441.000000");
        for (remainder, expect) in [(9, "0.999999"), (0, "1.000000"), (8, "1.000008")] {
            let id = LoadId("1795219440.999999".to_owned()).with_remainder(remainder, 10);
            assert_eq!(id.as_str(), format!("179521944{expect}"));
        }
    }

    #[test]
    fn counts_up() {
        let check = |now: &str, last: Option<&str>, expect: &str| {
            let id = Instant::parse(now).and_then(|now| LoadId::new(now, last));
            assert_eq!(id.map_or_else(|f| f.to_string(), |id| id.0), expect, "{now} {last:?}");
        };
        let now = "2026-11-21T00:04:00.318528+00:00";
        check(now, None, "1795219440.318528");
        check("2026-11-21T01:04:00.3185289+01:00", None, "1795219440.318528");
        check("2026-11-21T00:04:00Z", None, "1795219440.000000");
        check(now, Some("1795219440.3185279"), "1795219440.318528");
        check(now, Some("1795219440.318528"), "1795219440.318529");
        check(now, Some("1795219440.3185287"), "1795219440.318529");
        check(now, Some("1795219440.9999999"), "1795219441.000000");
        check(now, Some("1795219440"), "1795219440.318528");
        check(now, Some("1795219441.5"), "1795219441.500001");
        check(now, Some("9999999999.999998"), "9999999999.999999");
        let refused =
            ["", "1.", ".5", "x", "1e9", "-1.0", "99999999999999999999", "9223372036854.775807"];
        for last in refused.into_iter().chain(["10000000000.0"]) {
            let found = Instant::parse(now).and_then(|now| LoadId::new(now, Some(last)));
            let fault = found.map(|id| id.0).unwrap_err().to_string();
            let expect = "expected seconds since 1970, before 10000000000, as the greatest load_id of _dlt_loads, found ";
            assert!(fault.starts_with(&format!("{expect}{last:?}")), "{fault}");
        }
        check(
            "2026-11-21 00:04",
            None,
            "expected the current instant (RFC 3339 with an offset), found \"2026-11-21 00:04\": \
             premature end of input",
        );
        check(
            "1969-12-31T23:59:59Z",
            None,
            "expected the current instant (RFC 3339 with an offset), found \"1969-12-31T23:59:59Z\": \
             it is before 1970",
        );
    }
}
