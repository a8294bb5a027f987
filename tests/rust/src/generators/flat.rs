//! Flat records: an export of orders. Two integers, one decimal number, one boolean, two instants and
//! four texts, one of which is often null.

use serde_json::{Value, json};

use super::random::Random;
use super::text::{name, words};
use super::time::utc_millis;

const PURPOSE: u64 = 1;
const FIRST_ORDER: i64 = 1_730_000_000_000;
const COUNTRIES: &[&str] = &[
    "AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "HU", "IE", "IT", "NL", "NO", "PL",
    "PT", "SE", "SI", "US",
];

/// The order at this index.
pub fn record(seed: u64, index: u64) -> Value {
    let r = &mut Random::new(seed, PURPOSE, index);
    let created = FIRST_ORDER + index as i64 * 7000 + r.between(0, 6999);
    let (given, family) = name(r);
    json!({
        "id": 1_000_000 + index,
        "order_uuid": r.uuid(),
        "created_at": utc_millis(created),
        "updated_at": utc_millis(created + r.between(0, 10 * 86_400_000)),
        "customer_name": format!("{given} {family}"),
        "country": r.pick(COUNTRIES),
        "amount": (r.log_normal(3.5, 1.2) * 100.0).round().max(1.0) / 100.0,
        "quantity": r.between(1, 40),
        "is_paid": r.chance(0.83),
        "note": r.chance(0.6).then(|| words(r, 3, 12)),
    })
}
