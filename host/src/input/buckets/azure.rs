//! Azure Blob Storage. Requests are signed as in "Authorize with Shared Key", or have a signature
//! made elsewhere (SAS), or a token of Entra.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::amazon::size;
use super::api::{Api, Entry, Page, range};
use super::location::{AzureHost, is_account};
use super::token::{BearerToken, Grant};
use super::variables::Variables;
use super::wire::{Cloud, CloudClient};
use crate::cloud::exchange::{CloudFailure, CloudResponse, now};
use crate::cloud::request::{Ask, Endpoint, Verb, decoded};
use crate::cloud::signature::mac;
use crate::cloud::xml;
use crate::credentials::Secret;

/// A container.
pub(super) struct Azure {
    container: String,
    account: String,
    endpoint: Endpoint,
    proof: AzureAuth,
}

enum AzureAuth {
    None,
    /// The account key.
    Key(Vec<u8>),
    /// Parameters of the query, decoded.
    Signature(Vec<(String, Secret)>),
    BearerToken(BearerToken),
}

/// Since this version names that would be invalid in XML are encoded.
const VERSION: &str = "2021-08-06";

impl Azure {
    pub(super) fn new(
        container: &str,
        host: Option<AzureHost<'_>>,
        variables: &Variables,
    ) -> Result<Self, CloudFailure> {
        let own = variables.first(&["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"]);
        let account = match (host, &own) {
            (Some(host), _) => host.account.to_owned(),
            (None, Some(own)) if is_account(own) => own.clone(),
            _ => {
                return Err(CloudFailure::lasting(
                    "expected a storage account in AZURE_STORAGE_ACCOUNT, or \
                     az://account.blob.core.windows.net/container/path",
                ));
            }
        };
        let given = variables.endpoint(&["AZURE_STORAGE_ENDPOINT"])?;
        let endpoint = match (host, given) {
            (Some(host), _) => Endpoint::of_host(&format!("{account}.blob.{}", host.domain)),
            (None, Some(given)) => given,
            (None, None) => Endpoint::of_host(&format!("{account}.blob.core.windows.net")),
        };
        let proof = AzureAuth::of(variables)?;
        // A token is valid for all accounts that its owner may read; keys and signatures belong to
        // one account.
        if matches!(proof, AzureAuth::Key(_) | AzureAuth::Signature(_))
            && own.as_ref() != Some(&account)
        {
            return Err(CloudFailure::lasting(format!(
                "the key or signature in the environment is for AZURE_STORAGE_ACCOUNT, and that is \
                 not the account {account}"
            )));
        }
        Ok(Self { container: container.to_owned(), account, endpoint, proof })
    }

    fn ask(&self, key: Option<&str>) -> Ask {
        let parts: Vec<&str> = [self.container.as_str()].into_iter().chain(key).collect();
        let mut ask = self.endpoint.ask(&parts);
        ask.headers.push(("x-ms-version", VERSION.to_owned()));
        ask
    }
}

impl AzureAuth {
    fn of(variables: &Variables) -> Result<Self, CloudFailure> {
        if let Some(key) = variables.secret(&["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"]) {
            let key = STANDARD.decode(key.reveal().trim());
            let unfit = |_| CloudFailure::lasting("expected a key in base64 in AZURE_STORAGE_KEY");
            return key.map(Self::Key).map_err(unfit);
        }
        if let Some(text) = variables.secret(&["AZURE_STORAGE_SAS_TOKEN"]) {
            let pairs = text.reveal().trim().trim_start_matches('?').split('&');
            let pairs = pairs.filter_map(|pair| pair.split_once('='));
            let pair = |(name, value)| Some((decoded(name)?, Secret::new(decoded(value)?)));
            let pairs: Option<Vec<(String, Secret)>> = pairs.map(pair).collect();
            let pairs = pairs.filter(|it| it.iter().any(|(name, _)| name == "sig"));
            let unfit = "expected parameters with a sig in AZURE_STORAGE_SAS_TOKEN";
            return pairs.map(Self::Signature).ok_or_else(|| CloudFailure::lasting(unfit));
        }
        let id = variables.first(&["AZURE_CLIENT_ID"]);
        let secret = variables.secret(&["AZURE_CLIENT_SECRET"]);
        let tenant = variables.first(&["AZURE_TENANT_ID"]);
        let (Some(id), Some(secret), Some(tenant)) = (id, secret, tenant) else {
            return Ok(Self::None);
        };
        let host = variables.first(&["AZURE_AUTHORITY_HOST"]);
        let host = host.unwrap_or_else(|| "https://login.microsoftonline.com".to_owned());
        let url = format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'));
        let scope = "https://storage.azure.com/.default".to_owned();
        Ok(Self::BearerToken(BearerToken::new(Grant::Client { url, id, secret, scope })))
    }
}

impl Cloud for Azure {
    fn sign(&self, ask: &mut Ask, wire: &CloudClient) -> Result<Vec<Secret>, CloudFailure> {
        match &self.proof {
            AzureAuth::None => Ok(Vec::new()),
            AzureAuth::Key(key) => {
                let date = now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                ask.headers.push(("x-ms-date", date));
                let signature = STANDARD.encode(mac(key, &to_sign(ask, &self.account)));
                let value = format!("SharedKey {}:{signature}", self.account);
                ask.headers.push(("authorization", value));
                Ok(vec![Secret::new(signature)])
            }
            AzureAuth::Signature(pairs) => {
                let pair =
                    |(name, value): &(String, Secret)| (name.clone(), value.reveal().to_owned());
                ask.query.extend(pairs.iter().map(pair));
                let is = |(name, _): &&(String, Secret)| name == "sig";
                let secrets = pairs.iter().filter(is).map(|(_, value)| value);
                Ok(secrets
                    .flat_map(|it| [it.clone(), Secret::new(crate::http::encoded(it.reveal()))])
                    .collect())
            }
            AzureAuth::BearerToken(token) => token.add(ask, wire),
        }
    }

    fn learn(&self, answer: &CloudResponse) -> bool {
        matches!(&self.proof, AzureAuth::BearerToken(token) if answer.status == 401 && token.forget())
    }

    fn unsigned(&self) -> Option<&'static str> {
        let hint = "not signed, for there is no AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or \
                    AZURE_CLIENT_SECRET in the environment";
        matches!(self.proof, AzureAuth::None).then_some(hint)
    }
}

impl Api for Azure {
    fn list(&self, prefix: &str, next: Option<&str>) -> Ask {
        let mut ask = self.ask(None);
        let pairs = [("restype", "container"), ("comp", "list"), ("prefix", prefix)];
        // An empty parameter would have to be signed too.
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs = pairs.chain(next.map(|next| ("marker", next)));
        ask.query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        ask
    }

    fn page(&self, body: &str) -> Result<Page, String> {
        let mut page = Page::default();
        let mut entry = Entry::default();
        let mut folder = false;
        for leaf in xml::leaves(body)? {
            match leaf.path.as_str() {
                "Blobs/Blob/Name" if leaf.encoded => {
                    let key = decoded(&leaf.text);
                    entry.key = key.ok_or("expected names in UTF-8, found others")?;
                }
                "Blobs/Blob/Name" => entry.key = leaf.text,
                "Blobs/Blob/Properties/Content-Length" => entry.size = size(&leaf.text)?,
                "Blobs/Blob/Properties/Etag" => entry.tag = leaf.text,
                // In accounts with real folders.
                "Blobs/Blob/Properties/ResourceType" => folder = leaf.text == "directory",
                "Blobs/Blob" => {
                    let entry = std::mem::take(&mut entry);
                    if !std::mem::take(&mut folder) {
                        page.entries.push(entry);
                    }
                }
                "NextMarker" if !leaf.text.is_empty() => page.next = Some(leaf.text),
                _ => {}
            }
        }
        Ok(page)
    }

    fn about(&self, key: &str) -> Ask {
        Ask { verb: Verb::Head, ..self.ask(Some(key)) }
    }

    fn of_about(&self, key: &str, answer: &CloudResponse) -> Result<Option<Entry>, String> {
        // A folder, in accounts with real folders.
        let folder = answer.header("x-ms-resource-type") == Some("directory")
            || answer.header("x-ms-meta-hdi_isfolder") == Some("true");
        if folder { Ok(None) } else { Entry::of_head(key, answer).map(Some) }
    }

    fn read(&self, entry: &Entry, from: u64, to: u64) -> Ask {
        let mut ask = self.ask(Some(&entry.key));
        ask.headers.push(("x-ms-range", range(from, to)));
        ask.headers.extend(entry.condition().map(|tag| ("if-match", tag)));
        ask
    }
}

/// The text that is signed.
fn to_sign(ask: &Ask, account: &str) -> String {
    // The other ones of the eleven are not sent: there is no body, and dates are in `x-ms-date`.
    let condition = ask.header("if-match");
    let mut headers: Vec<String> = ask
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .map(|(name, value)| format!("{name}:{}\n", value.trim()))
        .collect();
    headers.sort();
    let mut query: Vec<String> = ask
        .query
        .iter()
        .map(|(name, value)| format!("\n{}:{value}", name.to_ascii_lowercase()))
        .collect();
    query.sort();
    // Verb, the headers Content-Encoding to If-Modified-Since (7), If-Match, the last three.
    format!(
        "{}\n\n\n\n\n\n\n\n{condition}\n\n\n\n{}/{account}{}{}",
        ask.verb.name(),
        headers.concat(),
        ask.path,
        query.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn azure(host: Option<AzureHost<'_>>, more: &[(&str, &str)]) -> Result<Azure, String> {
        let more: Vec<(String, String)> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let find = move |name: &str| Some(more.iter().find(|(other, _)| other == name)?.1.clone());
        Azure::new("c", host, &Variables::new(find)).map_err(|it| it.message)
    }

    const HOST: AzureHost<'_> = AzureHost { account: "acc", domain: "core.usgovcloudapi.net" };

    #[test]
    fn an_account_has_a_host_of_its_own() {
        let check = |host, more: &[(&str, &str)], expect: &str| {
            let ask = azure(host, more).unwrap().about("a/b c");
            assert_eq!(format!("{}{}", ask.origin, ask.path), expect);
        };
        check(Some(HOST), &[], "https://acc.blob.core.usgovcloudapi.net/c/a/b%20c");
        let own = ("AZURE_STORAGE_ACCOUNT", "acc");
        check(None, &[own], "https://acc.blob.core.windows.net/c/a/b%20c");
        let near = ("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:10000/acc");
        check(None, &[own, near], "http://127.0.0.1:10000/acc/c/a/b%20c");
    }

    #[test]
    fn credentials_go_to_their_account_only() {
        let check = |host, more: &[(&str, &str)], expect: &str| {
            let error = azure(host, more).err().unwrap_or_default();
            assert!(error.contains(expect) && error.is_empty() == expect.is_empty(), "{error}");
        };
        let key = ("AZURE_STORAGE_KEY", "a2V5");
        let (own, other) = (("AZURE_STORAGE_ACCOUNT", "acc"), ("AZURE_STORAGE_ACCOUNT", "mine"));
        check(Some(HOST), &[key, own], "");
        check(Some(HOST), &[key, other], "not the account acc");
        check(
            Some(HOST),
            &[("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=a%2B"), other],
            "not the account",
        );
        check(Some(HOST), &[("AZURE_STORAGE_SAS_TOKEN", "sv=1"), own], "with a sig");
        check(Some(HOST), &[("AZURE_STORAGE_KEY", "no base64!"), own], "in base64");
        check(None, &[], "AZURE_STORAGE_ACCOUNT");
        check(None, &[("AZURE_STORAGE_ACCOUNT", "evil.example/")], "AZURE_STORAGE_ACCOUNT");
    }

    #[test]
    fn lists_are_read() {
        let body = "\u{feff}<EnumerationResults><Blobs>\
            <Blob><Name>a</Name><Properties><Content-Length>0</Content-Length><ResourceType>directory</ResourceType></Properties></Blob>\
            <Blob><Name Encoded=\"true\">a%20b</Name><Properties><Etag>0x8</Etag><Content-Length>7</Content-Length></Properties></Blob>\
            </Blobs><NextMarker>2!m</NextMarker></EnumerationResults>";
        let container = azure(Some(HOST), &[]).unwrap();
        let page = container.page(body).unwrap();
        assert_eq!(page.entries, [Entry { key: "a b".into(), size: 7, tag: "0x8".into() }]);
        assert_eq!(page.next.as_deref(), Some("2!m"));
        assert_eq!(container.page("<E><Blobs/><NextMarker/></E>").unwrap().next, None);
    }

    /// The order of the lines in the manual.
    #[test]
    fn what_is_signed_has_an_order() {
        let mut ask = azure(Some(HOST), &[]).unwrap().list("a/", Some("2!m"));
        ask.headers.push(("x-ms-date", "D".to_owned()));
        let expect = format!(
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:D\nx-ms-version:{VERSION}\n/acc/c\ncomp:list\nmarker:2!m\nprefix:a/\nrestype:container"
        );
        assert_eq!(to_sign(&ask, "acc"), expect);
    }
}
