//! Parquet and Arrow IPC as rows of cells with typed columns, as the interface specifies. Neither
//! is ever in memory as a whole.
//!
//! The procedure's handler writes the same text with another library; a test compares the two.

mod arrow;
mod fault;
mod ipc;
mod kind;
mod parquet;
mod text;

pub(crate) use self::arrow::of_arrow;
pub(crate) use self::parquet::ParquetRows;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn other_formats_are_reported() {
        let error = of_arrow(&b"FEA1...."[..], 9).err().unwrap();
        assert!(error.to_string().contains("first version of Feather"), "{error}");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"no such thing, and far too short").unwrap();
        assert!(ParquetRows::new(file, 9).is_err());
    }
}
