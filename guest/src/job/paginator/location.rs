//! Where in a request a paginator sets a value.

use crate::fault::Result;
use crate::job::parse::JobObject;

/// Where a value goes in a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ParamLocation {
    /// The JSON body, under these keys.
    Body(Vec<String>),
    /// The query, as this parameter.
    Query(String),
}

impl ParamLocation {
    /// Reads `param` or `body`, the keys for a parameter of the query and for a path in the body.
    pub(super) fn parse(
        object: &JobObject<'_>,
        param: &str,
        body: &str,
        default: &str,
    ) -> Result<Self> {
        match (object.text(param)?, object.text(body)?) {
            (Some(_), Some(_)) => {
                Err(object.fault(format_args!("expected {param:?} or {body:?}, found both")))
            }
            (_, Some(path)) if path.split('.').any(str::is_empty) => Err(object.fault_at(
                body,
                format_args!("expected keys with dots between them, found {path:?}"),
            )),
            (_, Some(path)) => Ok(Self::Body(path.split('.').map(str::to_owned).collect())),
            (param, None) => Ok(Self::Query(param.unwrap_or(default).to_owned())),
        }
    }

    /// The parameter, or the last key in the body.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Query(name) => Some(name),
            Self::Body(keys) => keys.last().map(String::as_str),
        }
    }

    /// Returns `true` if it is in the body.
    pub(super) const fn is_body(&self) -> bool {
        matches!(self, Self::Body(_))
    }

    /// The parameter, or the path in the body, as a job writes it.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Query(name) => name.clone(),
            Self::Body(keys) => keys.join("."),
        }
    }
}
