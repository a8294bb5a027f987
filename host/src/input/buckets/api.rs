//! The requests of each cloud's API for files in buckets.

use std::io;

use super::wire::Cloud;
use crate::cloud::exchange::CloudResponse;
use crate::cloud::request::Ask;

/// The API of one cloud.
pub(super) trait Api: Cloud {
    /// Requests a page of the list of names with this prefix; `next` is from the page before.
    fn list(&self, prefix: &str, next: Option<&str>) -> Ask;

    /// Parses such a page.
    fn page(&self, body: &str) -> Result<Page, String>;

    /// Requests the size and version of a file.
    fn about(&self, key: &str) -> Ask;

    /// Parses the response; `None` if it is not a file.
    fn of_about(&self, key: &str, answer: &CloudResponse) -> Result<Option<Entry>, String> {
        Entry::of_head(key, answer).map(Some)
    }

    /// Requests the bytes of a file from `from` up to, not including, `to`.
    fn read(&self, entry: &Entry, from: u64, to: u64) -> Ask;
}

#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    pub(super) next: Option<String>,
}

/// A file in a bucket.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The size in bytes.
    pub(super) size: u64,
    /// The version of the file, with or without quotes.
    pub(super) tag: String,
}

impl Entry {
    /// Parses the headers of a response.
    pub(super) fn of_head(key: &str, answer: &CloudResponse) -> Result<Self, String> {
        let size = answer.header("content-length").and_then(|it| it.trim().parse().ok());
        Ok(Self {
            key: key.to_owned(),
            size: size.ok_or("expected the size in the header content-length, found none")?,
            tag: answer.header("etag").unwrap_or_default().to_owned(),
        })
    }

    pub(super) fn version(&self) -> String {
        format!("{}-{}", self.size, self.tag.trim_matches('"'))
    }

    pub(super) fn of_version(key: &str, version: &str) -> io::Result<Self> {
        let parsed = version.split_once('-');
        let parsed = parsed.and_then(|(size, tag)| Some((size.parse().ok()?, tag.to_owned())));
        let (size, tag) = parsed.ok_or_else(|| {
            io::Error::other(format!(
                "expected the version of a file in a bucket, found {version:?}"
            ))
        })?;
        Ok(Self { key: key.to_owned(), size, tag })
    }

    /// The value of the header `If-Match`; `None` if the tag is weak, because a weak tag never
    /// matches.
    pub(super) fn condition(&self) -> Option<String> {
        let tag = self.tag.trim_matches('"');
        (!tag.is_empty() && !tag.starts_with("W/")).then(|| format!("\"{tag}\""))
    }
}

/// Returns the header value that requests the bytes from `from` up to, not including, `to`.
pub(super) fn range(from: u64, to: u64) -> String {
    format!("bytes={from}-{}", to.saturating_sub(1))
}
