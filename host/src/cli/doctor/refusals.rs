//! What to do when Snowflake rejects a login.

use snowcat_host::snowflake::{ErrorKind, SnowflakeError};

/// Remedies by error number. Those of key pairs are in the documentation of `SYSTEM$GET_LOGIN_FAILURE_DETAILS`; the
/// service may send the general number 390144 for all of them.
const BY_CODE: [(&str, &str); 25] = [
    ("390000", ACCOUNT),
    ("403", ACCOUNT),
    ("404", ACCOUNT),
    ("390100", "check user and password; a service user has no password, but a key or a token"),
    ("390120", SECOND_FACTOR),
    ("390122", SECOND_FACTOR),
    ("390123", SECOND_FACTOR),
    ("390126", SECOND_FACTOR),
    ("390127", SECOND_FACTOR),
    ("394509", SECOND_FACTOR),
    (
        "390144",
        "check account, user (its LOGIN_NAME), the key that is registered for it (DESCRIBE USER), and the clock",
    ),
    ("390186", ROLE),
    ("390189", ROLE),
    (
        "390303",
        "another token is needed: check its security integration, and the account that it is for",
    ),
    ("390318", "the token has expired: another one is needed, in the connection or in its file"),
    ("390422", POLICY),
    ("390432", "the user needs a network policy before a programmatic access token is accepted"),
    ("394300", "check the user: it is its LOGIN_NAME, which may differ from its name"),
    ("394301", CLOCK),
    ("394302", CLOCK),
    ("394303", CLOCK),
    (
        "394304",
        "register the public key of this private key for the user: ALTER USER .. SET RSA_PUBLIC_KEY",
    ),
    (
        "394306",
        "register the public key of this private key for the user: ALTER USER .. SET RSA_PUBLIC_KEY",
    ),
    ("394307", ACCOUNT),
    (
        "394400",
        "the token is invalid, expired or disabled: create another one (ALTER USER .. ADD PROGRAMMATIC ACCESS TOKEN)",
    ),
];

/// Remedies by a part of the message, for refusals whose number is not documented.
const BY_TEXT: [(&str, &str); 5] = [
    ("not allowed to access snowflake", POLICY),
    (
        "temporarily locked",
        "wait 15 minutes, or unlock the user: ALTER USER .. SET MINS_TO_UNLOCK = 0",
    ),
    ("disabled", "an administrator must enable the user: ALTER USER .. SET DISABLED = FALSE"),
    ("mfa", SECOND_FACTOR),
    ("password has expired", "the user must set another password"),
];

const ACCOUNT: &str = "check account and host: organization-account, or a locator with its region (xy12345.eu-central-1)";
const CLOCK: &str = "set the clock of this machine (NTP): a token of a key is valid for 60 seconds";
const POLICY: &str = "an administrator must allow the address of this machine in the network policy of the account or user";
const ROLE: &str = "check the role; an administrator grants it: GRANT ROLE .. TO USER ..";
const SECOND_FACTOR: &str = "the user needs a second factor: set authenticator username_password_mfa and passcode; for \
                             loads without a person, use a key or a programmatic access token";

/// Returns what to do about a login that failed.
pub(super) fn remedy(error: &SnowflakeError) -> String {
    let text = error.message().to_lowercase();
    let by_code = BY_CODE.iter().find(|(code, _)| *code == error.code());
    let by_text = BY_TEXT.iter().find(|(part, _)| text.contains(part));
    let known = by_code.or(by_text).map(|(_, remedy)| (*remedy).to_owned());
    let known = known.unwrap_or_else(|| match error.kind() {
        ErrorKind::Connection => String::new(),
        _ => "ask an administrator of the account".to_owned(),
    });
    match id(error.message()) {
        Some(id) => format!(
            "{known}; an administrator gets the details from SYSTEM$GET_LOGIN_FAILURE_DETAILS('{id}')"
        ),
        None => known,
    }
}

/// Returns the id of a failed login: a UUID in brackets at the end of the message.
fn id(message: &str) -> Option<&str> {
    let (_, rest) = message.rsplit_once('[')?;
    let id = rest.split_once(']')?.0;
    let fits = id.len() == 36 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    fits.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_failed_login_is_at_its_end() {
        let check = |message: &str, expected| assert_eq!(id(message), expected, "{message}");
        let uuid = "0ce9eb56-821d-4ca9-a774-04ae89a0cf5a";
        check(&format!("JWT token is invalid. [{uuid}]"), Some(uuid));
        check("OAuth access token expired. [1172527951366]", None);
        check("JWT token is invalid.", None);
        check("] [", None);
    }
}
