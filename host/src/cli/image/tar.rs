//! An archive of files in the format of POSIX.1-1988 (ustar), without times and owners.

/// The size of a block in bytes.
const BLOCK: usize = 512;
/// The largest size that a header has: eleven octal digits.
const LARGEST: u64 = 0o777_7777_7777;

/// An archive that is written in memory.
#[derive(Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    /// Adds a file.
    ///
    /// # Errors
    /// If its name or content is too long for the format.
    pub(super) fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<(), String> {
        let size = content.len() as u64;
        if size > LARGEST {
            return Err(format!("{name}: expected at most {LARGEST} bytes, found {size}"));
        }
        self.entry(name, b'0', mode, size)?;
        self.0.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    /// Adds a folder. Its name ends in a slash.
    ///
    /// # Errors
    /// If its name is too long for the format.
    pub(super) fn folder(&mut self, name: &str) -> Result<(), String> {
        self.entry(name, b'5', 0o755, 0)
    }

    /// The whole archive, with the two empty blocks of its end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 2 * BLOCK, 0);
        self.0
    }

    fn entry(&mut self, name: &str, kind: u8, mode: u32, size: u64) -> Result<(), String> {
        if name.len() > 100 {
            return Err(format!("expected a name of at most 100 bytes, found {name}"));
        }
        // The checksum is computed with spaces in its place.
        let header = |checksum: &str| {
            let mut header = Vec::with_capacity(BLOCK);
            let mut field = |text: &str, length: usize| {
                let end = header.len() + length;
                header.extend_from_slice(text.as_bytes());
                header.resize(end, 0);
            };
            field(name, 100);
            field(&format!("{mode:07o}"), 8);
            field("0000000", 8); // The owner.
            field("0000000", 8); // The group.
            field(&format!("{size:011o}"), 12);
            field("00000000000", 12); // The time.
            field(checksum, 8);
            field(char::from(kind).encode_utf8(&mut [0; 4]), 1);
            field("", 100); // The target of a link.
            field("ustar\x0000", 8);
            field("", BLOCK - 265);
            header
        };
        let sum: u32 = header("        ").iter().map(|byte| u32::from(*byte)).sum();
        self.0.extend(header(&format!("{sum:06o}\0 ")));
        Ok(())
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The entries of an archive: name, mode, content. It panics if the archive is invalid.
    pub(in super::super) fn entries(mut archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            let (header, rest) = archive.split_at(BLOCK);
            if header == [0; BLOCK] {
                assert_eq!(rest, [0; BLOCK]);
                return found;
            }
            let text = |from: usize, length: usize| {
                let field = &header[from..from + length];
                let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
                str::from_utf8(&field[..end]).unwrap().trim()
            };
            let octal = |from, length| u64::from_str_radix(text(from, length), 8).unwrap();
            let others = header[..148].iter().chain(&header[156..]).map(|byte| u64::from(*byte));
            assert_eq!(octal(148, 8), others.sum::<u64>() + 8 * u64::from(b' '));
            assert_eq!((octal(108, 8), octal(116, 8), octal(136, 12)), (0, 0, 0));
            assert_eq!(&header[257..265], b"ustar\x0000");
            let size = usize::try_from(octal(124, 12)).unwrap();
            let mode = u32::try_from(octal(100, 8)).unwrap();
            found.push((text(0, 100).to_owned(), mode, rest[..size].to_vec()));
            archive = &rest[size.next_multiple_of(BLOCK)..];
        }
    }

    #[test]
    fn entries_are_read_back() {
        let mut tar = Tar::default();
        tar.folder("a/").unwrap();
        for length in [0, 1, 511, 512, 513] {
            tar.file(&format!("a/{length}"), 0o644, &vec![b'x'; length]).unwrap();
        }
        let name = "n".repeat(100);
        tar.file(&name, 0o755, b"").unwrap();
        assert!(tar.file(&format!("{name}n"), 0o755, b"").is_err());
        let found = entries(&tar.finish());
        let sizes: Vec<_> =
            found.iter().map(|(name, mode, it)| (name.as_str(), *mode, it.len())).collect();
        assert_eq!(
            sizes,
            [
                ("a/", 0o755, 0),
                ("a/0", 0o644, 0),
                ("a/1", 0o644, 1),
                ("a/511", 0o644, 511),
                ("a/512", 0o644, 512),
                ("a/513", 0o644, 513),
                (&name, 0o755, 0)
            ]
        );
    }
}
