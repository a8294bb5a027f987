//! Detects secrets in a text, in all forms in which servers quote a request.
//!
//! The forms are: the secret itself; base64 (both alphabets, padded or not, alone or as a part of
//! the encoded text); hexadecimal; each of these with the escapes of JSON, Python and C, HTML's
//! entities or percent encoding, up to three times; and wrapped base64. Errors may also have the
//! beginning of a long secret. The procedure applies the same rule
//! (`procedures/handler/snowcat_echo.py`), and `tests/data/network/cases.json` tests both.

mod escapes;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) use self::escapes::{json, percent};
use crate::credentials::{SHORTEST, Secret};

/// The replacement of a text with a secret.
pub(super) const NOT_SHOWN: &str = "(not shown: the answer quotes a credential)";
/// The minimum length of a secret in messages, in characters.
pub(super) const LEAST: usize = SHORTEST;
/// The minimum length in data, which may contain shorter ones by chance.
pub(super) const LEAST_IN_DATA: usize = 8;
/// The number of layers of escapes that are removed.
const ROUNDS: usize = 3;
/// The minimum length of a long secret, in characters ..
const LONG: usize = 20;
/// .. whose beginning of this length counts as a secret in errors, which truncate texts.
const BEGINNING: usize = 12;
/// The minimum length of lines of wrapped base64.
const COLUMNS: usize = 60;

/// A secret, prepared for the search.
pub(super) struct Needles {
    secret: Secret,
    needles: Vec<String>,
    /// The longest part of each needle that no escape changes.
    parts: Vec<String>,
}

impl Needles {
    pub(super) fn new(secret: Secret) -> Self {
        let text = secret.reveal();
        let bytes = text.as_bytes();
        let mut needles = vec![text.to_owned(), text.replace(' ', "+")];
        let (mut coded, mut parts) = (Vec::new(), Vec::new());
        // The number of bytes before it, which changes the first characters.
        for ahead in 0..3_usize {
            let mut data = vec![0; ahead];
            data.extend_from_slice(bytes);
            let whole = STANDARD.encode(&data);
            let inner = whole.get((8 * ahead).div_ceil(6)..8 * data.len() / 6).unwrap_or_default();
            for inner in [inner.to_owned(), inner.replace('+', "-").replace('/', "_")] {
                if inner.len() >= LEAST {
                    // It is wrapped at most once, so one half is complete.
                    let run = longest(&inner);
                    let run = run.get(..COLUMNS).unwrap_or(&run);
                    let (left, right) = run.split_at(run.len() / 2);
                    parts.extend([left.to_owned(), right.to_owned()]);
                }
                coded.push(inner);
            }
        }
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        needles.extend([hex.to_uppercase(), hex]);
        parts.extend(needles.iter().filter(|it| it.len() >= LEAST).map(|it| longest(it)));
        needles.extend(coded);
        needles.retain(|needle| needle.len() >= LEAST);
        for list in [&mut needles, &mut parts] {
            list.sort();
            list.dedup();
        }
        Self { secret, needles, parts }
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Returns `false` if the text certainly has none. This check is fast, because most texts have
    /// none.
    fn may_be_in(&self, text: &str) -> bool {
        self.parts.iter().any(|part| part.len() < LEAST || text.contains(part))
    }
}

/// Returns `true` if the text has one of the secrets in any form. Shorter ones than `least` are not
/// searched for.
pub(super) fn holds(text: &str, secrets: &[Arc<Needles>], least: usize) -> bool {
    let known: Vec<&Needles> = secrets
        .iter()
        .map(Arc::as_ref)
        .filter(|it| it.secret.reveal().chars().count() >= least)
        .collect();
    if known.is_empty() || !(known.iter().any(|it| it.may_be_in(text)) || escapes::dense(text)) {
        return false;
    }
    let quoted = |text: &str| known.iter().flat_map(|it| &it.needles).any(|n| text.contains(n));
    let found = |text: &str| quoted(text) || escapes::unwrapped(text).is_some_and(|it| quoted(&it));
    if found(text) {
        return true;
    }
    let mut text = text.to_owned();
    for _ in 0..ROUNDS {
        let mut changed = false;
        for unescape in [json, escapes::html, percent] {
            if let Some(plain) = unescape(&text) {
                if found(&plain) {
                    return true;
                }
                (text, changed) = (plain, true);
            }
        }
        if !changed {
            return false;
        }
    }
    false
}

/// The secrets, and the beginnings of long ones; a user name before a secret is not a secret.
pub(super) fn shortened(secrets: &[Arc<Needles>]) -> Vec<Arc<Needles>> {
    let paired = |text: &str| {
        secrets.iter().map(|it| it.secret.reveal()).any(|other| {
            text.strip_suffix(other).is_some_and(|user| user.ends_with(':'))
                || text.strip_prefix(other).is_some_and(|password| password.starts_with(':'))
        })
    };
    let texts = secrets.iter().map(|it| it.secret.reveal());
    let long = texts.filter(|it| it.chars().count() >= LONG && !paired(it));
    let beginnings = long.map(|it| Secret::new(it.chars().take(BEGINNING).collect()));
    secrets.iter().cloned().chain(beginnings.map(|it| Arc::new(Needles::new(it)))).collect()
}

/// Replaces the plain secrets in the text by `***`, or the whole text if another form remains.
pub(super) fn hide(mut text: String, secrets: &[Arc<Needles>]) -> String {
    for secret in secrets.iter().map(|it| it.secret.reveal()).filter(|it| it.len() >= LEAST) {
        if text.contains(secret) {
            text = text.replace(secret, "***");
        }
    }
    if holds(&text, &shortened(secrets), LEAST) { NOT_SHOWN.to_owned() } else { text }
}

/// Replaces the value of this parameter (whose name is as in a URL) by `***` in links to the next
/// page, which may be in JSON or HTML.
pub(super) fn hide_parameter(text: String, name: &str, value: &str) -> String {
    if !text.contains(name) {
        return text;
    }
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text.as_str();
    // The maximum length of the encoded value: three bytes for each, and a JSON escape for each of
    // these.
    let most = 18 * value.len();
    while let Some((before, after)) = rest.split_once(name) {
        hidden.push_str(before);
        hidden.push_str(name);
        rest = after;
        let mut signs = ["=", "\\u003d", "\\u003D"].into_iter();
        let Some((sign, after)) = signs.find_map(|sign| Some((sign, after.strip_prefix(sign)?)))
        else {
            continue;
        };
        let (found, behind) = after.split_at(value_len(after));
        hidden.push_str(sign);
        rest = behind;
        if found.len() > most {
            hidden.push_str(found);
            continue;
        }
        let plain = json(found).unwrap_or_else(|| found.to_owned());
        let spaced = plain.replace('+', " ");
        let is = |text: &str| text == value || percent(text).is_some_and(|text| text == value);
        hidden.push_str(if is(&plain) || is(&spaced) { "***" } else { found });
    }
    hidden.push_str(rest);
    hidden
}

/// The length of a parameter's value: to the next parameter, or the end of the link.
fn value_len(text: &str) -> usize {
    let ends =
        |c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'' | '<' | '>' | '#' | '\\');
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let (_, rest) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        at = text.len() - rest.len();
        if rest.starts_with("\\/") {
            at += 2;
        } else if let Some(code) = rest.strip_prefix("\\u00").and_then(|it| it.get(..2))
            && u8::from_str_radix(code, 16)
                .is_ok_and(|c| !matches!(c, b'&' | b'"' | b'\'' | b'<' | b'>'))
        {
            at += 6;
        } else {
            return at;
        }
    }
}

/// The longest run of letters and digits.
fn longest(text: &str) -> String {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    runs.max_by_key(|run| run.len()).unwrap_or_default().to_owned()
}
