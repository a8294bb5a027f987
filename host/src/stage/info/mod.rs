//! The answer to a PUT statement: the storage of a stage, and credentials for it.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cloud::request::{Endpoint, decoded};
use crate::cloud::signature::Keys;
use crate::credentials::Secret;

/// The answer to a PUT statement: the storage of a stage, and credentials for it that expire.
///
/// ```
/// use snowcat_host::stage::StageInfo;
///
/// let data = serde_json::json!({"stageInfo": {
///     "locationType": "GCS", "location": "bucket/load/", "creds": {"GCS_ACCESS_TOKEN": "hunter2"},
/// }});
/// let info = StageInfo::parse(&data)?;
/// assert!(!format!("{info:?}").contains("hunter2"));
/// assert!(StageInfo::parse(&serde_json::json!({"stageInfo": {"locationType": "LOCAL_FS"}})).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct StageInfo {
    pub(super) storage: StageStorage,
    /// The key of client-side encryption, if the stage has it.
    pub(super) material: Option<Material>,
    pub(super) expires: Option<SystemTime>,
}

/// The storage, by cloud.
#[derive(Clone, Debug)]
pub(super) enum StageStorage {
    Amazon(AmazonStage),
    Azure(AzureStage),
    Google(GoogleStage),
}

#[derive(Clone, Debug)]
pub(super) struct AmazonStage {
    /// The bucket is in its host or in its path.
    pub(super) endpoint: Endpoint,
    /// Before the names of files: empty, or ends with a slash.
    pub(super) prefix: String,
    pub(super) region: String,
    pub(super) keys: Keys,
}

#[derive(Clone, Debug)]
pub(super) struct AzureStage {
    /// The container is in its path.
    pub(super) endpoint: Endpoint,
    pub(super) prefix: String,
    /// Parameters of the query, decoded.
    pub(super) signature: Vec<(String, Secret)>,
}

#[derive(Clone, Debug)]
pub(super) enum GoogleStage {
    Folder {
        endpoint: Endpoint,
        prefix: String,
        token: Secret,
    },
    /// A URL for one file.
    Presigned(Secret),
}

/// The master key of a stage with client-side encryption.
#[derive(Clone)]
pub(super) struct Material {
    pub(super) key: MasterKey,
    pub(super) query_id: String,
    /// A number that need not fit into 64 bits.
    pub(super) smk_id: String,
}

/// A key of AES.
#[derive(Clone)]
pub(super) enum MasterKey {
    Aes128([u8; 16]),
    Aes256([u8; 32]),
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("smk_id", &self.smk_id).finish_non_exhaustive()
    }
}

impl StageInfo {
    /// Reads the `data` of the answer to a PUT statement.
    ///
    /// # Errors
    /// What was expected, what was found, and where. No error quotes a secret.
    pub fn parse(data: &Value) -> Result<Self, String> {
        let answer = Fields { value: data, path: "data".to_owned() };
        if let Some(command) = answer.text("command").filter(|it| *it != "UPLOAD") {
            return Err(format!("expected the command UPLOAD in data, found {command:?}"));
        }
        let mut info = answer.at("stageInfo");
        if info.value.is_null() {
            info = answer.at("uploadInfo");
        }
        let storage = match info.required("locationType")? {
            "S3" => StageStorage::Amazon(AmazonStage::read(&info)?),
            "AZURE" => StageStorage::Azure(AzureStage::read(&info)?),
            "GCS" => StageStorage::Google(GoogleStage::read(&answer, &info)?),
            other => {
                let path = &info.path;
                return Err(format!(
                    "expected S3, AZURE or GCS in {path}.locationType, found {other:?}"
                ));
            }
        };
        let material = Material::read(&answer.at("encryptionMaterial"))?;
        if material.is_none() && info.flag("isClientSideEncrypted") {
            return Err("expected encryptionMaterial in data, for the stage has client-side \
                        encryption; found none"
                .to_owned());
        }
        Ok(Self { storage, material, expires: expiry(&info.at("credExpiryTime")) })
    }

    /// Returns `true` if it is for the one file that the statement named.
    pub(super) fn is_for_one_file(&self) -> bool {
        matches!(self.storage, StageStorage::Google(GoogleStage::Presigned(_)))
    }
}

impl AmazonStage {
    fn read(info: &Fields<'_>) -> Result<Self, String> {
        let (bucket, prefix) = info.location()?;
        let region = info.text("region").unwrap_or("us-east-1");
        info.check_host("region", region)?;
        let creds = info.at("creds");
        let keys = Keys {
            id: creds.required("AWS_KEY_ID")?.to_owned(),
            secret: Secret::new(creds.required("AWS_SECRET_KEY")?.to_owned()),
            token: creds.text("AWS_TOKEN").map(|it| Secret::new(it.to_owned())),
        };
        // The certificate does not cover a name with a dot.
        let beside = |domain: &str| {
            if bucket.contains('.') {
                Endpoint::of_host(domain).below(bucket)
            } else {
                Endpoint::of_host(&format!("{bucket}.{domain}"))
            }
        };
        let regional = info.flag("useS3RegionalUrl") || info.flag("useRegionalUrl");
        let endpoint = match info.endpoint()? {
            Some(StageEndpoint::Url(base)) => base.below(bucket),
            Some(StageEndpoint::Host(host)) => beside(host),
            None if region.starts_with("cn-") => beside(&format!("s3.{region}.amazonaws.com.cn")),
            None if regional => beside(&format!("s3.{region}.amazonaws.com")),
            None => beside("s3.amazonaws.com"),
        };
        Ok(Self { endpoint, prefix, region: region.to_owned(), keys })
    }
}

impl AzureStage {
    fn read(info: &Fields<'_>) -> Result<Self, String> {
        let (container, prefix) = info.location()?;
        let endpoint = match info.endpoint()? {
            Some(StageEndpoint::Url(base)) => base,
            given => {
                let account = info.required("storageAccount")?;
                info.check_host("storageAccount", account)?;
                let domain = match given {
                    Some(StageEndpoint::Host(host)) => host.trim_start_matches("blob."),
                    _ => "core.windows.net",
                };
                Endpoint::of_host(&format!("{account}.blob.{domain}"))
            }
        };
        let creds = info.at("creds");
        let token = creds.required("AZURE_SAS_TOKEN")?.trim_start_matches('?');
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            Some((decoded(name)?, Secret::new(decoded(value)?)))
        };
        let pairs = token.split('&').filter(|it| !it.is_empty()).map(pair);
        let signature: Option<Vec<(String, Secret)>> = pairs.collect();
        let signature = signature.filter(|it| it.iter().any(|(name, _)| name == "sig"));
        let unfit = || format!("expected parameters with a sig in {}.AZURE_SAS_TOKEN", creds.path);
        let signature = signature.ok_or_else(unfit)?;
        Ok(Self { endpoint: endpoint.below(container), prefix, signature })
    }
}

impl GoogleStage {
    fn read(answer: &Fields<'_>, info: &Fields<'_>) -> Result<Self, String> {
        let listed = answer.value.get("presignedUrls").and_then(Value::as_array);
        let listed = listed.and_then(|urls| urls.iter().find_map(Value::as_str));
        let creds = info.at("creds");
        if let Some(url) = info.text("presignedUrl").or(listed) {
            return Ok(Self::Presigned(Secret::new(url.to_owned())));
        }
        let token = creds.text("GCS_ACCESS_TOKEN").ok_or_else(|| {
            format!("expected GCS_ACCESS_TOKEN in {}, or a presignedUrl; found neither", creds.path)
        })?;
        let (bucket, prefix) = info.location()?;
        let region = info.text("region").unwrap_or_default().to_ascii_lowercase();
        let endpoint = match info.endpoint()? {
            Some(StageEndpoint::Url(base)) => base.below(bucket),
            Some(StageEndpoint::Host(host)) => Endpoint::of_host(host).below(bucket),
            None if info.flag("useVirtualUrl") => {
                Endpoint::of_host(&format!("{bucket}.storage.googleapis.com"))
            }
            // This region has no other address.
            None if info.flag("useRegionalUrl") || region == "me-central2" => {
                info.check_host("region", &region)?;
                Endpoint::of_host(&format!("storage.{region}.rep.googleapis.com")).below(bucket)
            }
            None => Endpoint::of_host("storage.googleapis.com").below(bucket),
        };
        Ok(Self::Folder { endpoint, prefix, token: Secret::new(token.to_owned()) })
    }
}

impl Material {
    fn read(given: &Fields<'_>) -> Result<Option<Self>, String> {
        let one = match given.value.as_array() {
            Some(list) => match list.as_slice() {
                [] => return Ok(None),
                [one] => one,
                more => {
                    return Err(format!(
                        "expected one element in {}, found {}",
                        given.path,
                        more.len()
                    ));
                }
            },
            None if given.value.is_null() => return Ok(None),
            None => given.value,
        };
        let one = Fields { value: one, path: given.path.clone() };
        let unfit = || {
            format!(
                "expected a key of 16 or 32 bytes in base64 in {}.queryStageMasterKey",
                one.path
            )
        };
        let key = STANDARD.decode(one.required("queryStageMasterKey")?).map_err(|_| unfit())?;
        let key = MasterKey::of(&key).ok_or_else(unfit)?;
        let smk_id = match one.value.get("smkId") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(format!("expected a number in {}.smkId", one.path)),
        };
        Ok(Some(Self { key, query_id: one.required("queryId")?.to_owned(), smk_id }))
    }
}

impl MasterKey {
    /// A key of these bytes; `None` if it has another length.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let short = || bytes.try_into().ok().map(Self::Aes128);
        bytes.try_into().ok().map(Self::Aes256).or_else(short)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Aes128(key) => key,
            Self::Aes256(key) => key,
        }
    }
}

/// In milliseconds since 1970, as a number or a text.
fn expiry(given: &Fields<'_>) -> Option<SystemTime> {
    let text = given.value.as_str().and_then(|it| it.parse().ok());
    let milliseconds = given.value.as_u64().or(text).filter(|it| *it > 0)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// An object, and where it is.
struct Fields<'a> {
    value: &'a Value,
    path: String,
}

/// The endpoint that a server named.
enum StageEndpoint<'a> {
    /// With a scheme: a bucket or container is below it.
    Url(Endpoint),
    Host(&'a str),
}

impl<'a> Fields<'a> {
    fn at(&self, key: &str) -> Self {
        const NULL: &Value = &Value::Null;
        let value = self.value.get(key).unwrap_or(NULL);
        Self { value, path: format!("{}.{key}", self.path) }
    }

    /// A text that is not empty.
    fn text(&self, key: &str) -> Option<&'a str> {
        self.value.get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
    }

    fn required(&self, key: &str) -> Result<&'a str, String> {
        self.text(key).ok_or_else(|| {
            let found = match self.value.get(key) {
                None => "none",
                Some(Value::Null) => "null",
                Some(Value::String(_)) => "an empty one",
                Some(_) => "another type",
            };
            format!("expected a string in {}.{key}, found {found}", self.path)
        })
    }

    fn flag(&self, key: &str) -> bool {
        self.value.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The bucket or container, and the prefix.
    fn location(&self) -> Result<(&'a str, String), String> {
        let location = self.required("location")?;
        let (bucket, prefix) = location.split_once('/').unwrap_or((location, ""));
        self.check_host("location", bucket)?;
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Ok((bucket, format!("{prefix}{slash}")))
    }

    fn endpoint(&self) -> Result<Option<StageEndpoint<'a>>, String> {
        let Some(given) = self.text("endPoint") else { return Ok(None) };
        if given.contains("://") {
            let unfit = || format!("expected a URL or a host in {}.endPoint", self.path);
            return Endpoint::parse(given).map(StageEndpoint::Url).map(Some).ok_or_else(unfit);
        }
        let (host, port) = given.split_once(':').unwrap_or((given, "443"));
        self.check_host("endPoint", host)?;
        if port.parse::<u16>().is_err() {
            return Err(format!("expected a port in {}.endPoint, found {port:?}", self.path));
        }
        Ok(Some(StageEndpoint::Host(given)))
    }

    /// Checks a text that becomes a part of a host name.
    fn check_host(&self, key: &str, text: &str) -> Result<(), String> {
        let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
        let legal = !text.is_empty() && text.bytes().all(legal);
        let unfit = || {
            let path = &self.path;
            format!("expected letters, digits, - and . only in {path}.{key}, found {text:?}")
        };
        legal.then_some(()).ok_or_else(unfit)
    }
}

#[cfg(test)]
mod tests;
