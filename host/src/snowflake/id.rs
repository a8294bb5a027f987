//! Ids of requests.

use ring::rand::{SecureRandom, SystemRandom};

use super::error::{ErrorKind, SnowflakeError};

/// Returns a random UUID (version 4).
pub(super) fn new() -> Result<String, SnowflakeError> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        SnowflakeError::new(ErrorKind::Unavailable, "the system has no random numbers")
    })?;
    Ok(of_bytes(bytes))
}

fn of_bytes(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | (4 << 76);
    let number = number & !(0b11 << 62) | (0b10 << 62);
    let hex = format!("{number:032x}");
    let mut id = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_4() {
        assert_eq!(of_bytes([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(of_bytes([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_ne!(new().unwrap(), new().unwrap());
    }
}
