//! Client-side encryption, of stages with SNOWFLAKE_FULL: AES in CBC mode with a key for each file, which is
//! encrypted with the master key of the stage.

use aes::cipher::{Block, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;

use super::file::FileEnvelope;
use super::info::{MasterKey, Material};

const BLOCK: usize = 16;

/// Encrypts a file in place, with a new key.
///
/// # Errors
/// If there are no random numbers.
pub(super) fn encrypt(bytes: &mut Vec<u8>, material: &Material) -> Result<FileEnvelope, String> {
    let random = SystemRandom::new();
    let unfit = |_| "expected random numbers for the key of a file".to_owned();
    let mut iv = [0; BLOCK];
    random.fill(&mut iv).map_err(unfit)?;
    let mut key = material.key.clone();
    match &mut key {
        MasterKey::Aes128(key) => random.fill(key),
        MasterKey::Aes256(key) => random.fill(key),
    }
    .map_err(unfit)?;

    pad(bytes);
    chain(&key, iv, bytes);
    let mut wrapped = key.bytes().to_vec();
    pad(&mut wrapped);
    each(&material.key, &mut wrapped);
    let key_size = (8 * key.bytes().len()).to_string();
    let description = json!({
        "queryId": material.query_id, "smkId": material.smk_id, "keySize": key_size,
    });
    Ok(FileEnvelope {
        key: STANDARD.encode(wrapped),
        iv: STANDARD.encode(iv),
        description: description.to_string(),
    })
}

/// Fills the last block, or adds one, as PKCS #7 has it.
fn pad(bytes: &mut Vec<u8>) {
    let missing = BLOCK - bytes.len() % BLOCK;
    bytes.reserve_exact(missing);
    bytes.extend(std::iter::repeat_n(u8::try_from(missing).unwrap_or_default(), missing));
}

/// CBC.
fn chain(key: &MasterKey, iv: [u8; BLOCK], bytes: &mut [u8]) {
    match key {
        MasterKey::Aes128(key) => chain_with(&Aes128::new(key.into()), iv, bytes),
        MasterKey::Aes256(key) => chain_with(&Aes256::new(key.into()), iv, bytes),
    }
}

fn chain_with<C: BlockEncrypt>(cipher: &C, iv: [u8; BLOCK], bytes: &mut [u8]) {
    let mut before = iv;
    for block in bytes.as_chunks_mut::<BLOCK>().0 {
        for (byte, before) in block.iter_mut().zip(before) {
            *byte ^= before;
        }
        cipher.encrypt_block(Block::<C>::from_mut_slice(block));
        before = *block;
    }
}

/// ECB.
fn each(key: &MasterKey, bytes: &mut [u8]) {
    for block in bytes.as_chunks_mut::<BLOCK>().0 {
        chain(key, [0; BLOCK], block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of NIST SP 800-38A, F.2.1, F.2.5, F.1.1 and F.1.5.
    #[test]
    fn blocks_are_those_of_the_standard() {
        let bytes = |text: &str| -> Vec<u8> {
            let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            (0..text.len()).step_by(2).map(digits).collect()
        };
        let text = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
        let iv: [u8; BLOCK] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let check = |key: &str, chained: &str, alone: &str| {
            let key = MasterKey::of(&bytes(key)).unwrap();
            let mut found = bytes(text);
            chain(&key, iv, &mut found);
            assert_eq!(found, bytes(chained));
            let mut found = bytes(text);
            each(&key, &mut found);
            assert_eq!(found, bytes(alone));
        };
        check(
            "2b7e151628aed2a6abf7158809cf4f3c",
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
            "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf",
        );
        check(
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
            "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870",
        );
    }

    #[test]
    fn a_file_is_padded_and_has_a_key_of_its_own() {
        for size in [0, 1, 15, 16, 17] {
            let material = Material {
                key: MasterKey::Aes256([7; 32]),
                query_id: "q".to_owned(),
                smk_id: "99999999999999999999".to_owned(),
            };
            let mut bytes = vec![1; size];
            let envelope = encrypt(&mut bytes, &material).unwrap();
            assert_eq!(bytes.len(), size / BLOCK * BLOCK + BLOCK);
            let expect = r#"{"queryId":"q","smkId":"99999999999999999999","keySize":"256"}"#;
            assert_eq!(envelope.description, expect);
            assert_ne!(encrypt(&mut vec![1; size], &material).unwrap().key, envelope.key);
        }
    }
}
