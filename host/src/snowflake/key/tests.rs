//! Keys that openssl wrote for this test, and tokens that are verified with the public key.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::*;

/// The file of a key in `host/tests/integration/snowflake/keys`.
macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../../../tests/integration/snowflake/keys/", $name, ".pem"))
    };
}

const PLAIN: &str = key!("pkcs8");
/// `openssl rsa -pubout -outform DER | openssl dgst -sha256 -binary | base64`.
const FINGERPRINT: &str = "SHA256:ibHEN35p1bGItpfQK/W1qoQTD2/1W+ScOsOQYeo8KOA=";

fn parse(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, String> {
    PrivateKey::parse(text, passphrase.map(|it| Secret::new(it.to_owned())).as_ref())
}

#[test]
fn keys_of_every_form_are_read() {
    let check = |text: &str, passphrase| {
        assert_eq!(parse(text, passphrase).unwrap().fingerprint(), FINGERPRINT);
    };
    let encrypted = Some("hunter2");
    check(PLAIN, None);
    check(PLAIN, encrypted);
    check(&PLAIN.replace('\n', "\\n"), None);
    check(&PLAIN.lines().filter(|line| !line.starts_with('-')).collect::<String>(), None);
    check(key!("pkcs1"), None);
    check(key!("des3"), encrypted);
    check(key!("aes128_sha1"), encrypted);
    check(key!("aes192_sha512"), encrypted);
    check(key!("aes256"), encrypted);
}

#[test]
fn invalid_keys_are_errors() {
    let check = |text: &str, passphrase, expected: &str| {
        let error = parse(text, passphrase).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check(key!("des3"), None, "expected private_key_passphrase");
    check(key!("des3"), Some("wrong"), "the passphrase is another one");
    check(key!("aes256"), Some("wrong"), "the passphrase is another one");
    check(key!("scrypt"), Some("hunter2"), "such as scrypt");
    check(key!("pbes1"), Some("hunter2"), "encrypted with PBES2");
    check(key!("encrypted_pkcs1"), Some("hunter2"), "an encrypted PKCS #1 key");
    check(key!("public"), None, "found \"PUBLIC KEY\"");
    check(
        "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----",
        None,
        "found \"EC ",
    );
    check("-----BEGIN PRIVATE KEY-----", None, "cut off");
    check("", None, "found something else");
    check("?", None, "in PEM or base64");
    check("AAAA", None, "found something else");
}

#[test]
fn no_part_of_a_key_is_a_key() {
    let check = |bytes: &[u8]| {
        let text = STANDARD.encode(bytes);
        assert!(parse(&text, Some("hunter2")).is_err(), "{} bytes", bytes.len());
    };
    for text in [PLAIN, key!("aes256")] {
        let whole = bytes(text).unwrap();
        for length in (0..100).chain([whole.len() - 1]) {
            check(&whole[..length]);
        }
    }
}

#[test]
fn a_token_names_account_user_and_key_and_is_signed() {
    let key = parse(PLAIN, None).unwrap();
    let token = key.token_at("acme-prod", "loader@x", 1_700_000_000).unwrap();
    let (message, signature) = token.reveal().rsplit_once('.').unwrap();
    let part = |text: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    let (header, claims) = message.split_once('.').unwrap();
    assert_eq!(part(header), json!({"alg": "RS256", "typ": "JWT"}));
    let expected = json!({
        "iss": format!("ACME-PROD.LOADER@X.{FINGERPRINT}"), "sub": "ACME-PROD.LOADER@X",
        "iat": 1_700_000_000, "exp": 1_700_000_060,
    });
    assert_eq!(part(claims), expected);
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.0.public_key().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(public.verify(message.as_bytes(), &signature).is_ok());
    assert!(!format!("{key:?}{token:?}").contains("MII"));
}
