//! `snowcat image`: this program as a container image, made without an engine for containers.

mod elf;
mod layout;
mod tar;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use self::layout::Image;
use super::{Failed, quantity};

/// Write a container image with this program: an OCI image layout as a tar, for linux/amd64
///
/// The image contains the program and nothing else, and runs it as user 65532. The program must be linked
/// statically: `make image` builds it so. The same program makes the same image.
#[derive(Args)]
pub(super) struct WriteImage {
    /// The file to write
    file: PathBuf,
    /// The program, instead of the one that runs
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The tag of the image
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"), value_parser = tag)]
    tag: String,
}

impl WriteImage {
    pub(super) fn run(self) -> Result<(), Failed> {
        let work = |at: &Path, what: &dyn std::fmt::Display| {
            Failed::Work(format!("{}: {what}", at.display()))
        };
        let path = match self.program {
            Some(path) => path,
            None => std::env::current_exe()
                .map_err(|e| Failed::Work(format!("the path of this program: {e}")))?,
        };
        let program =
            fs::read(&path).map_err(|e| Failed::Usage(format!("{}: {e}", path.display())))?;
        elf::check_static(&program).map_err(|e| work(&path, &e))?;
        let image =
            Image::of_program(&program, env!("CARGO_PKG_VERSION")).map_err(|e| work(&path, &e))?;
        let archive = image.archive(&self.tag).map_err(|e| work(&self.file, &e))?;
        fs::write(&self.file, &archive).map_err(|e| work(&self.file, &e))?;
        writeln!(
            io::stdout(),
            "{}: {}, tag {}, manifest {}, configuration {}, layer {}",
            self.file.display(),
            quantity::bytes(archive.len() as u64),
            self.tag,
            image.manifest.digest,
            image.config.digest,
            image.layer.digest,
        )
        .map_err(|e| Failed::Work(e.to_string()))
    }
}

/// A tag, as registries allow it.
fn tag(text: &str) -> Result<String, String> {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.len() <= 128
        && text.starts_with(first)
        && text.chars().all(|c| first(c) || matches!(c, '.' | '-'))
    {
        Ok(text.to_owned())
    } else {
        Err("expected at most 128 letters, digits and _ . -, of which . and - are not first"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::elf::tests::program;
    use super::*;

    #[test]
    fn tags_are_those_of_registries() {
        let long = "a".repeat(128);
        for valid in ["1", "_a", "0.1.0-rc.1", "Latest", &long] {
            assert_eq!(tag(valid).as_deref(), Ok(valid));
        }
        for invalid in ["", ".a", "-a", "a/b", "a:b", "ä", &format!("{long}a")] {
            assert!(tag(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn failures_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let given = folder.path().join("program");
        let run = |content: Option<&[u8]>, file: &str| {
            match content {
                Some(content) => fs::write(&given, content).unwrap(),
                None => fs::remove_file(&given).unwrap(),
            }
            let command = WriteImage {
                file: folder.path().join(file),
                program: Some(given.clone()),
                tag: "1".to_owned(),
            };
            match command.run() {
                Ok(()) => String::new(),
                Err(Failed::Usage(message)) => format!("usage: {message}"),
                Err(Failed::Work(message) | Failed::Exit(_, message)) => message,
            }
        };
        assert_eq!(run(Some(&program(&[1], "")), "image.tar"), "");
        assert!(fs::read(folder.path().join("image.tar")).unwrap().starts_with(b"oci-layout\0"));
        let dynamic = program(&[3], "/lib/ld.so\0");
        let found = run(Some(&dynamic), "other.tar");
        assert!(found.contains("/program: expected a statically linked program"), "{found}");
        assert!(!folder.path().join("other.tar").exists());
        assert!(run(Some(&program(&[1], "")), "none/image.tar").contains("none/image.tar: "));
        assert!(run(None, "image.tar").starts_with("usage: "));
    }
}
