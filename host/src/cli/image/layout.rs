//! An image in the format of the Open Container Initiative, with one layer that contains one program.
//!
//! An image depends on the program and nothing else: the same program makes the same bytes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tar::Tar;

/// The path of the program in the image.
const PROGRAM: &str = "snowcat";
/// The user and the group, which have no name and no rights.
const USER: &str = "65532:65532";
/// The time of everything.
const EPOCH: &str = "1970-01-01T00:00:00Z";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes and their digest.
pub(super) struct Blob {
    /// `sha256:` and the digest in hexadecimal digits.
    pub(super) digest: String,
    pub(super) bytes: Vec<u8>,
    media_type: &'static str,
}

/// An image: the program's layer, the configuration, the manifest that names both.
pub(super) struct Image {
    pub(super) layer: Blob,
    pub(super) config: Blob,
    pub(super) manifest: Blob,
}

impl Image {
    /// An image of a program.
    ///
    /// # Errors
    /// If the program is too large, or cannot be compressed.
    pub(super) fn of_program(program: &[u8], version: &str) -> Result<Self, String> {
        let mut files = Tar::default();
        files.file(PROGRAM, 0o555, program)?;
        let files = files.finish();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let compressed = gzip.write_all(&files).and_then(|()| gzip.finish());
        let layer = Blob::new(LAYER, compressed.map_err(|e| e.to_string())?);
        let entrypoint = format!("/{PROGRAM}");
        let config = Blob::of_json(
            CONFIG,
            &json!({
                "created": EPOCH,
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "User": USER,
                    "Entrypoint": [entrypoint],
                    "WorkingDir": "/",
                    "Labels": {"org.opencontainers.image.version": version},
                },
                "rootfs": {"type": "layers", "diff_ids": [digest_of(&files)]},
                "history": [{"created": EPOCH, "created_by": "snowcat image"}],
            }),
        );
        let manifest = Blob::of_json(
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor(),
                "layers": [layer.descriptor()],
            }),
        );
        Ok(Self { layer, config, manifest })
    }

    /// The image layout with this image under a tag, as an archive.
    ///
    /// # Errors
    /// If a file is too large for an archive.
    pub(super) fn archive(&self, tag: &str) -> Result<Vec<u8>, String> {
        let mut manifest = self.manifest.descriptor();
        if let Some(fields) = manifest.as_object_mut() {
            fields.insert("platform".to_owned(), json!({"architecture": "amd64", "os": "linux"}));
            fields.insert(
                "annotations".to_owned(),
                json!({"org.opencontainers.image.ref.name": tag}),
            );
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]});
        let mut tar = Tar::default();
        let version = json!({"imageLayoutVersion": "1.0.0"});
        tar.file("oci-layout", 0o644, version.to_string().as_bytes())?;
        tar.file("index.json", 0o644, index.to_string().as_bytes())?;
        tar.folder("blobs/")?;
        tar.folder("blobs/sha256/")?;
        for blob in [&self.manifest, &self.config, &self.layer] {
            tar.file(&format!("blobs/{}", blob.digest.replace(':', "/")), 0o644, &blob.bytes)?;
        }
        Ok(tar.finish())
    }
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { digest: digest_of(&bytes), bytes, media_type }
    }

    fn of_json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    /// How another document names it.
    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::super::tar::tests::entries;
    use super::*;

    #[test]
    fn a_layout_leads_to_the_program() {
        let image = Image::of_program(b"a program", "1.2.3").unwrap();
        let archive = image.archive("1.2").unwrap();
        let files: BTreeMap<String, Vec<u8>> =
            entries(&archive).into_iter().map(|(name, _, content)| (name, content)).collect();
        assert_eq!(files.len(), 7);
        let read = |name: &str| serde_json::from_slice::<Value>(&files[name]).unwrap();
        // Size and digest of each descriptor are those of its blob.
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            let bytes = &files[&format!("blobs/{}", digest.replace(':', "/"))];
            assert_eq!(descriptor["size"], bytes.len());
            assert_eq!(digest, digest_of(bytes));
            bytes.clone()
        };
        assert_eq!(read("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}));
        let index = read("index.json");
        let manifest = &index["manifests"][0];
        assert_eq!(manifest["annotations"]["org.opencontainers.image.ref.name"], "1.2");
        assert_eq!(manifest["platform"], json!({"architecture": "amd64", "os": "linux"}));
        let manifest: Value = serde_json::from_slice(&blob(manifest)).unwrap();
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
        assert_eq!(config["config"]["Entrypoint"], json!(["/snowcat"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        let mut layer = Vec::new();
        GzDecoder::new(&*blob(&manifest["layers"][0])).read_to_end(&mut layer).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"], json!([digest_of(&layer)]));
        assert_eq!(entries(&layer), [("snowcat".to_owned(), 0o555, b"a program".to_vec())]);
    }

    #[test]
    fn an_image_depends_on_the_program_only() {
        let archive =
            |program: &[u8]| Image::of_program(program, "1").unwrap().archive("1").unwrap();
        assert!(archive(b"one") == archive(b"one"));
        assert!(archive(b"one") != archive(b"two"));
        // The bytes do not change between machines and days.
        let image = Image::of_program(b"a program", "1.2.3").unwrap();
        assert_eq!(image.layer.bytes[4..8], [0; 4], "the time");
        let expected = "sha256:b0e3f1b6b2e7aa9c1085563991f66a77b4fb3a5278404b85bcb0a8f99128625b";
        assert_eq!(image.config.digest, expected);
    }
}
