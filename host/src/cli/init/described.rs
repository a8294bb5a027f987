//! A job from the description of an API.

use std::path::Path;

use serde_json::{Map, Value};

use super::asked::{SECRETS, host};
use super::openapi::OPEN;
use super::{Failed, Init, openapi, references};

impl Init {
    pub(super) fn of_description(&self, document: Value, file: &str) -> Result<Value, Failed> {
        let usage = |why: String| Failed::Usage(format!("{file}: {why}"));
        let place = Some(self.file.as_path()).filter(|it| *it != Path::new("-"));
        let (mut document, urls) = references::bundle(document, place).map_err(usage)?;
        openapi::add_examples(&mut document);
        let mut api = openapi::read(&document, &self.path);
        if let Some(url) = urls.first() {
            api.skipped.push(format!(
                "{} to URLs such as {url} that were not followed",
                super::super::quantity::counted(urls.len() as u64, "reference")
            ));
        }
        if api.resources.is_empty() {
            let why = match api.skipped.as_slice() {
                [] => "expected a GET that answers with a list of objects, found none".to_owned(),
                skipped => skipped.join("; "),
            };
            return Err(usage(why));
        }
        let (base_url, note) = api.base_url;
        let mut job = self.head(&format!("{file} ({})", api.title), Some(&base_url));
        let mut client = Map::new();
        if let Some(note) = note {
            client.insert("//base_url".to_owned(), note.into());
        }
        client.insert("base_url".to_owned(), base_url.clone().into());
        if let Some((name, mut credential)) = api.credential {
            let mut hosts: Vec<&str> = host(&base_url).into_iter().collect();
            let token =
                credential.get("access_token_url").and_then(Value::as_str).map(str::to_owned);
            hosts.extend(token.as_deref().and_then(host).filter(|it| Some(*it) != host(&base_url)));
            credential.insert("hosts".to_owned(), hosts.into());
            credential.insert("secret".to_owned(), name.clone().into());
            let mut credentials = Map::new();
            credentials.insert(name.clone(), credential.into());
            job.insert("//credentials".to_owned(), SECRETS.into());
            job.insert("credentials".to_owned(), credentials.into());
            client.insert("auth".to_owned(), name.into());
        }
        job.insert("client".to_owned(), client.into());
        if !api.open.is_empty() {
            let open = api.open.into_iter().map(|(name, count)| {
                let resources = super::super::quantity::counted(count as u64, "resource");
                (name, format!("{OPEN}: {resources}").into())
            });
            job.insert("//params".to_owned(), open.collect::<Map<String, Value>>().into());
        }
        if let Some(selected) = api.selected {
            let note = "Only these are loaded; the other resources are read because the paths of these need their records.";
            job.insert("//selected".to_owned(), note.into());
            job.insert("selected".to_owned(), selected.into());
        }
        if !api.skipped.is_empty() {
            job.insert("//skipped".to_owned(), api.skipped.into());
        }
        job.insert("resources".to_owned(), api.resources.into());
        Ok(job.into())
    }
}
