//! Input in pages of complete lines, of the size that a host pulls at once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::generators::Kind;

/// Pages of an NDJSON file. As in a host, a thread reads one page ahead.
#[derive(Debug)]
pub struct FilePages(Receiver<io::Result<String>>);

impl FilePages {
    /// Returns pages of at least `size` bytes, and at most one record more.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or the thread cannot be started.
    pub fn open(path: &Path, size: usize) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        let (sender, pages) = sync_channel(0);
        thread::Builder::new().spawn(move || {
            // The receiver is gone once the load has failed.
            while let Some(page) = page(&mut file, size).transpose()
                && sender.send(page).is_ok()
            {}
        })?;
        Ok(Self(pages))
    }
}

impl Iterator for FilePages {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

fn page(file: &mut BufReader<File>, size: usize) -> io::Result<Option<String>> {
    let mut page = Vec::with_capacity(size + (size >> 3));
    file.take(size as u64).read_to_end(&mut page)?;
    if page.last().is_some_and(|&last| last != b'\n') {
        file.read_until(b'\n', &mut page)?;
    }
    if page.is_empty() {
        return Ok(None);
    }
    String::from_utf8(page)
        .map(Some)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Pages of records that are generated on demand up to a total size, for inputs that are too large
/// to store.
#[derive(Debug)]
pub struct GeneratedPages {
    kind: Kind,
    seed: u64,
    next: u64,
    size: usize,
    limit: u64,
    bytes: u64,
}

impl GeneratedPages {
    /// Returns pages of at least `size` bytes, and `limit` bytes or slightly more in total.
    pub const fn new(kind: Kind, seed: u64, size: usize, limit: u64) -> Self {
        Self { kind, seed, next: 0, size, limit, bytes: 0 }
    }

    /// The number of records so far.
    pub const fn records(&self) -> u64 {
        self.next
    }

    /// The number of bytes so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Iterator for GeneratedPages {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes >= self.limit {
            return None;
        }
        let mut page = String::with_capacity(self.size + (self.size >> 3));
        while page.len() < self.size && self.bytes + (page.len() as u64) < self.limit {
            page.push_str(&self.kind.record(self.seed, self.next).to_string());
            page.push('\n');
            self.next += 1;
        }
        self.bytes += page.len() as u64;
        Some(Ok(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_together_are_the_file() {
        let path =
            std::env::temp_dir().join(format!("snowcat-pages-{}.ndjson", std::process::id()));
        let mut whole = Vec::new();
        Kind::Flat.write(&mut whole, 1, 100).unwrap();
        for last_line in [whole.len(), whole.len() - 1] {
            let text = std::str::from_utf8(&whole[..last_line]).unwrap();
            std::fs::write(&path, text).unwrap();
            for size in [1, 283, 5000, 1 << 20] {
                let pages = FilePages::open(&path, size).unwrap().collect::<Result<Vec<_>, _>>();
                let pages = pages.unwrap();
                assert_eq!(pages.concat(), text);
                let (_, full) = pages.split_last().unwrap();
                assert!(full.iter().all(|page| page.ends_with('\n') && page.len() >= size));
                assert!(pages.iter().all(|page| page.len() < size + 500));
            }
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn generated_pages_are_the_generated_records() {
        let mut whole = Vec::new();
        Kind::Flat.write(&mut whole, 1, 100).unwrap();
        let mut pages = GeneratedPages::new(Kind::Flat, 1, 2000, whole.len() as u64);
        let text = pages.by_ref().map(Result::unwrap).collect::<String>();
        assert_eq!(text.as_bytes(), whole);
        assert_eq!((pages.records(), pages.bytes()), (100, whole.len() as u64));
    }
}
