//! The error of data that is not what its format says.

use std::io;

#[cold]
pub(super) fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_owned())
}
