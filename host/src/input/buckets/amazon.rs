//! Amazon S3 and servers with its API.

use std::sync::{Mutex, PoisonError};

use super::api::{Api, Entry, Page, range};
use super::variables::Variables;
use super::wire::{Cloud, CloudClient};
use crate::cloud::exchange::{CloudFailure, CloudResponse, now};
use crate::cloud::request::{Ask, Endpoint, Verb, decoded};
use crate::cloud::signature::{Keys, PayloadHash};
use crate::cloud::xml;
use crate::credentials::Secret;

/// A bucket.
pub(super) struct Amazon {
    bucket: String,
    /// Set for servers other than Amazon's.
    endpoint: Option<Endpoint>,
    /// The region of the environment, until a server reports that the bucket is in another one.
    region: Mutex<String>,
    keys: Option<Keys>,
}

impl Amazon {
    pub(super) fn new(bucket: &str, variables: &Variables) -> Result<Self, CloudFailure> {
        let region = variables.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        if !is_region(&region) {
            return Err(CloudFailure::lasting(
                "expected a region such as eu-central-1 in AWS_REGION",
            ));
        }
        let endpoint = variables.endpoint(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])?;
        let id = variables.first(&["AWS_ACCESS_KEY_ID"]);
        let secret = variables.secret(&["AWS_SECRET_ACCESS_KEY"]);
        let token = variables.secret(&["AWS_SESSION_TOKEN"]);
        let keys = match (id, secret) {
            (Some(id), Some(secret)) => Some(Keys { id, secret, token }),
            (None, None) => None,
            _ => {
                return Err(CloudFailure::lasting(
                    "expected both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
                ));
            }
        };
        Ok(Self { bucket: bucket.to_owned(), endpoint, region: Mutex::new(region), keys })
    }

    fn region(&self) -> String {
        self.region.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ask(&self, key: Option<&str>) -> Ask {
        let region = self.region();
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        // A name that is not a single label fits neither a host nor its certificate.
        let label = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let hosted = self.endpoint.is_none() && self.bucket.bytes().all(label);
        let bucket = (!hosted).then_some(self.bucket.as_str());
        let parts: Vec<&str> = bucket.into_iter().chain(key).collect();
        match &self.endpoint {
            Some(endpoint) => endpoint.ask(&parts),
            None if hosted => {
                Endpoint::of_host(&format!("{}.s3.{region}.{domain}", self.bucket)).ask(&parts)
            }
            None => Endpoint::of_host(&format!("s3.{region}.{domain}")).ask(&parts),
        }
    }
}

impl Cloud for Amazon {
    fn sign(&self, ask: &mut Ask, _: &CloudClient) -> Result<Vec<Secret>, CloudFailure> {
        let Some(keys) = &self.keys else { return Ok(Vec::new()) };
        let signature = keys.sign(ask, &PayloadHash::of(b""), &self.region(), now());
        let token = keys.token.clone();
        Ok([Secret::new(signature)].into_iter().chain(token).collect())
    }

    /// A bucket is in one region, and the servers of other regions report which.
    fn learn(&self, answer: &CloudResponse) -> bool {
        let named = answer.header("x-amz-bucket-region").filter(|it| is_region(it));
        let mut region = self.region.lock().unwrap_or_else(PoisonError::into_inner);
        match named {
            Some(named) if self.endpoint.is_none() && *region != named => {
                named.clone_into(&mut region);
                true
            }
            _ => false,
        }
    }

    fn unsigned(&self) -> Option<&'static str> {
        let hint = "not signed, for there is no AWS_ACCESS_KEY_ID in the environment";
        self.keys.is_none().then_some(hint)
    }
}

impl Api for Amazon {
    fn list(&self, prefix: &str, next: Option<&str>) -> Ask {
        let mut ask = self.ask(None);
        // Without the encoding, a key with a control character would make invalid XML.
        let pairs = [("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)];
        let next = next.map(|next| ("continuation-token", next));
        let pairs = pairs.into_iter().chain(next);
        ask.query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        ask
    }

    fn page(&self, body: &str) -> Result<Page, String> {
        let leaves = xml::leaves(body)?;
        let coded = leaves.iter().any(|it| it.path == "EncodingType" && it.text == "url");
        let mut page = Page::default();
        let mut entry = Entry::default();
        let mut truncated = false;
        for leaf in leaves {
            match leaf.path.as_str() {
                "Contents/Key" if coded => {
                    let key = decoded(&leaf.text.replace('+', " "));
                    entry.key = key.ok_or("expected names in UTF-8, found others")?;
                }
                "Contents/Key" => entry.key = leaf.text,
                "Contents/Size" => entry.size = size(&leaf.text)?,
                "Contents/ETag" => entry.tag = leaf.text,
                "Contents" => page.entries.push(std::mem::take(&mut entry)),
                "IsTruncated" => truncated = leaf.text == "true",
                "NextContinuationToken" => page.next = Some(leaf.text),
                _ => {}
            }
        }
        if truncated && page.next.is_none() {
            return Err("expected a token for the next page of the list, found none".to_owned());
        }
        page.next = page.next.filter(|_| truncated);
        Ok(page)
    }

    fn about(&self, key: &str) -> Ask {
        Ask { verb: Verb::Head, ..self.ask(Some(key)) }
    }

    fn read(&self, entry: &Entry, from: u64, to: u64) -> Ask {
        let mut ask = self.ask(Some(&entry.key));
        ask.headers.push(("range", range(from, to)));
        ask.headers.extend(entry.condition().map(|tag| ("if-match", tag)));
        ask
    }
}

/// Parses a number of bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("expected a size in the list, found {text:?}"))
}

/// Returns `true` if the text is valid in the name of a host.
fn is_region(text: &str) -> bool {
    let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty() && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amazon(bucket: &str, more: &[(&str, &str)]) -> Amazon {
        let more: Vec<(String, String)> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let find = move |name: &str| Some(more.iter().find(|(other, _)| other == name)?.1.clone());
        Amazon::new(bucket, &Variables::new(find)).map_err(|it| it.message).unwrap()
    }

    #[test]
    fn a_bucket_has_a_host_of_its_own() {
        let check = |bucket: &str, more: &[(&str, &str)], expect: &str| {
            let ask = amazon(bucket, more).about("a b");
            assert_eq!(format!("{}{}", ask.origin, ask.path), expect);
        };
        check("b", &[], "https://b.s3.us-east-1.amazonaws.com/a%20b");
        let china = [("AWS_DEFAULT_REGION", "cn-north-1")];
        check("my.b", &china, "https://s3.cn-north-1.amazonaws.com.cn/my.b/a%20b");
        let near = [("AWS_ENDPOINT_URL", "http://localhost:9000/"), ("AWS_REGION", "x")];
        check("b", &near, "http://localhost:9000/b/a%20b");
    }

    #[test]
    fn another_region_is_learned() {
        let bucket = amazon("b", &[]);
        let mut answer =
            CloudResponse { status: 301, headers: ureq::http::HeaderMap::new(), body: Vec::new() };
        assert!(!bucket.learn(&answer));
        for (named, learned) in
            [("evil.example/", false), ("eu-west-3", true), ("eu-west-3", false)]
        {
            answer.headers.insert("x-amz-bucket-region", named.parse().unwrap());
            assert_eq!(bucket.learn(&answer), learned, "{named}");
        }
        assert_eq!(bucket.about("a").origin, "https://b.s3.eu-west-3.amazonaws.com");
    }

    #[test]
    fn lists_are_read() {
        let body = "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
            <Contents><Key>a/x+y%2B%C3%A9</Key><ETag>&quot;t&quot;</ETag><Size>7</Size></Contents>\
            <Contents><Key>b</Key><Size>0</Size></Contents>\
            <NextContinuationToken>n+1</NextContinuationToken></ListBucketResult>";
        let bucket = amazon("b", &[]);
        let page = bucket.page(body).unwrap();
        let entry = |key: &str, size, tag: &str| Entry { key: key.into(), size, tag: tag.into() };
        assert_eq!(page.entries, [entry("a/x y+é", 7, "\"t\""), entry("b", 0, "")]);
        assert_eq!(page.next.as_deref(), Some("n+1"));
        assert!(bucket.page("<html>").is_err());
        let more = "<L><IsTruncated>true</IsTruncated></L>";
        assert!(bucket.page(more).is_err_and(|e| e.contains("next page")));
    }
}
