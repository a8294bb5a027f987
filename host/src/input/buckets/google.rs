//! Google Cloud Storage, by its JSON API.

use serde_json::Value;

use super::amazon::size;
use super::api::{Api, Entry, Page, range};
use super::token::{BearerToken, Grant};
use super::variables::Variables;
use super::wire::{Cloud, CloudClient};
use crate::cloud::exchange::{CloudFailure, CloudResponse};
use crate::cloud::request::{Ask, Endpoint};
use crate::credentials::Secret;

/// A bucket.
pub(super) struct Google {
    bucket: String,
    endpoint: Endpoint,
    proof: GoogleAuth,
}

enum GoogleAuth {
    None,
    Given(Secret),
    BearerToken(BearerToken),
}

impl Google {
    pub(super) fn new(bucket: &str, variables: &Variables) -> Result<Self, CloudFailure> {
        let endpoint = variables.endpoint(&["STORAGE_EMULATOR_HOST"])?;
        let proof = match variables.secret(&["GOOGLE_OAUTH_ACCESS_TOKEN"]) {
            Some(token) => GoogleAuth::Given(token),
            None => match variables.first(&["GOOGLE_APPLICATION_CREDENTIALS"]) {
                Some(file) => {
                    GoogleAuth::BearerToken(BearerToken::new(Grant::of_google_file(&file)?))
                }
                None => GoogleAuth::None,
            },
        };
        Ok(Self {
            bucket: bucket.to_owned(),
            endpoint: endpoint.unwrap_or_else(|| Endpoint::of_host("storage.googleapis.com")),
            proof,
        })
    }

    fn ask(&self, key: Option<&str>, query: &[(&str, &str)]) -> Ask {
        let mut ask = self.endpoint.ask(&["storage/v1/b", &self.bucket, "o"]);
        if let Some(key) = key {
            // One part of the path: its slashes are encoded too.
            ask.path.push('/');
            ask.path.push_str(&crate::http::encoded(key));
        }
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ask.query = query.iter().map(pair).collect();
        ask
    }
}

impl Cloud for Google {
    fn sign(&self, ask: &mut Ask, wire: &CloudClient) -> Result<Vec<Secret>, CloudFailure> {
        match &self.proof {
            GoogleAuth::None => Ok(Vec::new()),
            GoogleAuth::Given(token) => {
                ask.headers.push(("authorization", format!("Bearer {}", token.reveal())));
                Ok(vec![token.clone()])
            }
            GoogleAuth::BearerToken(token) => token.add(ask, wire),
        }
    }

    fn learn(&self, answer: &CloudResponse) -> bool {
        matches!(&self.proof, GoogleAuth::BearerToken(token) if answer.status == 401 && token.forget())
    }

    fn unsigned(&self) -> Option<&'static str> {
        let hint = "not signed, for there is no GOOGLE_APPLICATION_CREDENTIALS or \
                    GOOGLE_OAUTH_ACCESS_TOKEN in the environment";
        matches!(self.proof, GoogleAuth::None).then_some(hint)
    }
}

impl Api for Google {
    fn list(&self, prefix: &str, next: Option<&str>) -> Ask {
        let fields = ("fields", "items(name,size,generation),nextPageToken");
        let next = next.map(|next| ("pageToken", next));
        let pairs: Vec<_> = [fields, ("prefix", prefix)].into_iter().chain(next).collect();
        self.ask(None, &pairs)
    }

    fn page(&self, body: &str) -> Result<Page, String> {
        let body: Value =
            serde_json::from_str(body).map_err(|e| format!("expected JSON, found none: {e}"))?;
        let body = body.as_object().ok_or("expected an object with items")?;
        let items = body.get("items").and_then(Value::as_array);
        let entries: Result<_, String> = items.into_iter().flatten().map(entry).collect();
        let next = body.get("nextPageToken").and_then(Value::as_str);
        let next = next.filter(|next| !next.is_empty()).map(str::to_owned);
        Ok(Page { entries: entries?, next })
    }

    fn about(&self, key: &str) -> Ask {
        self.ask(Some(key), &[("fields", "name,size,generation")])
    }

    fn of_about(&self, _: &str, answer: &CloudResponse) -> Result<Option<Entry>, String> {
        let body: Value = serde_json::from_slice(&answer.body)
            .map_err(|e| format!("expected JSON, found none: {e}"))?;
        entry(&body).map(Some)
    }

    fn read(&self, entry: &Entry, from: u64, to: u64) -> Ask {
        let mut ask = self.ask(Some(&entry.key), &[("alt", "media")]);
        if !entry.tag.is_empty() {
            ask.query.push(("ifGenerationMatch".to_owned(), entry.tag.clone()));
        }
        ask.headers.push(("range", range(from, to)));
        // Without it the server would decompress compressed files, and their size would differ.
        ask.headers.push(("accept-encoding", "gzip".to_owned()));
        ask
    }
}

fn entry(item: &Value) -> Result<Entry, String> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    Ok(Entry {
        key: text("name").ok_or("expected a name in the list, found none")?.to_owned(),
        size: size(text("size").unwrap_or_default())?,
        tag: text("generation").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn google() -> Google {
        Google::new("b", &Variables::new(|_| None)).map_err(|it| it.message).unwrap()
    }

    #[test]
    fn a_key_is_one_part_of_a_path() {
        let ask = google().about("a/b c");
        let url = format!("{}{}", ask.origin, ask.path);
        assert_eq!(url, "https://storage.googleapis.com/storage/v1/b/b/o/a%2Fb%20c");
    }

    #[test]
    fn lists_are_read() {
        let body = r#"{"items": [{"name": "a/é", "size": "7", "generation": "12"}], "nextPageToken": "n"}"#;
        let page = google().page(body).unwrap();
        assert_eq!(page.entries, [Entry { key: "a/é".into(), size: 7, tag: "12".into() }]);
        assert_eq!(page.next.as_deref(), Some("n"));
        assert_eq!(google().page("{}").unwrap(), Page::default());
        for bad in ["", "[]", r#"{"items": [{"size": "1"}]}"#, r#"{"items": [{"name": "a"}]}"#] {
            assert!(google().page(bad).is_err(), "{bad}");
        }
    }
}
