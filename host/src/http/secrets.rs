//! The secrets that a client has sent, and their removal from responses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::echo::{
    self, LEAST, LEAST_IN_DATA, NOT_SHOWN, Needles, hide_parameter, holds, shortened,
};
use crate::credentials::Secret;
use crate::interface::Response;

/// The secrets that no response may pass to the load, by credential and part.
#[derive(Default)]
pub(super) struct KnownSecrets(Mutex<BTreeMap<(String, String), Arc<Needles>>>);

impl KnownSecrets {
    /// Adds a secret. It replaces the previous one of the same credential and part.
    pub(super) fn learn(&self, credential: &str, part: &str, secret: Secret) -> Arc<Needles> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (credential.to_owned(), part.to_owned());
        if let Some(present) = known.get(&key).filter(|present| *present.secret() == secret) {
            return Arc::clone(present);
        }
        let needles = Arc::new(Needles::new(secret));
        known.insert(key, Arc::clone(&needles));
        needles
    }

    /// Returns the text without secrets.
    pub(super) fn scrub(&self, text: String) -> String {
        echo::hide(text, &self.all())
    }

    /// Returns the response without secrets: parts of an error that quote one are not shown; data
    /// that quotes one is an error. `own` are the secrets of the request, `parameter` is the one in
    /// its URL.
    pub(super) fn clean(
        &self,
        mut response: Response,
        own: &[Arc<Needles>],
        parameter: Option<&(String, Secret)>,
    ) -> Result<Response, String> {
        let mut secrets = self.all();
        secrets.extend(own.iter().cloned());
        if let Some((name, value)) = parameter {
            // A link to the next page may have the key: the host adds it again.
            let hidden = |text: String| hide_parameter(text, name, value.reveal());
            response.body = hidden(response.body);
            for (_, value) in &mut response.headers {
                *value = hidden(std::mem::take(value));
            }
        }
        if !(200..300).contains(&response.status) {
            let secrets = shortened(&secrets);
            for (_, value) in &mut response.headers {
                if holds(value, &secrets, LEAST) {
                    "***".clone_into(value);
                }
            }
            if holds(&response.body, &secrets, LEAST) {
                NOT_SHOWN.clone_into(&mut response.body);
            }
            return Ok(response);
        }
        let quotes = |text: &str| holds(text, &secrets, LEAST_IN_DATA);
        if let Some((name, _)) = response.headers.iter().find(|(_, value)| quotes(value)) {
            return Err(format!(
                "the header {name} of the answer quotes a credential, which must not enter the load"
            ));
        }
        if quotes(&response.body) {
            return Err("the answer quotes a credential, which must not enter the load".to_owned());
        }
        Ok(response)
    }

    fn all(&self) -> Vec<Arc<Needles>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Returns the text without these secrets.
pub(crate) fn hide(text: String, secrets: &[Secret]) -> String {
    let needles: Vec<_> = secrets.iter().map(|it| Arc::new(Needles::new(it.clone()))).collect();
    echo::hide(text, &needles)
}
