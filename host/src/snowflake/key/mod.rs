//! Private keys of RSA, encrypted or not, and the tokens that they sign.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipher, BlockDecryptMut, KeyInit, KeyIvInit as _};
use ring::pbkdf2;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::der::{self, Items, item};
use crate::credentials::Secret;

/// Seconds that a token is valid.
const LIFE: u64 = 60;
/// The largest number of iterations. No real key has more.
const MOST_ITERATIONS: u32 = 10_000_000;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const HMAC_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7];
const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
const HMAC_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 10];
const HMAC_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11];
const AES_128: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
const AES_192: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
const AES_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
const TRIPLE_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];

/// A private key. It is not printed.
#[derive(Clone)]
pub(super) struct PrivateKey(Arc<RsaKeyPair>);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PrivateKey {
    /// Parses a key in PEM, or in base64 without the first and last line: PKCS #8, encrypted or
    /// not, or PKCS #1.
    ///
    /// # Errors
    /// The expected and the found form. The text is not quoted.
    pub(super) fn parse(text: &str, passphrase: Option<&Secret>) -> Result<Self, String> {
        let bytes = bytes(text)?;
        let found = KeyForm::of(&bytes).ok_or(
            "expected a private key of RSA (PKCS #8 or PKCS #1), found something else, or a part of one",
        )?;
        let rejected = |error: ring::error::KeyRejected| {
            format!("expected a private key of RSA with 2048 bits or more: {error}")
        };
        let pair = match found {
            KeyForm::Pkcs1 => RsaKeyPair::from_der(&bytes).map_err(rejected)?,
            KeyForm::Pkcs8 => RsaKeyPair::from_pkcs8(&bytes).map_err(rejected)?,
            KeyForm::Encrypted => {
                let passphrase = passphrase.ok_or(
                    "the key is encrypted: expected private_key_passphrase, found nothing",
                )?;
                let plain = decrypted(&bytes, passphrase)?;
                let wrong = "the key cannot be decrypted: the passphrase is another one";
                RsaKeyPair::from_pkcs8(&plain).map_err(|_| wrong.to_owned())?
            }
        };
        Ok(Self(Arc::new(pair)))
    }

    /// Returns the fingerprint of the public key, in the form of DESCRIBE USER.
    pub(super) fn fingerprint(&self) -> String {
        let algorithm = [item(der::OID, RSA_ENCRYPTION), item(der::NULL, &[])].concat();
        // The first byte is the number of unused bits at the end.
        let bits = [&[0], self.0.public_key().as_ref()].concat();
        let both = [item(der::SEQUENCE, &algorithm), item(der::BIT_STRING, &bits)].concat();
        format!("SHA256:{}", STANDARD.encode(Sha256::digest(item(der::SEQUENCE, &both))))
    }

    /// Returns a token for a login at this instant.
    ///
    /// # Errors
    /// If the key cannot sign.
    pub(super) fn token(&self, account: &str, user: &str) -> Result<Secret, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_err(|_| "expected a clock after 1970".to_owned())?.as_secs();
        self.token_at(account, user, now)
    }

    fn token_at(&self, account: &str, user: &str, now: u64) -> Result<Secret, String> {
        let subject = format!("{account}.{user}").to_uppercase();
        let claims = json!({
            "iss": format!("{subject}.{}", self.fingerprint()),
            "sub": subject,
            "iat": now,
            "exp": now.saturating_add(LIFE),
        });
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let coded = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", coded(&header), coded(&claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| "the key cannot sign".to_owned())?;
        Ok(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Returns the bytes of a key in PEM or base64.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    // Variables of the environment often contain a backslash and an n in place of a line feed.
    let text = text.replace("\\n", "\n");
    let body = match text.split_once("-----BEGIN ") {
        None => text,
        Some((_, rest)) => {
            let (label, rest) = rest.split_once("-----").ok_or("the PEM of the key is cut off")?;
            if !label.ends_with("PRIVATE KEY") {
                return Err(format!("expected the PEM of a private key, found {label:?}"));
            }
            if label.starts_with("EC ") || label.starts_with("OPENSSH ") {
                return Err(format!("expected a private key of RSA, found {label:?}"));
            }
            let (body, _) = rest.split_once("-----END").ok_or("the PEM of the key is cut off")?;
            if body.contains("Proc-Type:") {
                return Err(
                    "expected a key that is not encrypted, or PKCS #8, found an encrypted PKCS #1 \
                            key: openssl pkcs8 -topk8 converts it"
                        .to_owned(),
                );
            }
            body.to_owned()
        }
    };
    let packed: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    // The decoder's error is not used: it would quote a part of the key.
    STANDARD.decode(packed).map_err(|_| "expected the key in PEM or base64".to_owned())
}

/// The form of a key.
enum KeyForm {
    Pkcs1,
    Pkcs8,
    Encrypted,
}

impl KeyForm {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut items = Items(bytes).sequence()?;
        match items.next()?.0 {
            der::SEQUENCE => Some(Self::Encrypted),
            der::INTEGER => match items.next()?.0 {
                der::SEQUENCE => Some(Self::Pkcs8),
                der::INTEGER => Some(Self::Pkcs1),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The encryption of a key (RFC 8018, PBES2 with PBKDF2).
struct Encryption<'a> {
    salt: &'a [u8],
    iterations: NonZeroU32,
    hash: pbkdf2::Algorithm,
    cipher: &'a [u8],
    iv: &'a [u8],
    data: &'a [u8],
}

impl<'a> Encryption<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let broken = || "the encrypted key is broken".to_owned();
        let mut items = Items(bytes).sequence().ok_or_else(broken)?;
        let mut algorithm = items.sequence().ok_or_else(broken)?;
        let data = items.of(der::OCTETS).ok_or_else(broken)?;
        if algorithm.of(der::OID) != Some(PBES2) {
            return Err("expected a key that is encrypted with PBES2, found another kind: openssl pkcs8 -topk8 \
                        -v2 aes-256-cbc converts it"
                .to_owned());
        }
        let mut both = algorithm.sequence().ok_or_else(broken)?;
        let mut derivation = both.sequence().ok_or_else(broken)?;
        let mut scheme = both.sequence().ok_or_else(broken)?;
        if derivation.of(der::OID) != Some(PBKDF2) {
            return Err("expected a key of PBKDF2, found another function, such as scrypt: openssl pkcs8 -topk8 \
                        -v2 aes-256-cbc converts it"
                .to_owned());
        }
        let mut parameters = derivation.sequence().ok_or_else(broken)?;
        let salt = parameters.of(der::OCTETS).ok_or_else(broken)?;
        let iterations = parameters.small().filter(|it| *it <= MOST_ITERATIONS);
        let iterations = iterations.and_then(NonZeroU32::new).ok_or_else(|| {
            format!("expected a key of 1 to {MOST_ITERATIONS} iterations, found more or none")
        })?;
        Ok(Self {
            salt,
            iterations,
            hash: hash(parameters)?,
            cipher: scheme.of(der::OID).ok_or_else(broken)?,
            iv: scheme.of(der::OCTETS).ok_or_else(broken)?,
            data,
        })
    }

    fn key<const N: usize>(&self, passphrase: &Secret) -> [u8; N] {
        let mut key = [0; N];
        let secret = passphrase.reveal().as_bytes();
        pbkdf2::derive(self.hash, self.iterations, self.salt, secret, &mut key);
        key
    }

    /// Returns the decrypted bytes; `None` if the password is wrong.
    fn decrypt<C: BlockDecryptMut + BlockCipher + KeyInit>(&self, key: &[u8]) -> Option<Vec<u8>> {
        let decryptor = cbc::Decryptor::<C>::new_from_slices(key, self.iv).ok()?;
        decryptor.decrypt_padded_vec_mut::<Pkcs7>(self.data).ok()
    }
}

/// Returns the hash from the rest of PBKDF2's parameters: an optional length, and an algorithm.
fn hash(mut parameters: Items<'_>) -> Result<pbkdf2::Algorithm, String> {
    let found = loop {
        match parameters.next() {
            None => break None,
            Some((der::SEQUENCE, content)) => break Items(content).of(der::OID),
            Some(_) => {}
        }
    };
    match found {
        None | Some(HMAC_SHA1) => Ok(pbkdf2::PBKDF2_HMAC_SHA1),
        Some(HMAC_SHA256) => Ok(pbkdf2::PBKDF2_HMAC_SHA256),
        Some(HMAC_SHA384) => Ok(pbkdf2::PBKDF2_HMAC_SHA384),
        Some(HMAC_SHA512) => Ok(pbkdf2::PBKDF2_HMAC_SHA512),
        Some(_) => {
            Err("expected a key of HMAC with SHA-1, 256, 384 or 512, found another hash".to_owned())
        }
    }
}

fn decrypted(bytes: &[u8], passphrase: &Secret) -> Result<Vec<u8>, String> {
    let it = Encryption::read(bytes)?;
    let plain = match it.cipher {
        AES_128 => it.decrypt::<aes::Aes128>(&it.key::<16>(passphrase)),
        AES_192 => it.decrypt::<aes::Aes192>(&it.key::<24>(passphrase)),
        AES_256 => it.decrypt::<aes::Aes256>(&it.key::<32>(passphrase)),
        TRIPLE_DES => it.decrypt::<des::TdesEde3>(&it.key::<24>(passphrase)),
        _ => {
            return Err(
                "expected a key that is encrypted with AES or 3DES in CBC, found another cipher"
                    .to_owned(),
            );
        }
    };
    plain.ok_or_else(|| "the key cannot be decrypted: the passphrase is another one".to_owned())
}

#[cfg(test)]
mod tests;
