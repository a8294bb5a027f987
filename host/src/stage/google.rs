//! Files on a stage in Google Cloud Storage, by its XML API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::azure::encryption_data;
use super::crc32c::crc32c;
use super::file::{CONTENT_TYPE, StageFile};
use super::info::{GoogleStage, StageInfo, StageStorage};
use super::requests::{AnswerClass, PutError, StorageApi, UploadRequests, failed};
use crate::cloud::exchange::{CloudFailure, CloudResponse};
use crate::cloud::request::{Ask, Verb};
use crate::cloud::signature::PayloadHash;
use crate::credentials::Secret;

/// Parts are multiples of it.
const GRAIN: usize = 256 << 10;
/// Attempts to upload a file whose session the server has lost.
const SESSIONS: u32 = 3;
/// The status of the answer to a part that is not the last.
const GO_ON: u16 = 308;

impl StorageApi for GoogleStage {
    fn of(info: &StageInfo) -> Option<&Self> {
        match &info.storage {
            StageStorage::Google(stage) => Some(stage),
            _ => None,
        }
    }

    fn sign(&self, ask: &mut Ask, _: &PayloadHash) -> Vec<Secret> {
        match self {
            Self::Presigned(url) => {
                let query = url.reveal().split_once('?').map(|(_, it)| Secret::new(it.to_owned()));
                [url.clone()].into_iter().chain(query).collect()
            }
            Self::Folder { token, .. } => {
                ask.headers.push(("authorization", format!("Bearer {}", token.reveal())));
                vec![token.clone()]
            }
        }
    }

    fn class(&self, answer: &CloudResponse) -> AnswerClass {
        match (self, answer.status) {
            (Self::Presigned(_), 400) | (Self::Folder { .. }, 401) => AnswerClass::Expired,
            // A new token is not valid everywhere at once.
            (Self::Folder { .. }, 403) => AnswerClass::Retry,
            (_, status) => AnswerClass::of_status(status),
        }
    }
}

impl GoogleStage {
    /// A request to the file. Sending it fails if a signed URL is not a URL.
    fn ask(&self, verb: Verb, name: &str) -> Ask {
        let ask = match self {
            Self::Presigned(url) => Ask::of_url(url.reveal()).unwrap_or_default(),
            Self::Folder { endpoint, prefix, .. } => endpoint.ask(&[&format!("{prefix}{name}")]),
        };
        Ask { verb, ..ask }
    }
}

/// Creates a file.
pub(super) fn put(
    requests: &UploadRequests<'_>,
    file: &StageFile<'_>,
    stage: &GoogleStage,
) -> Result<(), PutError> {
    // A signed URL is for one request.
    let whole = matches!(stage, GoogleStage::Presigned(_));
    let part = (file.parts.part / GRAIN).max(1) * GRAIN;
    if whole || file.bytes.len() <= file.parts.above {
        return put_whole(requests, file);
    }
    let mut begun = 0;
    loop {
        begun += 1;
        match put_parts(requests, file, part) {
            Err(PutError::Failed(failure))
                if begun < SESSIONS && matches!(&*failure.code, "404" | "410") => {}
            ended => return ended,
        }
    }
}

fn put_whole(requests: &UploadRequests<'_>, file: &StageFile<'_>) -> Result<(), PutError> {
    let sum = sum(file.bytes);
    let ask = |stage: &GoogleStage| {
        let mut ask = stage.ask(Verb::Put, file.name);
        ask.headers = metadata(file);
        // A signed URL covers the headers above.
        if matches!(stage, GoogleStage::Folder { .. }) {
            ask.headers.push(("content-type", CONTENT_TYPE.to_owned()));
            ask.headers.push(("x-goog-hash", sum.clone()));
        }
        ask
    };
    let class = |stage: &GoogleStage, answer: &CloudResponse| checked(stage, answer, &sum);
    requests.send_and_read("writing the file", file.bytes, ask, class).map(|_| ())
}

/// One part after the other, each from the byte on that the server requests.
fn put_parts(
    requests: &UploadRequests<'_>,
    file: &StageFile<'_>,
    part: usize,
) -> Result<(), PutError> {
    let session = begin(requests, file)?;
    let written = write_parts(requests, file, part, &session);
    if written.is_err() {
        let ask = |stage: &GoogleStage| session.ask(stage, Verb::Delete);
        // Its answer is 499, and a failure of it is not reported: the upload has failed already.
        _ = requests.cleaning().send("aborting the upload", &[], ask);
    }
    written
}

/// The URL of an upload in parts.
struct ResumableUpload(Ask);

impl ResumableUpload {
    fn ask(&self, _: &GoogleStage, verb: Verb) -> Ask {
        Ask { verb, ..self.0.clone() }
    }
}

fn begin(requests: &UploadRequests<'_>, file: &StageFile<'_>) -> Result<ResumableUpload, PutError> {
    let step = "beginning an upload in parts";
    let origin = std::cell::RefCell::new(String::new());
    let ask = |stage: &GoogleStage| {
        let mut ask = stage.ask(Verb::Post, file.name);
        ask.headers = metadata(file);
        ask.headers.push(("content-type", CONTENT_TYPE.to_owned()));
        ask.headers.push(("x-goog-resumable", "start".to_owned()));
        ask.origin.clone_into(&mut origin.borrow_mut());
        ask
    };
    let answer = requests.send(step, &[], ask)?;
    let session = answer.header("location").and_then(Ask::of_url);
    // The token is sent to the host of the file only.
    let session = session.filter(|it| it.origin == *origin.borrow());
    let unfit =
        "expected a URL at the same host in the header location of the answer, found another";
    session.map(ResumableUpload).ok_or_else(|| failed(step, &CloudFailure::lasting(unfit)))
}

fn write_parts(
    requests: &UploadRequests<'_>,
    file: &StageFile<'_>,
    part: usize,
    session: &ResumableUpload,
) -> Result<(), PutError> {
    let total = file.bytes.len();
    let sum = sum(file.bytes);
    let mut written = 0;
    let mut stuck = 0;
    loop {
        let rest = file.bytes.get(written..).unwrap_or_default();
        let bytes = rest.get(..part).unwrap_or(rest);
        let end = written + bytes.len();
        let last = end == total;
        let step = format!("writing bytes {written} to {}", end.saturating_sub(1));
        let ask = |stage: &GoogleStage| {
            let mut ask = session.ask(stage, Verb::Put);
            let range = format!("bytes {written}-{}/{total}", end.saturating_sub(1));
            ask.headers.push(("content-range", range));
            if last {
                ask.headers.push(("x-goog-hash", sum.clone()));
            }
            ask
        };
        let class = |stage: &GoogleStage, answer: &CloudResponse| match answer.status {
            GO_ON => AnswerClass::Done,
            _ => checked(stage, answer, &sum),
        };
        let answer = requests.send_and_read(&step, bytes, ask, class)?;
        if answer.status != GO_ON {
            return Ok(());
        }
        let kept = kept(&answer).filter(|kept| *kept <= total);
        let kept = kept.ok_or_else(|| {
            failed(
                &step,
                &CloudFailure::lasting("expected a range of the file in the header range"),
            )
        })?;
        // The server may keep some bytes of a part only.
        stuck = if kept > written { 0 } else { stuck + 1 };
        if stuck >= SESSIONS {
            return Err(failed(
                &step,
                &CloudFailure::lasting("the server keeps none of the bytes"),
            ));
        }
        written = kept;
    }
}

/// How many bytes the server has kept.
fn kept(answer: &CloudResponse) -> Option<usize> {
    match answer.header("range") {
        None => Some(0),
        Some(range) => range.strip_prefix("bytes=0-")?.parse::<usize>().ok()?.checked_add(1),
    }
}

/// The class of an answer that quotes the checksum of the written file.
fn checked(stage: &GoogleStage, answer: &CloudResponse, sum: &str) -> AnswerClass {
    let said = answer.headers.get_all("x-goog-hash");
    let said = said.iter().filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
    let differs = |it: &str| it.starts_with("crc32c=") && it != sum;
    match stage.class(answer) {
        AnswerClass::Done if said.map(str::trim).any(differs) => AnswerClass::Retry,
        class => class,
    }
}

fn sum(bytes: &[u8]) -> String {
    format!("crc32c={}", STANDARD.encode(crc32c(bytes).to_be_bytes()))
}

fn metadata(file: &StageFile<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        // As the drivers send it: the file is stored as it is.
        ("content-encoding", String::new()),
        ("x-goog-meta-sfc-digest", file.digest.to_owned()),
    ];
    if let Some(envelope) = file.envelope {
        headers.push(("x-goog-meta-encryptiondata", encryption_data(envelope)));
        headers.push(("x-goog-meta-matdesc", envelope.description.clone()));
    }
    headers
}
