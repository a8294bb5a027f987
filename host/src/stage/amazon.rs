//! Files on a stage in Amazon S3.

use super::file::{CONTENT_TYPE, StageFile};
use super::info::{AmazonStage, StageInfo, StageStorage};
use super::requests::{AnswerClass, PutError, StorageApi, UploadRequests, failed};
use crate::cloud::exchange::{CloudFailure, CloudResponse, now};
use crate::cloud::request::{Ask, Verb};
use crate::cloud::signature::PayloadHash;
use crate::cloud::xml;
use crate::credentials::Secret;

/// Amazon's own limit.
const MOST_PARTS: usize = 10_000;

impl StorageApi for AmazonStage {
    fn of(info: &StageInfo) -> Option<&Self> {
        match &info.storage {
            StageStorage::Amazon(stage) => Some(stage),
            _ => None,
        }
    }

    fn sign(&self, ask: &mut Ask, payload: &PayloadHash) -> Vec<Secret> {
        let signature = Secret::new(self.keys.sign(ask, payload, &self.region, now()));
        let keys = [Some(signature), Some(self.keys.secret.clone()), self.keys.token.clone()];
        keys.into_iter().flatten().collect()
    }

    fn class(&self, answer: &CloudResponse) -> AnswerClass {
        let said = error_code(answer);
        match (answer.status, said.as_deref()) {
            (400 | 403, Some("ExpiredToken" | "TokenRefreshRequired")) => AnswerClass::Expired,
            (400, Some("RequestTimeout")) => AnswerClass::Retry,
            (status, _) => AnswerClass::of_status(status),
        }
    }
}

impl AmazonStage {
    fn ask(&self, verb: Verb, name: &str, query: &[(&str, &str)]) -> Ask {
        let mut ask = self.endpoint.ask(&[&format!("{}{name}", self.prefix)]);
        ask.verb = verb;
        ask.query =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ask
    }
}

/// Creates a file.
pub(super) fn put(requests: &UploadRequests<'_>, file: &StageFile<'_>) -> Result<(), PutError> {
    match file.parts(MOST_PARTS) {
        None => put_whole(requests, file),
        Some(parts) => put_parts(requests, file, &parts),
    }
}

fn put_whole(requests: &UploadRequests<'_>, file: &StageFile<'_>) -> Result<(), PutError> {
    let ask = |stage: &AmazonStage| {
        let mut ask = stage.ask(Verb::Put, file.name, &[]);
        ask.headers = metadata(file);
        ask
    };
    requests.send("writing the file", file.bytes, ask).map(|_| ())
}

/// Parts become a file when the upload is completed. A failed upload is aborted: Amazon would keep its parts,
/// and charge for them.
fn put_parts(
    requests: &UploadRequests<'_>,
    file: &StageFile<'_>,
    parts: &[&[u8]],
) -> Result<(), PutError> {
    let ask = |stage: &AmazonStage| {
        let mut ask = stage.ask(Verb::Post, file.name, &[("uploads", "")]);
        ask.headers = metadata(file);
        ask
    };
    let step = "beginning an upload in parts";
    let answer = requests.send(step, &[], ask)?;
    let id = element(&answer, "UploadId").ok_or_else(|| {
        failed(step, &CloudFailure::lasting("expected an UploadId in the answer, found none"))
    })?;
    let written = write_parts(requests, file, parts, &id);
    let completed = written.and_then(|tags| complete(requests, file, &id, &tags));
    if completed.is_err() {
        abort(requests, file, &id);
    }
    completed
}

/// Returns the tags of the parts.
fn write_parts(
    requests: &UploadRequests<'_>,
    file: &StageFile<'_>,
    parts: &[&[u8]],
    id: &str,
) -> Result<Vec<String>, PutError> {
    requests.for_parts(parts, |number, part| {
        let step = format!("writing part {} of {}", number + 1, parts.len());
        let number = (number + 1).to_string();
        let query = [("partNumber", number.as_str()), ("uploadId", id)];
        let ask = |stage: &AmazonStage| stage.ask(Verb::Put, file.name, &query);
        let answer = requests.send(&step, part, ask)?;
        let tag = answer.header("etag").map(str::to_owned);
        let unfit = || CloudFailure::lasting("expected the header etag in the answer, found none");
        tag.ok_or_else(|| failed(&step, &unfit()))
    })
}

fn complete(
    requests: &UploadRequests<'_>,
    file: &StageFile<'_>,
    id: &str,
    tags: &[String],
) -> Result<(), PutError> {
    let part = |(number, tag): (usize, &String)| {
        let tag = tag.trim_matches('"').replace('&', "&amp;").replace('<', "&lt;");
        let number = number + 1;
        format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{tag}\"</ETag></Part>")
    };
    let parts: String = tags.iter().enumerate().map(part).collect();
    let body = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}\
         </CompleteMultipartUpload>"
    );
    let ask = |stage: &AmazonStage| stage.ask(Verb::Post, file.name, &[("uploadId", id)]);
    // An answer with the status 200 may be an error.
    let class = |stage: &AmazonStage, answer: &CloudResponse| match error_code(answer).as_deref() {
        Some("InternalError" | "SlowDown" | "ServiceUnavailable" | "RequestTimeout") => {
            AnswerClass::Retry
        }
        Some(_) if answer.status == 200 => AnswerClass::Fatal,
        _ => stage.class(answer),
    };
    let sent =
        requests.send_and_read("completing the upload in parts", body.as_bytes(), ask, class);
    match sent {
        Ok(_) => Ok(()),
        // The answer to a second request, if the one to the first was lost.
        Err(PutError::Failed(failure)) if failure.code == "404" && arrived(requests, file) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Returns `true` if the file exists with this digest and size.
fn arrived(requests: &UploadRequests<'_>, file: &StageFile<'_>) -> bool {
    let ask = |stage: &AmazonStage| stage.ask(Verb::Head, file.name, &[]);
    requests.send("asking for the file", &[], ask).is_ok_and(|answer| {
        answer.header(DIGEST) == Some(file.digest)
            && answer.header("content-length") == Some(&file.bytes.len().to_string())
    })
}

/// A failure of it is not reported: the upload has failed already, with a failure of its own.
fn abort(requests: &UploadRequests<'_>, file: &StageFile<'_>, id: &str) {
    let ask = |stage: &AmazonStage| stage.ask(Verb::Delete, file.name, &[("uploadId", id)]);
    _ = requests.cleaning().send("aborting the upload in parts", &[], ask);
}

const DIGEST: &str = "x-amz-meta-sfc-digest";

fn metadata(file: &StageFile<'_>) -> Vec<(&'static str, String)> {
    let mut headers =
        vec![("content-type", CONTENT_TYPE.to_owned()), (DIGEST, file.digest.to_owned())];
    if let Some(envelope) = file.envelope {
        headers.push(("x-amz-meta-x-amz-iv", envelope.iv.clone()));
        headers.push(("x-amz-meta-x-amz-key", envelope.key.clone()));
        headers.push(("x-amz-meta-x-amz-matdesc", envelope.description.clone()));
    }
    headers
}

/// The code of an error in XML.
fn error_code(answer: &CloudResponse) -> Option<String> {
    element(answer, "Code")
}

/// The text of an element directly below the root.
fn element(answer: &CloudResponse, name: &str) -> Option<String> {
    let text = std::str::from_utf8(&answer.body).ok()?;
    let leaves = xml::leaves(text).ok()?;
    leaves.into_iter().find(|leaf| leaf.path == name).map(|leaf| leaf.text)
}
