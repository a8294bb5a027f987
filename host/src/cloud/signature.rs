//! Signatures of requests, as Amazon's "Signature Version 4" has them.

use chrono::{DateTime, Utc};
use ring::{digest, hmac};

use super::request::Ask;
use crate::credentials::Secret;
use crate::http::encoded;

/// What requests to Amazon are signed with.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) token: Option<Secret>,
}

/// The SHA-256 of a body.
#[derive(Clone, Copy)]
pub(crate) struct PayloadHash(digest::Digest);

impl PayloadHash {
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(digest::digest(&digest::SHA256, body))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl Keys {
    /// Adds the headers of a signature; returns it. `payload` is the body that is sent.
    pub(crate) fn sign(
        &self,
        ask: &mut Ask,
        payload: &PayloadHash,
        region: &str,
        now: DateTime<Utc>,
    ) -> String {
        let (time, day) = (now.format("%Y%m%dT%H%M%SZ").to_string(), now.format("%Y%m%d"));
        let payload = hex(payload.bytes());
        // The same text as the client's, so that it cannot differ from what is signed.
        let host = ask.host().to_owned();
        ask.headers.push(("host", host));
        ask.headers.push(("x-amz-content-sha256", payload.clone()));
        ask.headers.push(("x-amz-date", time.clone()));
        if let Some(token) = &self.token {
            ask.headers.push(("x-amz-security-token", token.reveal().to_owned()));
        }
        ask.headers.sort();
        let names: Vec<&str> = ask.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let mut query: Vec<(String, String)> =
            ask.query.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
        query.sort();
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers: String =
            ask.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let request = format!(
            "{}\n{}\n{}\n{headers}\n{names}\n{payload}",
            ask.verb.name(),
            ask.path,
            query.join("&"),
        );
        let scope = format!("{day}/{region}/s3/aws4_request");
        let hash = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let first = format!("AWS4{}", self.secret.reveal()).into_bytes();
        let key = scope.split('/').fold(first, |key, part| mac(&key, part));
        let signature = hex(&mac(&key, &text));
        let id = &self.id;
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        ask.headers.push(("authorization", value));
        signature
    }
}

/// HMAC with SHA-256.
pub(crate) fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in Amazon's "Signature Calculations for the Authorization Header".
    #[test]
    fn signatures_are_those_of_the_manual() {
        let keys = Keys {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            token: None,
        };
        let now: DateTime<Utc> = "2013-05-24T00:00:00Z".parse().unwrap();
        let check = |path: &str, query: &[(&str, &str)], range: &str, expect: &str| {
            let mut ask = Ask {
                origin: "https://examplebucket.s3.amazonaws.com".to_owned(),
                path: path.to_owned(),
                query: query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
                ..Ask::default()
            };
            if !range.is_empty() {
                ask.headers.push(("range", range.to_owned()));
            }
            assert_eq!(
                keys.sign(&mut ask, &PayloadHash::of(b""), "us-east-1", now),
                expect,
                "{path}"
            );
        };
        check(
            "/test.txt",
            &[],
            "bytes=0-9",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        check(
            "/",
            &[("lifecycle", "")],
            "",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        );
        check(
            "/",
            &[("prefix", "J"), ("max-keys", "2")],
            "",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        );
    }
}
