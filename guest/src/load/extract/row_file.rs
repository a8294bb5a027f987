//! A file of rows in the format of the job.

use crate::columnar::batch::ColumnBuffer;
use crate::columnar::parquet::{FileColumn, PageCompression, PageEncoder, ParquetFile};
use crate::columnar::text::{TextFile, TextFormat};
use crate::fault::Result;
use crate::job::{DeliveredFormat, FileCompression};

/// A file that is built in memory.
pub(crate) enum RowFile {
    Parquet(ParquetFile),
    Text(TextFile),
}

/// The columns of a batch, in the order of the file, with their values.
pub(crate) type BatchColumns<'a> = [(FileColumn, Option<&'a ColumnBuffer>)];

impl RowFile {
    /// A file without rows. Parquet has its columns from the beginning.
    pub(crate) fn create(format: DeliveredFormat, columns: &BatchColumns<'_>) -> Result<Self> {
        Ok(match format {
            DeliveredFormat::Parquet(_) => {
                let columns = columns.iter().map(|(column, _)| column.clone());
                Self::Parquet(ParquetFile::create(columns.collect())?)
            }
            DeliveredFormat::JsonLines { gzip } => {
                Self::Text(TextFile::create(TextFormat::JsonLines, gzip))
            }
            DeliveredFormat::Csv { gzip } => Self::Text(TextFile::create(TextFormat::Csv, gzip)),
        })
    }

    /// Appends rows.
    pub(crate) fn append(
        &mut self,
        columns: &BatchColumns<'_>,
        rows: u32,
        encoder: &mut PageEncoder,
    ) -> Result<()> {
        match self {
            Self::Parquet(file) => {
                let values: Vec<_> = columns.iter().filter_map(|(_, values)| *values).collect();
                file.append(&values, rows, encoder)
            }
            Self::Text(file) => {
                let named = columns.iter().map(|(column, values)| (column.name.as_str(), *values));
                file.append(&named.collect::<Vec<_>>(), rows)
            }
        }
    }

    /// The approximate size of the finished file in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Parquet(file) => file.size(),
            Self::Text(file) => file.size(),
        }
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Self::Parquet(file) => file.rows(),
            Self::Text(file) => file.rows(),
        }
    }

    /// Returns the complete file.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Parquet(file) => file.finish(),
            Self::Text(file) => file.finish(),
        }
    }
}

/// The end of the names of files.
pub(crate) const fn extension(format: DeliveredFormat) -> &'static str {
    match format {
        DeliveredFormat::Parquet(_) => "parquet",
        DeliveredFormat::JsonLines { gzip: true } => "jsonl.gz",
        DeliveredFormat::JsonLines { gzip: false } => "jsonl",
        DeliveredFormat::Csv { gzip: true } => "csv.gz",
        DeliveredFormat::Csv { gzip: false } => "csv",
    }
}

/// The encoder of the pages of Parquet files.
pub(crate) fn page_encoder(format: DeliveredFormat) -> PageEncoder {
    PageEncoder::compressing(match format {
        DeliveredFormat::Parquet(FileCompression::Gzip) => PageCompression::Gzip,
        DeliveredFormat::Parquet(FileCompression::Uncompressed) => PageCompression::Uncompressed,
        _ => PageCompression::Snappy,
    })
}
