//! Words, names and prose.

use super::random::Random;

/// Words that sentences are made of.
pub(crate) const WORDS: &[&str] = &[
    "account", "adapter", "after", "alert", "answer", "archive", "audit", "backup", "balance",
    "basket", "batch", "before", "binary", "block", "border", "branch", "bridge", "broker",
    "bucket", "budget", "build", "button", "cache", "calendar", "canary", "change", "checkout",
    "client", "cluster", "column", "commit", "config", "contract", "cursor", "customer", "daemon",
    "database", "deadline", "delivery", "deploy", "device", "dialog", "digest", "domain", "draft",
    "driver", "email", "engine", "error", "event", "export", "failure", "fallback", "feature",
    "field", "filter", "folder", "format", "gateway", "header", "history", "import", "index",
    "input", "invoice", "journal", "kernel", "label", "latency", "layout", "ledger", "level",
    "limit", "listing", "locale", "margin", "memory", "merge", "message", "metric", "mirror",
    "mobile", "module", "monitor", "network", "notice", "object", "offset", "order", "output",
    "owner", "package", "page", "parser", "patch", "payment", "pipeline", "policy", "portal",
    "process", "product", "profile", "queue", "quota", "record", "refund", "region", "release",
    "report", "request", "retry", "review", "rollback", "router", "sample", "schema", "search",
    "secret", "sensor", "server", "session", "shard", "signal", "socket", "source", "sprint",
    "stage", "status", "storage", "stream", "summary", "switch", "table", "target", "template",
    "thread", "ticket", "timeout", "token", "trace", "update", "upload", "user", "value", "vendor",
    "version", "volume", "wallet", "warning", "widget", "window", "worker", "zone",
];

const GIVEN: &[&str] = &[
    "Agnes",
    "Amir",
    "Anaïs",
    "Bao",
    "Carla",
    "Chiara",
    "Daniel",
    "Elif",
    "Emil",
    "François",
    "Greta",
    "Hana",
    "Ines",
    "Jakub",
    "Jörg",
    "Kofi",
    "Lena",
    "Luca",
    "Maja",
    "Noah",
    "Olga",
    "Priya",
    "Rania",
    "Sören",
    "Tomás",
    "Uma",
    "Viktor",
    "Yara",
    "Zoltán",
];

const FAMILY: &[&str] = &[
    "Almeida",
    "Bauer",
    "Çelik",
    "Dahl",
    "Eriksen",
    "Fischer",
    "Gruber",
    "Horváth",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lefèvre",
    "Mayr",
    "Nguyen",
    "Okafor",
    "Peña",
    "Quinn",
    "Rossi",
    "Šimić",
    "Tanaka",
    "Ulrich",
    "Varga",
    "Weber",
    "Yılmaz",
    "Zimmermann",
];

/// A given and a family name.
pub(crate) fn name(r: &mut Random) -> (&'static str, &'static str) {
    (r.pick(GIVEN), r.pick(FAMILY))
}

/// A name as logins and addresses have it: lower case ASCII letters only.
pub(crate) fn ascii(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase()
}

/// From `low` to `high` words.
pub(crate) fn words(r: &mut Random, low: usize, high: usize) -> String {
    let mut text = String::new();
    for at in 0..r.count(low, high) {
        if at > 0 {
            text.push(' ');
        }
        text.push_str(r.pick(WORDS));
    }
    text
}

/// From `low` to `high` words with a capital and a full stop.
pub(crate) fn sentence(r: &mut Random, low: usize, high: usize) -> String {
    let mut text = capital(&words(r, low, high));
    text.push('.');
    text
}

/// From `low` to `high` sentences; now and then with characters that JSON escapes, with letters
/// beyond ASCII and with characters beyond the basic plane.
pub(crate) fn prose(r: &mut Random, low: usize, high: usize) -> String {
    let mut text = String::new();
    for at in 0..r.count(low, high) {
        if at > 0 {
            text.push(' ');
        }
        text.push_str(&sentence(r, 5, 16));
        match r.below(100) {
            0..6 => text.push_str(&format!(
                " Compare \"{}\" with C:\\{}.",
                r.pick(WORDS),
                r.pick(WORDS)
            )),
            6..9 => text.push_str(" Déjà vu – größer als 5 µs …"),
            9 => text.push_str(" 🚀"),
            10..16 => text.push_str(&format!("\r\n* {}", words(r, 2, 6))),
            16 => text.push_str("\tok"),
            _ => {}
        }
    }
    text
}

/// The same text, its first letter a capital.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
