//! Bearer tokens of clouds: fetched when needed, and kept while they are valid.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use ureq::http::Uri;

use super::wire::CloudClient;
use crate::cloud::exchange::{CloudFailure, now};
use crate::cloud::request::Ask;
use crate::credentials::Secret;
use crate::http::token::fetch;

/// A token with the grant to fetch it.
pub(super) struct BearerToken {
    grant: Grant,
    kept: Mutex<Option<(Secret, Instant)>>,
}

/// The grant of a token.
pub(super) enum Grant {
    /// The client's id and secret.
    Client { url: String, id: String, secret: Secret, scope: String },
    /// The refresh token of a person, stored by `gcloud auth application-default login`.
    Refresh { url: String, id: String, secret: Secret, refresh: Secret },
    /// The key of a service account, which signs an assertion (RFC 7523).
    Account { url: String, email: String, id: String, key: Box<RsaKeyPair> },
}

const GOOGLE: &str = "https://oauth2.googleapis.com/token";
const READ_ONLY: &str = "https://www.googleapis.com/auth/devstorage.read_only";

impl BearerToken {
    pub(super) fn new(grant: Grant) -> Self {
        Self { grant, kept: Mutex::default() }
    }

    /// Adds the token to a request. Returns the secrets that no error may contain.
    pub(super) fn add(
        &self,
        ask: &mut Ask,
        wire: &CloudClient,
    ) -> Result<Vec<Secret>, CloudFailure> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let token = match &*kept {
            Some((token, until)) if Instant::now() < *until => token.clone(),
            _ => {
                let fetched = self.grant.fetch(wire)?;
                *kept = fetched.until.map(|until| (fetched.token.clone(), until));
                fetched.token
            }
        };
        ask.headers.push(("authorization", format!("Bearer {}", token.reveal())));
        Ok(vec![token])
    }

    /// Forgets a token that was rejected. Returns `true` if there was one.
    pub(super) fn forget(&self) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

impl Grant {
    /// Parses the file whose path is in `GOOGLE_APPLICATION_CREDENTIALS`.
    pub(super) fn of_google_file(file: &str) -> Result<Self, CloudFailure> {
        let unfit = |why: &str| {
            CloudFailure::lasting(format!("the file in GOOGLE_APPLICATION_CREDENTIALS: {why}"))
        };
        let text = fs::read_to_string(file).map_err(|e| unfit(&e.to_string()))?;
        // The parser's error is not used, because it could quote the file.
        let value: Value = serde_json::from_str(&text).map_err(|_| unfit("expected JSON"))?;
        let part = |key: &str| {
            let found = value.get(key).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| unfit(&format!("expected a string in {key}")))
        };
        let url = part("token_uri").unwrap_or_else(|_| GOOGLE.to_owned());
        match part("type")?.as_str() {
            "service_account" => {
                let key = pair(&Secret::new(part("private_key")?));
                Ok(Self::Account {
                    url,
                    email: part("client_email")?,
                    id: part("private_key_id").unwrap_or_default(),
                    key: Box::new(key.ok_or_else(|| unfit("expected an RSA key in private_key"))?),
                })
            }
            "authorized_user" => Ok(Self::Refresh {
                url,
                id: part("client_id")?,
                secret: Secret::new(part("client_secret")?),
                refresh: Secret::new(part("refresh_token")?),
            }),
            _ => Err(unfit("expected the type service_account or authorized_user")),
        }
    }

    fn fetch(&self, wire: &CloudClient) -> Result<crate::http::token::Fetched, CloudFailure> {
        let (Self::Client { url, .. } | Self::Refresh { url, .. } | Self::Account { url, .. }) =
            self;
        let failed = |(why, transient): (String, bool)| CloudFailure {
            status: 0,
            transient,
            message: format!("the token for it: {why}"),
        };
        let uri: Uri = url.parse().map_err(|_| failed(("not a URL".to_owned(), false)))?;
        let agent = wire.agent(&uri).map_err(|why| failed((why, false)))?;
        let word;
        let form = match self {
            Self::Client { id, secret, scope, .. } => vec![
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret.reveal()),
                ("scope", scope),
            ],
            Self::Refresh { id, secret, refresh, .. } => vec![
                ("grant_type", "refresh_token"),
                ("client_id", id),
                ("client_secret", secret.reveal()),
                ("refresh_token", refresh.reveal()),
            ],
            Self::Account { email, id, key, .. } => {
                word = assertion(url, email, id, key)
                    .ok_or_else(|| failed(("the key cannot sign".to_owned(), false)))?;
                vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", word.reveal()),
                ]
            }
        };
        fetch(agent, uri, &form, None).map_err(failed)
    }
}

/// The signed assertion of a service account, valid for an hour.
fn assertion(url: &str, email: &str, id: &str, key: &RsaKeyPair) -> Option<Secret> {
    let now = now().timestamp();
    let claims = json!({
        "iss": email, "scope": READ_ONLY, "aud": url, "iat": now, "exp": now.saturating_add(3600),
    });
    let head = json!({"alg": "RS256", "typ": "JWT", "kid": id});
    let coded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", coded(&head), coded(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
    Some(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// Parses a PKCS #8 key in PEM.
fn pair(pem: &Secret) -> Option<RsaKeyPair> {
    let (_, rest) = pem.reveal().split_once("-----BEGIN PRIVATE KEY-----")?;
    let (text, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let text: String = text.split_whitespace().collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_of_no_use_is_reported_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.json");
        let check = |text: &str, expect: &str| {
            fs::write(&file, text).unwrap();
            let found = Grant::of_google_file(&file.display().to_string());
            let error = found.err().map(|it| it.message).unwrap_or_default();
            assert!(error.contains(expect) && !error.contains("4711"), "{error}");
        };
        check("4711 is no JSON", "expected JSON");
        check(r#"{"type": "external_account", "k": "4711"}"#, "expected the type");
        check(
            r#"{"type": "service_account", "private_key": "4711", "client_email": "e"}"#,
            "expected an RSA key",
        );
        check(r#"{"type": "authorized_user", "client_id": "4711"}"#, "a string in client_secret");
        let none = Grant::of_google_file("none.json").err().unwrap();
        assert!(none.message.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{}", none.message);
    }
}
