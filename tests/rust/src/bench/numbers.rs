//! Numbers of several measurements.

use serde_json::Value;

/// The median: the mean of the middle two for an even count, or zero for no values.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values = values.into_iter().collect::<Vec<_>>();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    f64::midpoint(at(values.len().saturating_sub(1) / 2), at(values.len() / 2))
}

/// Rounded to four digits: the measurements are not more precise.
pub(super) fn rounded(value: f64) -> Value {
    ((value * 10_000.0).round() / 10_000.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_in_the_middle() {
        for (values, expected) in
            [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 3.0], 2.5), (vec![7.0], 7.0)]
        {
            assert_eq!(median(values), expected);
        }
    }
}
