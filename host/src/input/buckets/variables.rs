//! The variables of the environment that hold credentials and endpoints.

use crate::cloud::exchange::CloudFailure;
use crate::cloud::request::Endpoint;
use crate::credentials::Secret;

/// The variables of the environment, or a function in their place.
pub(super) struct Variables(Box<dyn Find>);

trait Find: Send + Sync {
    fn find(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String> + Send + Sync> Find for F {
    fn find(&self, name: &str) -> Option<String> {
        self(name)
    }
}

impl Variables {
    pub(super) fn new(find: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Box::new(find))
    }

    /// The value of the first of these variables that is set and not empty.
    pub(super) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().filter_map(|name| self.0.find(name)).find(|value| !value.trim().is_empty())
    }

    pub(super) fn secret(&self, names: &[&str]) -> Option<Secret> {
        self.first(names).map(Secret::new)
    }

    pub(super) fn endpoint(&self, names: &[&str]) -> Result<Option<Endpoint>, CloudFailure> {
        let Some(value) = self.first(names) else { return Ok(None) };
        let unfit = || CloudFailure::lasting(format!("expected a URL in {}", names.join(" or ")));
        Endpoint::parse(&value).map(Some).ok_or_else(unfit)
    }
}
