//! Files in buckets: S3 and what speaks like it, Azure Blob Storage, Google Cloud Storage.
//!
//! Signing, paging and retries are those of the crate `object_store`; its requests go through the HTTP
//! client that this program has anyway. Credentials are those of the environment, under the names that the
//! tools of each cloud know them by; a job holds none. Plain HTTP goes to this machine only, and to the
//! addresses where clouds tell their machines who they are.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, GetOptions, ObjectMeta, ObjectStore, RetryConfig};
use tokio::runtime::{Builder, Runtime};
use ureq::Agent;
use ureq::http::{HeaderMap, Uri};

use crate::files::{Bytes, Store, matches};
use crate::interface::File;

/// So many bytes of a file are asked for at once.
const PART: u64 = 8 << 20;
/// An answer has no more bytes than this: a part, or a page of a list.
const LARGEST_ANSWER: u64 = 64 << 20;

/// The files of buckets, wherever they are.
pub struct Buckets {
    runtime: Arc<Runtime>,
    /// By the beginnings of places.
    opened: Mutex<BTreeMap<String, Arc<dyn ObjectStore>>>,
}

impl Buckets {
    /// Those that the environment has credentials for, and public ones.
    ///
    /// # Errors
    /// When there can be no clock for retries.
    pub fn new() -> io::Result<Self> {
        // Nothing is done at once: it is for the waiting between two tries.
        let runtime = Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime: Arc::new(runtime), opened: Mutex::default() })
    }

    fn bucket(&self, place: &Place<'_>) -> io::Result<Arc<dyn ObjectStore>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(place.root) {
            return Ok(Arc::clone(store));
        }
        let store = place.open().map_err(failed)?;
        opened.insert(place.root.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

impl Store for Buckets {
    fn knows(&self, place: &str) -> bool {
        Place::parse(place).is_some()
    }

    fn find(&self, place: &str) -> io::Result<Vec<File>> {
        let found = Place::parse(place).ok_or_else(|| unknown(place))?;
        let bucket = self.bucket(&found)?;
        let file = |meta: ObjectMeta| File {
            name: format!("{}/{}", found.root, meta.location),
            version: version(&meta),
        };
        let pattern: Vec<&str> = found.path.split('/').collect();
        let literal = pattern.iter().take_while(|part| !part.contains(['*', '?']));
        let literal: Vec<&str> = literal.copied().collect();
        let wild = literal.len() < pattern.len();
        let folder = Path::parse(literal.join("/")).map_err(|e| failed(e.into()))?;
        if !wild && !found.path.ends_with('/') && !found.path.is_empty() {
            match self.runtime.block_on(head(&*bucket, &folder)) {
                Ok(meta) => return Ok(vec![file(meta)]),
                // Then it may be a folder.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let listed = bucket.list(Some(&folder)).try_collect();
        let mut listed: Vec<ObjectMeta> = self.runtime.block_on(listed).map_err(failed)?;
        // Some tools mark a folder by an empty file of its name.
        listed.retain(|meta| meta.location != folder);
        if wild {
            let path = |meta: &ObjectMeta| meta.location.as_ref().to_owned();
            listed.retain(|meta| fits(&pattern, &path(meta).split('/').collect::<Vec<_>>()));
        }
        Ok(listed.into_iter().map(file).collect())
    }

    fn open(&self, file: &File) -> io::Result<Bytes> {
        let place = Place::parse(&file.name).ok_or_else(|| unknown(&file.name))?;
        let bucket = self.bucket(&place)?;
        let path = Path::parse(place.path).map_err(|e| failed(e.into()))?;
        let meta = self.runtime.block_on(head(&*bucket, &path)).map_err(failed)?;
        if version(&meta) != file.version {
            return Err(changed());
        }
        let runtime = Arc::clone(&self.runtime);
        Ok(Bytes::Stream(Box::new(Object {
            runtime,
            bucket,
            meta,
            next: 0,
            part: io::Cursor::default(),
        })))
    }
}

async fn head(bucket: &dyn ObjectStore, path: &Path) -> object_store::Result<ObjectMeta> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    Ok(bucket.get_opts(path, options).await?.meta)
}

/// Changes when the file does.
fn version(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => format!("{}-{}", meta.size, tag.trim_matches('"')),
        None => format!("{}-{}", meta.size, meta.last_modified.timestamp_micros()),
    }
}

/// Whether a pattern fits a path: `**` stands for any folders, or at its end for whatever is below; `*` and
/// `?` stand for characters of one name. So it is on stages.
fn fits(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        (["**"], [_, ..]) | ([], []) => true,
        (["**", rest @ ..], [_, below @ ..]) => fits(rest, path) || fits(pattern, below),
        ([part, rest @ ..], [name, below @ ..]) => {
            matches(part.as_bytes(), name.as_bytes()) && fits(rest, below)
        }
        _ => false,
    }
}

/// A file that is read part by part.
struct Object {
    runtime: Arc<Runtime>,
    bucket: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    /// Where the next part begins.
    next: u64,
    part: io::Cursor<Vec<u8>>,
}

impl Read for Object {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(into)?;
        if read > 0 || into.is_empty() || self.next >= self.meta.size {
            return Ok(read);
        }
        let end = self.meta.size.min(self.next + PART);
        let options = GetOptions { range: Some((self.next..end).into()), ..GetOptions::default() };
        let part = self.runtime.block_on(async {
            let answer = self.bucket.get_opts(&self.meta.location, options).await?;
            let same = version(&answer.meta) == version(&self.meta);
            Ok((same, answer.bytes().await?))
        });
        let (same, part) = part.map_err(failed)?;
        if !same || part.len() as u64 != end - self.next {
            return Err(changed());
        }
        self.next = end;
        self.part = io::Cursor::new(part.into());
        self.part.read(into)
    }
}

/// A place in a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place<'a> {
    cloud: Cloud,
    /// What comes before the path and its slash.
    root: &'a str,
    path: &'a str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cloud {
    Amazon,
    Azure,
    Google,
}

impl<'a> Place<'a> {
    fn parse(place: &'a str) -> Option<Self> {
        let (scheme, rest) = place.split_once("://")?;
        let cloud = match scheme {
            "s3" => Cloud::Amazon,
            "az" | "azure" | "abfs" | "abfss" => Cloud::Azure,
            "gs" | "gcs" => Cloud::Google,
            _ => return None,
        };
        let mut length = rest.find('/').unwrap_or(rest.len());
        // As Snowflake writes it: the account's host, then the container.
        if cloud == Cloud::Azure && rest.get(..length)?.contains(".blob.") && !rest.contains('@') {
            let container = rest.get(length + 1..)?;
            length += 1 + container.find('/').unwrap_or(container.len());
        }
        if length == 0 {
            return None;
        }
        let (root, path) = place.split_at(scheme.len() + 3 + length);
        Some(Self { cloud, root, path: path.strip_prefix('/').unwrap_or(path) })
    }

    fn open(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let retry = RetryConfig {
            max_retries: 4,
            retry_timeout: Duration::from_secs(60),
            ..RetryConfig::default()
        };
        let bucket = self.root.split("://").nth(1).unwrap_or_default();
        Ok(match self.cloud {
            Cloud::Amazon => Arc::new(
                AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_retry(retry)
                    .with_http_connector(Connector)
                    .build()?,
            ),
            Cloud::Azure => {
                let mut builder = MicrosoftAzureBuilder::from_env();
                // As Azure's command line calls them; the crate knows the names of other tools.
                if let Ok(account) = env::var("AZURE_STORAGE_ACCOUNT") {
                    builder = builder.with_account(account);
                }
                if let Ok(key) = env::var("AZURE_STORAGE_KEY") {
                    builder = builder.with_access_key(key);
                }
                let builder = match bucket.split_once('/') {
                    Some((host, container)) => builder
                        .with_account(host.split('.').next().unwrap_or_default())
                        .with_container_name(container),
                    None => builder.with_url(self.root),
                };
                Arc::new(builder.with_retry(retry).with_http_connector(Connector).build()?)
            }
            Cloud::Google => Arc::new(
                GoogleCloudStorageBuilder::from_env()
                    .with_bucket_name(bucket)
                    .with_retry(retry)
                    .with_http_connector(Connector)
                    .build()?,
            ),
        })
    }
}

#[cold]
fn unknown(place: &str) -> io::Error {
    io::Error::other(format!("{place}: no place in a bucket"))
}

#[cold]
fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}

#[cold]
fn failed(error: object_store::Error) -> io::Error {
    io::Error::other(error.to_string())
}

/// Has the store's requests sent by the client that this program has.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let agent = |connect: u64| {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_connect(Some(Duration::from_secs(connect)))
                .timeout_global(Some(Duration::from_secs(120)))
                .user_agent(concat!("snowcat/", env!("CARGO_PKG_VERSION")))
        };
        Ok(HttpClient::new(Client {
            remote: agent(15).https_only(true).build().into(),
            // Where there is no cloud around, nobody answers.
            near: agent(1).proxy(None).build().into(),
        }))
    }
}

#[derive(Debug)]
struct Client {
    /// Through the proxy that the environment names, if it does.
    remote: Agent,
    near: Agent,
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.send(request)
    }
}

impl Client {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let secrets = secrets(&parts.headers, &parts.uri);
        let agent = if is_near(&parts.uri) { &self.near } else { &self.remote };
        let answer = match body.as_bytes() {
            Some(bytes) if !bytes.is_empty() => {
                agent.run(ureq::http::Request::from_parts(parts, &**bytes))
            }
            _ => agent.run(ureq::http::Request::from_parts(parts, ())),
        };
        let (parts, body) = answer.map_err(kind)?.into_parts();
        let mut bytes =
            body.into_with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(kind)?;
        if !parts.status.is_success() && !secrets.is_empty() {
            // Those that refuse a signature say how they have read it.
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bytes = secrets.iter().fold(text, |text, secret| text.replace(secret, "***")).into();
        }
        Ok(HttpResponse::from_parts(parts, bytes.into()))
    }
}

/// Whether plain HTTP may go there: to this machine, and where clouds have their credentials for the
/// machines they run.
fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let names = ["localhost", "127.0.0.1", "[::1]", "metadata.google.internal", "[fd00:ec2::254]"];
    names.contains(&host) || host.parse().is_ok_and(|address: Ipv4Addr| address.is_link_local())
}

/// What an answer must not quote.
fn secrets(headers: &HeaderMap, uri: &Uri) -> Vec<String> {
    let names = ["authorization", "x-amz-security-token", "x-aws-ec2-metadata-token"];
    let headers = names.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    let query = uri.query().unwrap_or_default().split('&');
    let query = query.filter_map(|pair| pair.strip_prefix("sig="));
    let tokens = headers.map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
    tokens.chain(query).filter(|secret| secret.len() >= 4).map(str::to_owned).collect()
}

fn kind(error: ureq::Error) -> HttpError {
    let kind = match &error {
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => HttpErrorKind::Connect,
        ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
        // A certificate that is not valid arrives as invalid data.
        ureq::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            HttpErrorKind::Interrupted
        }
        _ => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        let check = |place: &str, expect: Option<(Cloud, &str, &str)>| {
            let found = Place::parse(place).map(|place| (place.cloud, place.root, place.path));
            assert_eq!(found, expect, "{place}");
        };
        let s3 = Cloud::Amazon;
        check("s3://b/a/*.csv", Some((s3, "s3://b", "a/*.csv")));
        check("s3://b", Some((s3, "s3://b", "")));
        check("gs://b/a", Some((Cloud::Google, "gs://b", "a")));
        check("az://c/a/", Some((Cloud::Azure, "az://c", "a/")));
        let lake = "abfss://c@acc.dfs.core.windows.net";
        check(&format!("{lake}/x/y"), Some((Cloud::Azure, lake, "x/y")));
        let host = "azure://acc.blob.core.windows.net/c";
        check(&format!("{host}/x/y"), Some((Cloud::Azure, host, "x/y")));
        for other in ["s3:///a", "file://a", "@db.s.stage/a", "a/b", "https://x/y"] {
            check(other, None);
        }
    }

    #[test]
    fn patterns_fit_paths() {
        for (pattern, path, expect) in [
            ("a/*.csv", "a/1.csv", true),
            ("a/*.csv", "a/b/1.csv", false),
            ("a/**/*.csv", "a/1.csv", true),
            ("a/**/*.csv", "a/b/c/1.csv", true),
            ("**/c/*", "a/b/c/1", true),
            ("a/?/1", "a/b/1", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/c", "a/b/xc", false),
        ] {
            let parts = |text: &'static str| text.split('/').collect::<Vec<_>>();
            assert_eq!(fits(&parts(pattern), &parts(path)), expect, "{pattern} {path}");
        }
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        let check = |uri: &str, near| assert_eq!(is_near(&uri.parse().unwrap()), near, "{uri}");
        check("http://127.0.0.1:9000/b", true);
        check("http://169.254.169.254/latest", true);
        check("http://169.254.evil.com/", false);
        check("http://s3.example.com/", false);
        let client = Connector.connect(&ClientOptions::new()).unwrap();
        let request = ureq::http::Request::get("http://s3.example.com/").body(String::new().into());
        let runtime = Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(client.execute(request.unwrap())).unwrap_err();
        assert!(error.to_string().contains("https"), "{error}");
    }

    #[test]
    fn what_went_with_a_request_is_not_quoted() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer token".parse().unwrap());
        headers.insert("x-amz-security-token", "session".parse().unwrap());
        let found = secrets(&headers, &"https://a/b?x=1&sig=signature".parse().unwrap());
        assert_eq!(found, ["token", "session", "signature"]);
    }
}
