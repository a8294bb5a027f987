//! Files on a stage in Azure Blob Storage.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;

use super::file::{CONTENT_TYPE, FileEnvelope, StageFile};
use super::info::{AzureStage, StageInfo, StageStorage};
use super::requests::{AnswerClass, PutError, StorageApi, UploadRequests, failed};
use crate::cloud::exchange::{CloudFailure, CloudResponse};
use crate::cloud::request::{Ask, Verb};
use crate::cloud::signature::PayloadHash;
use crate::credentials::Secret;
use crate::http::encoded;

/// Azure's own limit.
const MOST_BLOCKS: usize = 50_000;
const VERSION: &str = "2021-08-06";

impl StorageApi for AzureStage {
    fn of(info: &StageInfo) -> Option<&Self> {
        match &info.storage {
            StageStorage::Azure(stage) => Some(stage),
            _ => None,
        }
    }

    fn sign(&self, ask: &mut Ask, _: &PayloadHash) -> Vec<Secret> {
        let pair = |(name, value): &(String, Secret)| (name.clone(), value.reveal().to_owned());
        ask.query.extend(self.signature.iter().map(pair));
        let signature = self.signature.iter().filter(|(name, _)| name == "sig");
        signature.flat_map(|(_, it)| [it.clone(), Secret::new(encoded(it.reveal()))]).collect()
    }

    fn class(&self, answer: &CloudResponse) -> AnswerClass {
        match answer.status {
            // The error code of an expired signature depends on its kind.
            403 => AnswerClass::Expired,
            status => AnswerClass::of_status(status),
        }
    }
}

impl AzureStage {
    fn ask(&self, name: &str, query: &[(&str, &str)]) -> Ask {
        let mut ask = self.endpoint.ask(&[&format!("{}{name}", self.prefix)]);
        ask.verb = Verb::Put;
        ask.query =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ask.headers.push(("x-ms-version", VERSION.to_owned()));
        ask
    }
}

/// Creates a file.
pub(super) fn put(requests: &UploadRequests<'_>, file: &StageFile<'_>) -> Result<(), PutError> {
    match file.parts(MOST_BLOCKS) {
        None => put_whole(requests, file),
        Some(blocks) => put_blocks(requests, file, &blocks),
    }
}

fn put_whole(requests: &UploadRequests<'_>, file: &StageFile<'_>) -> Result<(), PutError> {
    let sum = md5(file.bytes);
    let ask = |stage: &AzureStage| {
        let mut ask = stage.ask(file.name, &[]);
        ask.headers.push(("content-md5", sum.clone()));
        ask.headers.push(("content-type", CONTENT_TYPE.to_owned()));
        ask.headers.push(("x-ms-blob-type", "BlockBlob".to_owned()));
        ask.headers.extend(metadata(file));
        ask
    };
    requests.send("writing the file", file.bytes, ask).map(|_| ())
}

/// Blocks that are in no list belong to no file. Azure deletes them after a week: nothing has to be aborted.
fn put_blocks(
    requests: &UploadRequests<'_>,
    file: &StageFile<'_>,
    blocks: &[&[u8]],
) -> Result<(), PutError> {
    let upload = upload_id()?;
    let ids = requests.for_parts(blocks, |number, block| {
        // All have one length, and are unique to this upload.
        let id = STANDARD.encode(format!("{upload}-{number:08}"));
        let sum = md5(block);
        let ask = |stage: &AzureStage| {
            let mut ask = stage.ask(file.name, &[("comp", "block"), ("blockid", &id)]);
            ask.headers.push(("content-md5", sum.clone()));
            ask
        };
        let step = format!("writing block {} of {}", number + 1, blocks.len());
        requests.send(&step, block, ask)?;
        Ok(id)
    })?;
    let latest: String = ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
    let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{latest}</BlockList>");
    let sum = md5(body.as_bytes());
    let ask = |stage: &AzureStage| {
        let mut ask = stage.ask(file.name, &[("comp", "blocklist")]);
        ask.headers.push(("content-md5", sum.clone()));
        ask.headers.push(("x-ms-blob-content-type", CONTENT_TYPE.to_owned()));
        ask.headers.extend(metadata(file));
        ask
    };
    requests.send("writing the list of blocks", body.as_bytes(), ask).map(|_| ())
}

/// Sixteen random digits.
fn upload_id() -> Result<String, PutError> {
    let mut bytes = [0; 8];
    let unfit = |_| failed("naming the blocks", &CloudFailure::lasting("no random numbers"));
    SystemRandom::new().fill(&mut bytes).map_err(unfit)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

fn metadata(file: &StageFile<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![("x-ms-meta-sfcdigest", file.digest.to_owned())];
    if let Some(envelope) = file.envelope {
        headers.push(("x-ms-meta-encryptiondata", encryption_data(envelope)));
        headers.push(("x-ms-meta-matdesc", envelope.description.clone()));
    }
    headers
}

/// The envelope, as Azure and Google have it.
pub(super) fn encryption_data(envelope: &FileEnvelope) -> String {
    let algorithm = "AES_CBC_256";
    json!({
        "EncryptionMode": "FullBlob",
        "WrappedContentKey": {
            "KeyId": "symmKey1", "EncryptedKey": envelope.key, "Algorithm": algorithm,
        },
        "EncryptionAgent": {"Protocol": "1.0", "EncryptionAlgorithm": algorithm},
        "ContentEncryptionIV": envelope.iv,
        "KeyWrappingMetadata": {"EncryptionLibrary": "Snowcat"},
    })
    .to_string()
}
