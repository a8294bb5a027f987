//! The parser of transcript lines.

use serde_json::Value;

use crate::interface::{Column, Failure, File, Outcome, Reply, Request, Response};

/// Returns the requests of a step. Transcripts do not contain their resources and parents.
pub(crate) fn parse_requests(value: &Value) -> Result<Vec<Request>, String> {
    let optional = |value: &Value, key: &str| match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => text(value).map(Some),
    };
    list(value, |value| {
        Ok(Request {
            resource: String::new(),
            parent: Vec::new(),
            method: text(field(value, "method")?)?,
            url: text(field(value, "url")?)?,
            headers: list(field(value, "headers")?, parse_header)?,
            auth: optional(value, "auth")?,
            body: optional(value, "body")?,
        })
    })
}

/// The reply in a line.
pub(crate) fn parse_reply(line: &Value) -> Result<Reply, String> {
    let reply = line.get("reply").ok_or_else(|| format!("expected a reply, found {line}"))?;
    if let Some(word) = reply.as_str() {
        return match word {
            "dry-run" => Ok(Reply::DryRun),
            "done" => Ok(Reply::Done),
            "end" => Ok(Reply::End),
            "start" => Ok(Reply::Start),
            other => Err(format!("{other} is no reply")),
        };
    }
    if let Some(failure) = reply.get("failed") {
        return Ok(Reply::Failed(parse_failure(failure)?));
    }
    if let Some(file) = reply.get("file") {
        let [name, version] = ["name", "version"].map(|key| field(file, key).and_then(text));
        return Ok(Reply::File(File { name: name?, version: version? }));
    }
    if let Some(columns) = reply.get("columns") {
        return Ok(Reply::Columns(list(columns, parse_column)?));
    }
    if let Some(page) = reply.get("page") {
        return Ok(Reply::Page(text(page)?));
    }
    if let Some(outcomes) = reply.get("outcomes") {
        return Ok(Reply::Outcomes(list(outcomes, parse_outcome)?));
    }
    if let Some(responses) = reply.get("responses") {
        return Ok(Reply::Responses(list(responses, parse_response)?));
    }
    Err(format!("{reply} is no reply"))
}

fn parse_column(value: &Value) -> Result<Column, String> {
    let [name, native, kind] =
        ["name", "native", "kind"].map(|key| field(value, key).and_then(text));
    let digits = |key: &str| match field(value, key)? {
        Value::Null => Ok(None),
        digits => match digits.as_u64().and_then(|digits| u32::try_from(digits).ok()) {
            Some(digits) => Ok(Some(digits)),
            None => Err(format!("expected a number of digits, found {digits}")),
        },
    };
    let nullable = field(value, "nullable")?;
    Ok(Column {
        name: name?,
        native: native?,
        kind: kind?,
        precision: digits("precision")?,
        scale: digits("scale")?,
        nullable: nullable
            .as_bool()
            .ok_or_else(|| format!("expected true or false, found {nullable}"))?,
    })
}

fn parse_outcome(value: &Value) -> Result<Outcome, String> {
    let cell = |value: &Value| match value {
        Value::Null => Ok(None),
        value => text(value).map(Some),
    };
    let affected = match field(value, "affected")? {
        Value::Null => None,
        found => Some(
            found.as_u64().ok_or_else(|| format!("expected a number of rows, found {found}"))?,
        ),
    };
    Ok(Outcome { rows: list(field(value, "rows")?, |row| list(row, cell))?, affected })
}

fn parse_response(value: &Value) -> Result<Result<Response, Failure>, String> {
    if let Some(failure) = value.get("err") {
        return Ok(Err(parse_failure(failure)?));
    }
    let value = field(value, "ok")?;
    let status = field(value, "status")?;
    Ok(Ok(Response {
        status: status
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .ok_or_else(|| format!("{status} is no status"))?,
        headers: list(field(value, "headers")?, parse_header)?,
        body: text(field(value, "body")?)?,
    }))
}

fn parse_header(header: &Value) -> Result<(String, String), String> {
    match header.as_array().map(Vec::as_slice) {
        Some([name, value]) => Ok((text(name)?, text(value)?)),
        _ => Err(format!("expected a name and a value, found {header}")),
    }
}

fn parse_failure(value: &Value) -> Result<Failure, String> {
    Ok(Failure {
        code: text(field(value, "code")?)?,
        message: text(field(value, "message")?)?,
        transient: field(value, "transient")?
            .as_bool()
            .ok_or_else(|| format!("expected true or false, found {value}"))?,
    })
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value, String> {
    value.get(name).ok_or_else(|| format!("expected {name}, found {value}"))
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = value.as_array().ok_or_else(|| format!("expected a list, found {value}"))?;
    items.iter().map(item).collect()
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("expected a string, found {value}"))
}
