//! Bearer tokens: fetched when needed, kept while valid, and dropped when a source rejects them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use ureq::Agent;
use ureq::http::Uri;

use super::secrets::KnownSecrets;
use super::target::{check, encoded};
use crate::credentials::{Credentials, Origin, Secret, TokenRequest, basic};
use crate::interface::Failure;

/// The tokens of a client, by credential.
#[derive(Default)]
pub(super) struct ClientTokens(Mutex<BTreeMap<String, Kept>>);

#[derive(Default)]
struct Kept {
    /// The token, and the end of its validity.
    token: Option<(Secret, Instant)>,
    /// The refresh token that replaces the one of the secret.
    refresh: Option<Secret>,
}

/// The client that fetches tokens.
pub(super) struct TokenClient<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) known: &'a KnownSecrets,
    pub(super) agent: &'a dyn Fn(&Origin) -> Result<&'a Agent, String>,
}

/// The validity of a token in seconds if the server states none.
const USUAL: f64 = 3600.0;
/// The time before the end of its validity at which a token is dropped, for requests in flight: 30
/// s or a tenth of the validity, whichever is less.
const MARGIN: f64 = 30.0;

impl ClientTokens {
    /// Drops a token that a source rejected, unless there is a newer one.
    pub(super) fn forget(&self, credential: &str, refused: &Secret) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = tokens.get_mut(credential)
            && kept.token.as_ref().is_some_and(|(token, _)| token == refused)
        {
            kept.token = None;
        }
    }

    /// Returns the bearer token of a credential. Fetches one if there is none, or it is about to
    /// expire.
    pub(super) fn bearer(
        &self,
        credential: &str,
        wanted: &TokenRequest,
        client: &TokenClient<'_>,
    ) -> Result<Secret, Failure> {
        // The lock is held while fetching: of several concurrent requests, one fetches.
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = tokens.entry(credential.to_owned()).or_default();
        if let Some((token, expiry)) = &kept.token
            && Instant::now() < *expiry
        {
            return Ok(token.clone());
        }
        let failed = |why: String, transient| Failure {
            code: String::new(),
            message: format!(
                "the token of the credential {credential}: {}",
                client.known.scrub(why)
            ),
            transient,
        };
        let uri: Uri = wanted.url.parse().map_err(|_| failed("not a URL".to_owned(), false))?;
        let origin = check(&uri).map_err(|why| failed(why, false))?;
        if !client.credentials.is_for(credential, &origin) {
            return Err(failed(format!("the credential is not for the host {origin}"), false));
        }
        let refresh = wanted.refresh.as_ref().map(|given| kept.refresh.as_ref().unwrap_or(given));
        if let Some(refresh) = refresh {
            client.known.learn(credential, "refresh", refresh.clone());
        }
        client.known.learn(credential, "client", wanted.secret.clone());
        let coded = |secret: &Secret| Secret::new(encoded(secret.reveal()));
        let header = wanted.basic.then(|| {
            let (id, secret) = (coded(&wanted.id), coded(&wanted.secret));
            let pair = Secret::new(format!("{}:{}", id.reveal(), secret.reveal()));
            let header = basic(&id, &secret);
            client.known.learn(credential, "coded", pair);
            client.known.learn(credential, "quoted", secret);
            header
        });
        let agent = (client.agent)(&origin).map_err(|why| failed(why, false))?;
        let fetched = fetch(agent, uri, &form(wanted, refresh), header)
            .map_err(|(why, transient)| failed(why, transient))?;
        if let Some(refresh) = &fetched.refresh {
            client.known.learn(credential, "refresh", refresh.clone());
        }
        kept.refresh = fetched.refresh.or_else(|| kept.refresh.take());
        kept.token = fetched.until.map(|until| (fetched.token.clone(), until));
        Ok(fetched.token)
    }
}

/// A fetched token.
pub(crate) struct Fetched {
    /// The token, to be sent as `Bearer`.
    pub(crate) token: Secret,
    /// The end of its validity minus a margin for requests in flight.
    pub(crate) until: Option<Instant>,
    /// The refresh token of the same response.
    pub(crate) refresh: Option<Secret>,
}

/// Requests a token with a form. An error has the reason, and whether to retry; it quotes neither
/// the form nor the response.
pub(crate) fn fetch(
    agent: &Agent,
    uri: Uri,
    form: &[(&str, &str)],
    authorization: Option<String>,
) -> Result<Fetched, (String, bool)> {
    let mut request = agent.post(uri).header("accept", "application/json");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let sent = request.send_form(form.iter().copied());
    let mut response = sent.map_err(|e| (e.to_string(), is_transient(&e)))?;
    let status = response.status();
    // These errors could quote the response, which is the secret.
    let unfit = |_| ("expected an object with an access_token".to_owned(), false);
    let body = response.body_mut().read_to_vec().map_err(|_| unfit(()))?;
    if !status.is_success() {
        let transient = status.is_server_error() || status == 429;
        return Err((format!("the server said {}{}", status.as_u16(), reason(&body)), transient));
    }
    let answer: TokenResponse = serde_json::from_slice(&body).map_err(|_| unfit(()))?;
    if answer.access_token.is_empty() {
        return Err(unfit(()));
    }
    let lasts = answer.expires_in.as_deref().and_then(seconds).unwrap_or(USUAL);
    let lasts = Duration::try_from_secs_f64(lasts - MARGIN.min(lasts / 10.0));
    Ok(Fetched {
        token: Secret::new(answer.access_token),
        until: lasts.ok().and_then(|lasts| Instant::now().checked_add(lasts)),
        refresh: answer.refresh_token.map(Secret::new),
    })
}

/// The parameters: those of the job take precedence over the usual ones.
fn form<'a>(wanted: &'a TokenRequest, refresh: Option<&'a Secret>) -> Vec<(&'a str, &'a str)> {
    let grant = if refresh.is_some() { "refresh_token" } else { "client_credentials" };
    let mut form = vec![("grant_type", grant)];
    if !wanted.basic {
        form.push(("client_id", wanted.id.reveal()));
        form.push(("client_secret", wanted.secret.reveal()));
    }
    form.extend(refresh.map(|token| ("refresh_token", token.reveal())));
    form.retain(|(name, _)| !wanted.data.contains_key(*name));
    form.extend(wanted.data.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    form
}

#[derive(serde::Deserialize)]
struct TokenResponse {
    access_token: String,
    /// Kept as text, because the number may exceed every type.
    expires_in: Option<Box<RawValue>>,
    refresh_token: Option<String>,
}

/// Some servers send the number as a string.
fn seconds(value: &RawValue) -> Option<f64> {
    let number: f64 =
        value.get().trim_matches(|c: char| c == '"' || c.is_whitespace()).parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// Returns the error code (RFC 6749, section 5.2); no other part of the response is shown.
fn reason(body: &[u8]) -> String {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match answer.get("error").and_then(serde_json::Value::as_str) {
        Some(word)
            if word.len() <= 40 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') =>
        {
            format!(" ({word})")
        }
        _ => String::new(),
    }
}

/// Returns `true` if another attempt may succeed.
pub(crate) fn is_transient(error: &ureq::Error) -> bool {
    match error {
        // An invalid certificate is reported as invalid data.
        ureq::Error::Io(error) => error.kind() != io::ErrorKind::InvalidData,
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound | ureq::Error::Timeout(_) => true,
        _ => false,
    }
}
