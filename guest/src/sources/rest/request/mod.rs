//! The requests of one resource, one after the other.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::detect::{FirstPage, Records, paginator, records};
use super::outline::ResponseOutline;
use super::paginate::{Pager, Repeats};
use super::parents::ParentRow;
use super::placeholders::{PlaceholderValues, params, values};
use super::retry::ResponsePolicy;
use super::trouble::check_failure;
use crate::fault::{Context as _, Fault, Result};
use crate::job::paginator::{Detection, NextPage, PageFacts, ParamLocation};
use crate::job::{
    Client, Credential, CursorValue, Endpoint, Job, JsonTemplate, Paginator, Resource,
    ResponseRule, url,
};
use crate::json::Path;
use crate::protocol::{Request, Response};
use crate::sources::incremental::convert::plain;

/// The requests of one resource in one run: the first one, and the next one after each page.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    /// The fields of the parent's record that requests use, as path and value.
    parent: Vec<(String, String)>,
    method: &'static str,
    url: String,
    params: IndexMap<String, Vec<String>>,
    body: Option<Value>,
    /// The body as a form or text instead of JSON.
    data: Option<Data>,
    headers: Vec<(String, String)>,
    credential: Option<Credential>,
    selector: Option<Path>,
    /// Whether the whole response is a record, because the job has no selector.
    whole: bool,
    /// The names of the resource and of its path, which lists of records often have.
    names: [String; 2],
    /// Messages about what was detected.
    found: Vec<String>,
    pager: Pager,
    repeats: Repeats,
    rules: Vec<ResponseRule>,
    /// The position from which pages continue, for a paginator that is detected later.
    number: Option<i64>,
}

impl Requests {
    /// Creates the requests of a resource with an endpoint. `start` is the start of its cursor's
    /// range minus the lag ([`crate::sources::incremental::Incremental::start_value`]). `parent` is
    /// the parent's record, if the resource has a parent.
    ///
    /// # Errors
    /// A config fault if a placeholder has no value or a conversion does not fit the cursor; a data
    /// fault if the parent's record lacks a field; an internal fault if the resource has no
    /// endpoint.
    pub(crate) fn new(
        job: &Job,
        resource: &Resource,
        start: Option<&CursorValue<'_>>,
        parent: Option<ParentRow<'_>>,
    ) -> Result<Self> {
        let Some(endpoint) = resource.endpoint() else {
            return Err(Fault::internal("requests of a resource that is pulled"));
        };
        let placeholders = PlaceholderValues { cursor: resource.cursor.as_ref(), start, parent };
        let client = job.client.as_ref();
        let path = placeholders.path(&endpoint.path).at(|| "endpoint.path")?;
        let headers = headers(client, endpoint, &placeholders)?;
        let body = endpoint
            .json
            .as_ref()
            .map(|template| placeholders.value(template))
            .transpose()
            .at(|| "endpoint.json")?;
        let data = data(endpoint, &placeholders)?;
        let paginator = endpoint
            .paginator
            .clone()
            .or_else(|| client.and_then(|client| client.paginator.clone()))
            .unwrap_or(Paginator::auto());
        let mut requests = Self {
            parent: parent.map(|row| row.fields()).transpose()?.unwrap_or_default(),
            method: endpoint.method.name(),
            url: url::join(client.map_or("", |client| &client.base_url), &path),
            params: params(endpoint, &placeholders)?,
            body: body.map(|body| body.unwrap_or_default()),
            data,
            headers,
            credential: job.credential(endpoint).cloned(),
            selector: endpoint.data_selector.clone(),
            whole: false,
            names: [resource.name.clone(), last_part(&path).to_owned()],
            found: Vec::new(),
            pager: Pager::new(paginator),
            repeats: Repeats::new(!resource.primary_key.is_empty()),
            rules: endpoint.response_rules.clone(),
            number: None,
        };
        if requests.data.is_some() && requests.pager.writes_body() {
            return Err(Fault::config(
                "expected \"json\" in place of \"data\", for the paginator writes into the body",
            ));
        }
        for (place, value) in requests.pager.first() {
            requests.put(&place, value);
        }
        Ok(requests)
    }

    /// The first request.
    ///
    /// # Errors
    /// A config fault if its credential is not for the host.
    pub(crate) fn first(&self) -> Result<Request> {
        self.request()
    }

    /// Detects in a response what the job omits. Does nothing once it is detected. Call it before
    /// the records are read.
    ///
    /// # Errors
    /// A source fault if the response is not JSON, reports an error, or shows that there are more
    /// pages but not how to request them.
    pub(crate) fn look(&mut self, response: &Response) -> Result<()> {
        if self.selector.is_some() && !self.pager.is_auto() && !self.whole {
            return Ok(());
        }
        let outline = ResponseOutline::read(&response.body)?;
        if self.whole {
            check_failure(&outline, &response.body)?;
        } else if self.selector.is_none() {
            self.find_records(&outline, &response.body)?;
        }
        if !self.pager.is_auto() {
            return Ok(());
        }
        match self.detected(&outline, response) {
            Detection::Unknown(message) => return Err(Fault::source(message)),
            Detection::Found(paginator, said) => {
                // The last page of an interrupted load says little.
                if self.number.is_none() || !paginator.is_single_page() {
                    self.found.push(format!("no \"paginator\" is named: {said}"));
                }
                // The detected paginator describes the next page; the first was requested without
                // it.
                self.pager = Pager::new(*paginator);
                self.repeats.guess();
            }
        }
        if let Some(number) = self.number {
            self.pager.set_number(number);
        }
        Ok(())
    }

    /// A message about signs of more pages, if the paginator of the job found no page after the
    /// first. A paginator for a single page is not checked.
    ///
    /// # Errors
    /// A source fault if the response is not JSON.
    pub(crate) fn overlooked(&self, response: &Response) -> Result<Option<String>> {
        if !self.pager.ends_by_response() || self.repeats.is_guess() {
            return Ok(None);
        }
        let outline = ResponseOutline::read(&response.body)?;
        let shown = match self.detected(&outline, response) {
            Detection::Found(paginator, _) if paginator.is_single_page() => return Ok(None),
            Detection::Found(_, said) | Detection::Unknown(said) => said,
        };
        Ok(Some(format!("the paginator that is named found no page behind the first; yet {shown}")))
    }

    fn detected(&self, outline: &ResponseOutline, response: &Response) -> Detection {
        let params = pairs(&self.params);
        let first = FirstPage {
            headers: &response.headers,
            params: &params,
            has_body: self.body.is_some(),
            selector: self.selector.as_ref(),
        };
        paginator(outline, &first)
    }

    fn find_records(&mut self, outline: &ResponseOutline, body: &str) -> Result<()> {
        let names = self.names.each_ref().map(String::as_str);
        let said = match records(outline, &names) {
            Records::At(path, said) => {
                if path.segments().is_empty() {
                    check_failure(outline, body)?;
                    self.whole = matches!(outline, ResponseOutline::Object(_));
                }
                self.selector = Some(path);
                said
            }
            Records::None(said) => {
                check_failure(outline, body)?;
                Some(said)
            }
        };
        let said = said.map(|said| format!("no \"data_selector\" is named: {said}"));
        self.found.extend(said);
        Ok(())
    }

    /// Returns the messages about what was detected since the last call.
    pub(crate) fn found(&mut self) -> Vec<String> {
        std::mem::take(&mut self.found)
    }

    /// Checks that a response, and the part with the records, differs from the previous one, as the
    /// source may ignore the requested page; and that the pages come to an end.
    ///
    /// # Errors
    /// A source fault if it is the same, or there were too many responses without records.
    pub(crate) fn compare(&mut self, response: &Response, records: &str) -> Result<()> {
        self.repeats.take(self.pager.parameter(), &response.body, records)
    }

    /// The page size that an offset relies on.
    pub(crate) fn page_size(&self) -> Option<u64> {
        self.pager.page_size()
    }

    /// The position of the next request, for a run that continues there: see [`Requests::go_on`].
    pub(crate) fn position(&self) -> Value {
        json!({
            "url": self.url,
            "params": self.params.iter().collect::<Vec<_>>(),
            "body": self.body,
            "number": self.pager.number(),
        })
    }

    /// Continues at the position of another run.
    ///
    /// # Errors
    /// A data fault if it is not a position.
    pub(crate) fn go_on(&mut self, position: &Value) -> Result<()> {
        let fault = || Fault::data(format_args!("expected a position, found {position}"));
        let field = |key: &str| position.get(key).ok_or_else(fault);
        self.url = field("url")?.as_str().ok_or_else(fault)?.to_owned();
        let params: Vec<(String, Vec<String>)> =
            serde_json::from_value(field("params")?.clone()).map_err(|_| fault())?;
        self.params = params.into_iter().collect();
        self.body = position.get("body").filter(|body| !body.is_null()).cloned();
        let number = field("number")?.as_i64().ok_or_else(fault)?;
        self.pager.set_number(number);
        self.number = Some(number);
        Ok(())
    }

    /// The location of the records in a response: a list of them, or one. `None` if the job has no
    /// selector and no response has shown one yet.
    pub(crate) fn selector(&self) -> Option<&Path> {
        self.selector.as_ref()
    }

    /// The scalars that must be captured in a response. They may change when the first response is
    /// inspected.
    pub(crate) fn wanted_paths(&self) -> &[Path] {
        self.pager.reads()
    }

    /// The policy for responses. The status of the first one does not end the pages.
    pub(crate) fn policy(&self, first: bool) -> ResponsePolicy<'_> {
        let renews = self.credential.as_ref().is_some_and(Credential::renews);
        let end_statuses = if first { &[] } else { self.pager.end_statuses() };
        ResponsePolicy { rules: &self.rules, end_statuses, renews }
    }

    /// Returns the request after a page, if there is one.
    ///
    /// # Errors
    /// A source fault if the page lacks what its paginator needs, if its cursors form a cycle, or
    /// if the next page is on a host that the credential is not for.
    pub(crate) fn after(&mut self, page: &PageFacts<'_>) -> Result<Option<Request>> {
        match self.pager.after(page)? {
            NextPage::End => return Ok(None),
            NextPage::Set(place, value) => self.put(&place, value),
            NextPage::Url(reference) => {
                self.url = url::resolve(&self.url, &reference);
                // The link includes all parameters.
                self.params.clear();
                if url::authority(&self.url).is_none() {
                    return Err(Fault::source(format_args!(
                        "expected the next page at an http or https URL, found {}",
                        url::shown(&self.url)
                    )));
                }
                if let Some(credential) = self.credential.as_ref().filter(|c| !c.is_for(&self.url))
                {
                    return Err(Fault::source(format_args!(
                        "expected the next page at {}, the hosts of credential {:?}, found {}",
                        credential.hosts.join(", "),
                        credential.name,
                        url::shown(&self.url)
                    )));
                }
            }
        }
        self.request().map(Some)
    }

    /// The greatest number of pages that the job wants to be requested at once.
    pub(crate) fn parallel(&self) -> usize {
        self.pager.parallel()
    }

    /// Returns the requests after the next one that do not depend on its page, at most `count`. Where the total
    /// number is known, their pages exist.
    ///
    /// # Errors
    /// A config fault if the credential is not for the host.
    pub(crate) fn later(&self, count: usize) -> Result<Vec<Request>> {
        let mut later = self.clone();
        let request = |(place, value): (ParamLocation, Value)| {
            later.put(&place, value);
            later.request()
        };
        self.pager.later(count).into_iter().map(request).collect()
    }

    fn request(&self) -> Result<Request> {
        let url = url::with_query(&self.url, &pairs(&self.params));
        if let Some(credential) = self.credential.as_ref().filter(|c| !c.is_for(&url)) {
            return Err(Fault::config(format_args!(
                "expected a URL at {}, the hosts of credential {:?}, found {}",
                credential.hosts.join(", "),
                credential.name,
                url::shown(&url)
            )));
        }
        let mut headers = self.headers.clone();
        let mut default = |name: &str, value: &str| {
            if !headers.iter().any(|(known, _)| known == name) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        };
        default("accept", "application/json");
        match &self.data {
            _ if self.body.is_some() => default("content-type", "application/json"),
            Some(Data::Form(_)) => default("content-type", "application/x-www-form-urlencoded"),
            Some(Data::Text(_)) | None => {}
        }
        let [resource, _] = &self.names;
        Ok(Request {
            resource: resource.clone(),
            parent: self.parent.clone(),
            method: self.method.to_owned(),
            url,
            headers,
            auth: self.credential.as_ref().map(|credential| credential.name.clone()),
            body: match &self.data {
                _ if self.body.is_some() => self.body.as_ref().map(Value::to_string),
                Some(Data::Form(members)) => Some(url::form_of(&pairs(members))),
                Some(Data::Text(text)) => Some(text.clone()),
                None => None,
            },
        })
    }

    fn put(&mut self, location: &ParamLocation, value: Value) {
        match location {
            ParamLocation::Query(name) => {
                self.params.insert(name.clone(), vec![plain(&value)]);
            }
            ParamLocation::Body(keys) => set(self.body.get_or_insert_default(), keys, value),
        }
    }
}

/// The headers of the client, overridden by those of the endpoint.
fn headers(
    client: Option<&Client>,
    endpoint: &Endpoint,
    placeholders: &PlaceholderValues<'_>,
) -> Result<Vec<(String, String)>> {
    let mut headers: Vec<(String, String)> =
        client.map_or_else(Vec::new, |client| client.headers.clone());
    for (name, template) in &endpoint.headers {
        let value = template
            .fill(|placeholder| placeholders.text(placeholder))
            .and_then(|value| match value.contains(char::is_control) {
                true => Err(Fault::data(format_args!(
                    "expected no control characters in a header, found {value:?}"
                ))),
                false => Ok(value),
            })
            .at(|| format!("endpoint.headers.{name}"))?;
        match headers.iter_mut().find(|(known, _)| known == name) {
            Some(header) => header.1 = value,
            None => headers.push((name.clone(), value)),
        }
    }
    Ok(headers)
}

/// The body as a form or text, if the endpoint has one.
fn data(endpoint: &Endpoint, placeholders: &PlaceholderValues<'_>) -> Result<Option<Data>> {
    let Some(template) = &endpoint.data else { return Ok(None) };
    let JsonTemplate::Object(members) = template else {
        let text = placeholders.value(template).at(|| "endpoint.data")?;
        return Ok(Some(Data::Text(text.as_ref().map(plain).unwrap_or_default())));
    };
    let member = |(name, template): (&String, &JsonTemplate)| {
        let values = values(placeholders, template);
        Ok((name.clone(), values.at(|| format!("endpoint.data.{name}"))?))
    };
    members.iter().map(member).collect::<Result<_>>().map(Data::Form).map(Some)
}

/// The last segment of a path, without its query.
fn last_part(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let part = path.rsplit('/').next().unwrap_or_default();
    part.strip_suffix(".json").unwrap_or(part)
}

fn pairs(params: &IndexMap<String, Vec<String>>) -> Vec<(String, String)> {
    params
        .iter()
        .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())))
        .collect()
}

/// A body that is not JSON.
#[derive(Clone, Debug)]
enum Data {
    /// Names and values, form-encoded.
    Form(IndexMap<String, Vec<String>>),
    /// Text, unchanged.
    Text(String),
}

/// Sets a value at nested keys, creating objects as needed. A number selects an existing element of
/// a list.
fn set(at: &mut Value, keys: &[String], value: Value) {
    let Some((key, rest)) = keys.split_first() else {
        *at = value;
        return;
    };
    if let Value::Array(items) = at
        && let Some(item) = key.parse().ok().and_then(|index: usize| items.get_mut(index))
    {
        return set(item, rest, value);
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(map) = at {
        set(map.entry(key.as_str()).or_insert(Value::Null), rest, value);
    }
}

#[cfg(test)]
mod tests;
