//! The envelope of every answer of the service: success, or the error's number and text.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::{ErrorKind, SnowflakeError};

/// An answer of the service.
#[derive(Debug)]
pub(super) struct Envelope<T> {
    /// The HTTP status.
    pub(super) status: u16,
    pub(super) success: bool,
    /// Empty if there is none.
    pub(super) code: String,
    pub(super) message: String,
    /// The data of an answer that succeeded.
    pub(super) data: Option<T>,
    sqlstate: Option<String>,
    query_id: Option<String>,
}

#[derive(Deserialize)]
struct Raw<T> {
    #[serde(default, deserialize_with = "text")]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default = "nothing")]
    data: Option<T>,
}

fn nothing<T>() -> Option<T> {
    None
}

/// The data that a failed answer may have.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct FailedData {
    error_code: Option<String>,
    sql_state: Option<String>,
    query_id: Option<String>,
}

#[derive(Deserialize)]
struct Succeeded {
    success: bool,
}

impl<T: DeserializeOwned> Envelope<T> {
    /// # Errors
    /// If the body is not an answer of the service.
    pub(super) fn parse(status: u16, body: &[u8]) -> Result<Self, String> {
        let unfit = |error: serde_json::Error| {
            format!("expected an answer of the service in JSON, found something else: {error}")
        };
        let Succeeded { success } = serde_json::from_slice(body).map_err(unfit)?;
        if success {
            let raw: Raw<T> = serde_json::from_slice(body).map_err(unfit)?;
            return Ok(Self {
                status,
                success,
                code: raw.code.unwrap_or_default(),
                message: raw.message.unwrap_or_default(),
                data: raw.data,
                sqlstate: None,
                query_id: None,
            });
        }
        let raw: Raw<Value> = serde_json::from_slice(body).map_err(unfit)?;
        let data = raw.data.and_then(|data| serde_json::from_value::<FailedData>(data).ok());
        let data = data.unwrap_or_default();
        Ok(Self {
            status,
            success,
            code: raw.code.or(data.error_code).unwrap_or_default(),
            message: raw.message.unwrap_or_default(),
            data: None,
            sqlstate: data.sql_state,
            query_id: data.query_id,
        })
    }

    /// Returns the error of an HTTP status without a body.
    pub(super) fn of_status(status: u16) -> Self {
        Self {
            status,
            success: false,
            code: status.to_string(),
            message: format!("the service answered {status}"),
            data: None,
            sqlstate: None,
            query_id: None,
        }
    }

    /// Returns the error of an answer that did not succeed.
    pub(super) fn error(&self, kind: ErrorKind) -> SnowflakeError {
        let message = match self.message.as_str() {
            "" => format!("the service answered {} without a message", self.status),
            message => message.to_owned(),
        };
        SnowflakeError::new(kind, message)
            .with_code(self.code.clone())
            .with_sqlstate(self.sqlstate.clone())
            .with_query_id(self.query_id.clone())
    }

    /// Returns the data of an answer that succeeded.
    pub(super) fn into_data(self, kind: ErrorKind) -> Result<T, SnowflakeError> {
        if !self.success {
            return Err(self.error(kind));
        }
        self.data.ok_or_else(|| SnowflakeError::answer("expected data in the answer, found none"))
    }
}

/// A text, or a number as a text.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(from)? {
        Some(Value::String(text)) => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_data_or_an_error() {
        let parse = |body: &str| Envelope::<Vec<u8>>::parse(200, body.as_bytes());
        let data = |body: &str| parse(body).unwrap().into_data(ErrorKind::Statement);
        assert_eq!(data(r#"{"success": true, "data": [1, 2], "code": null}"#), Ok(vec![1, 2]));
        let check = |body: &str, expected: &str| {
            assert_eq!(data(body).unwrap_err().to_string(), expected);
        };
        check(r#"{"success": true}"#, "expected data in the answer, found none");
        check(
            r#"{"success": false, "code": "390100", "message": "Incorrect", "data": null}"#,
            "390100: Incorrect",
        );
        check(
            r#"{"success": false, "message": "No", "code": 200001,
                "data": {"errorCode": "x", "sqlState": "22000", "queryId": "01"}}"#,
            "200001: No (SQLSTATE 22000, query 01)",
        );
        check(r#"{"success": false, "data": 7}"#, "the service answered 200 without a message");
        for broken in ["", "{", "[]", r#"{"success": 1}"#, r#"{"success": true, "data": {}}"#] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }
}
