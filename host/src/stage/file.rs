//! A file that is uploaded: its bytes and its metadata.

/// A file as it is sent.
pub(super) struct StageFile<'a> {
    pub(super) name: &'a str,
    /// Encrypted, if the stage has client-side encryption.
    pub(super) bytes: &'a [u8],
    /// The SHA-256 of the file before it was encrypted, in base64.
    pub(super) digest: &'a str,
    pub(super) envelope: Option<&'a FileEnvelope>,
    pub(super) parts: PartSizes,
}

/// What a reader needs to decrypt a file, with the master key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct FileEnvelope {
    /// The key of the file, encrypted with the master key, in base64.
    pub(super) key: String,
    /// In base64.
    pub(super) iv: String,
    /// Which master key, as JSON.
    pub(super) description: String,
}

/// When a file is sent in several parts, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartSizes {
    /// Larger files are.
    pub(super) above: usize,
    pub(super) part: usize,
}

impl<'a> StageFile<'a> {
    /// The parts; `None` if it is sent as a whole.
    pub(super) fn parts(&self, at_most: usize) -> Option<Vec<&'a [u8]>> {
        let size = self.parts.part.max(self.bytes.len().div_ceil(at_most)).max(1);
        (self.bytes.len() > self.parts.above).then(|| self.bytes.chunks(size).collect())
    }
}

/// What is sent as the type of every file.
pub(super) const CONTENT_TYPE: &str = "application/octet-stream";
