//! The files of rows: a batch becomes a row group of a Parquet file. Files grow in memory until
//! they are worth an upload, so that a large load does not create thousands of small files.

use std::collections::HashMap;

use super::row_file::{RowFile, extension, page_encoder};
use crate::columnar::batch::ColumnBuffer;
use crate::columnar::parquet::{FileColumn, PageEncoder};
use crate::dlt::naming::Convention;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Context, Fault, Result};
use crate::job::{DeliveredFormat, Delivery};
use crate::protocol::FileReport;
use crate::shred::{Family, SeenColumn, ShredTable, TableId};
use crate::sql::{DEFAULT_BINARY, DEFAULT_TEXT, MAX_BINARY, MAX_TEXT};

/// A batch becomes a row group when its values have this many bytes.
const BATCH_BYTES: usize = 8 << 20;
/// A batch of a table with more bytes begins a new file.
const LARGE_BATCH: usize = 4 * BATCH_BYTES;
/// All open files together hold at most about this many bytes more than one file.
const OTHER_BYTES: usize = 20 << 20;

/// When batches and files end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileLimits {
    /// A file is uploaded at this many bytes.
    bytes: usize,
    /// The most rows of a file.
    rows: u32,
    /// A batch becomes a row group at this size, between two pages.
    batch: usize,
    /// Within a page, it does at this size.
    batch_in_page: usize,
}

impl FileLimits {
    fn of(delivery: &Delivery) -> Self {
        let bytes = delivery.max_bytes;
        let batch = BATCH_BYTES.min(bytes);
        // A batch that is larger than a file would make a larger file.
        let batch_in_page = if bytes < BATCH_BYTES { batch } else { 4 * BATCH_BYTES };
        Self { bytes, rows: delivery.max_rows.unwrap_or(u32::MAX), batch, batch_in_page }
    }

    /// Returns `true` if the batch is written to files between two pages.
    pub(crate) fn is_full(&self, family: &mut Family) -> bool {
        family.weight() >= self.batch || self.has_all_rows(family)
    }

    /// Returns `true` if the batch is written to files within a page.
    pub(crate) fn is_full_in_page(&self, family: &mut Family) -> bool {
        family.weight() >= self.batch_in_page || self.has_all_rows(family)
    }

    fn has_all_rows(&self, family: &Family) -> bool {
        family.table(TableId::ROOT).rows() >= self.rows
    }

    /// The number of root rows after which the batch is full, or the next one if this one is.
    pub(crate) fn next_rows(&self, family: &Family) -> u32 {
        match self.rows.saturating_sub(family.table(TableId::ROOT).rows()) {
            0 => self.rows,
            left => left,
        }
    }
}

/// The files of one resource.
pub(crate) struct Staging {
    /// The folder of the files on the stage: the load's id.
    prefix: String,
    convention: Convention,
    /// The number of the resource, for its folder: the name of a table may not be valid in a path.
    resource: usize,
    tables: Vec<TableFiles>,
    ready: Vec<Ready>,
    encoder: PageEncoder,
    limits: FileLimits,
    format: DeliveredFormat,
}

/// The files of one table.
#[derive(Default)]
struct TableFiles {
    open: Option<(Vec<FileColumn>, RowFile)>,
    /// The fields of files of CSV, which are in the order in which columns had their first values: a column is
    /// at one position in all files.
    order: Vec<String>,
    files: usize,
    rows: u64,
    /// The bytes of the longest value of each column, if that is longer than the default of its
    /// type.
    longest: HashMap<String, u64>,
}

/// A file to upload.
pub(crate) struct Ready {
    pub(crate) report: FileReport,
    pub(crate) bytes: Vec<u8>,
}

impl Staging {
    pub(crate) fn new(
        load_id: &str,
        resource: usize,
        convention: Convention,
        delivery: &Delivery,
    ) -> Self {
        let prefix = load_id.to_owned();
        Self {
            prefix,
            convention,
            resource,
            tables: Vec::new(),
            ready: Vec::new(),
            encoder: page_encoder(delivery.format),
            limits: FileLimits::of(delivery),
            format: delivery.format,
        }
    }

    /// When batches and files end.
    pub(crate) const fn limits(&self) -> FileLimits {
        self.limits
    }

    /// Takes the rows of the current batch.
    pub(crate) fn take(&mut self, family: &mut Family) -> Result<()> {
        for (id, table) in family.tables_mut() {
            if table.rows() > 0 {
                table.flush_pending();
                self.append(id, table).at(|| format!("table {}", table.name))?;
                table.clear();
            }
        }
        while self.open_bytes() > self.limits.bytes + OTHER_BYTES {
            let Some((largest, table)) = family.tables().max_by_key(|(id, _)| self.open_size(*id))
            else {
                break;
            };
            self.close(largest, &table.name)?;
        }
        Ok(())
    }

    /// Closes every file that is still open.
    pub(crate) fn finish(&mut self, family: &Family) -> Result<()> {
        for (id, table) in family.tables() {
            self.close(id, &table.name)?;
        }
        Ok(())
    }

    /// The files that are ready to be uploaded.
    pub(crate) fn ready(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready)
    }

    /// The directory of a table's files under the stage.
    pub(crate) fn directory(&self, id: TableId, table: &str) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let name: String = table.chars().map(safe).take(80).collect();
        format!("{}/{}.{}.{name}", self.prefix, self.resource, id.number())
    }

    /// The format of the files.
    pub(crate) const fn format(&self) -> DeliveredFormat {
        self.format
    }

    /// The position of a column in files of CSV, from 1; 0 in other files.
    pub(crate) fn position(&self, id: TableId, column: &str) -> usize {
        let name = self.convention.fold(column);
        let order = self.tables.get(id.number()).map_or(&[][..], |staged| &staged.order);
        order.iter().position(|known| *known == name).map_or(0, |at| at + 1)
    }

    /// Rows of a table handed over so far.
    pub(crate) fn rows(&self, id: TableId) -> u64 {
        self.tables.get(id.number()).map_or(0, |staged| staged.rows)
    }

    /// The bytes of the longest value of a column, if that is longer than the default of its type;
    /// else 0.
    pub(crate) fn longest(&self, id: TableId, column: &str) -> u64 {
        let longest = self.tables.get(id.number()).and_then(|staged| staged.longest.get(column));
        longest.copied().unwrap_or(0)
    }

    #[expect(clippy::indexing_slicing, reason = "the table was pushed just before")]
    fn append(&mut self, id: TableId, table: &ShredTable) -> Result<()> {
        let columns = table.columns();
        let columns: Vec<_> = columns.iter().filter(|column| column.seen).collect();
        let column = |column: &SeenColumn<'_>| FileColumn {
            name: self.convention.fold(column.name),
            kind: column.kind,
        };
        let of_batch = columns.iter().map(|it| (column(it), Some(it.values))).collect();
        let at = id.number();
        while self.tables.len() <= at {
            self.tables.push(TableFiles::default());
        }
        let in_file = match self.format {
            DeliveredFormat::Parquet(_) | DeliveredFormat::JsonLines { .. } => of_batch,
            DeliveredFormat::Csv { .. } => self.tables[at].in_order(of_batch),
        };
        let fields: Vec<FileColumn> = match self.format {
            // Each row has the names of its columns.
            DeliveredFormat::JsonLines { .. } => Vec::new(),
            _ => in_file.iter().map(|(column, _)| column.clone()).collect(),
        };
        // The columns of a file are fixed at its beginning: a schema that grew begins a new file.
        // So does a batch that is a large file by itself, because hosts copy a file whole.
        let is_alone = table.bytes() > LARGE_BATCH;
        let (rows, most) = (u64::from(table.rows()), u64::from(self.limits.rows));
        let ends = |(begun, file): &(Vec<FileColumn>, RowFile)| {
            *begun != fields || is_alone || file.rows() + rows > most
        };
        if self.tables[at].open.as_ref().is_some_and(ends) {
            self.close(id, &table.name)?;
        }
        let staged = &mut self.tables[at];
        for column in &columns {
            let Some((default, most)) = limits(&column.kind) else { continue };
            let longest = column.values.longest(default);
            if longest > most {
                return Err(Fault::data(format_args!(
                    "expected values of at most {most} bytes, found one of {longest}"
                ))
                .at(format_args!("column {}", column.name)));
            }
            if longest > 0 {
                let known = staged.longest.entry(column.name.to_owned()).or_default();
                *known = longest.max(*known);
            }
        }
        let (_, file) = match &mut staged.open {
            Some(open) => open,
            None => staged.open.insert((fields, RowFile::create(self.format, &in_file)?)),
        };
        file.append(&in_file, table.rows(), &mut self.encoder)?;
        staged.rows += rows;
        if file.size() > self.limits.bytes || file.rows() >= most {
            self.close(id, &table.name)?;
        }
        Ok(())
    }

    fn close(&mut self, id: TableId, table: &str) -> Result<()> {
        let directory = self.directory(id, table);
        let Some(staged) = self.tables.get_mut(id.number()) else { return Ok(()) };
        let Some((_, file)) = staged.open.take() else { return Ok(()) };
        let path = format!("{directory}/{}.{}", staged.files, extension(self.format));
        staged.files += 1;
        let rows = file.rows();
        let bytes = file.finish()?;
        let report = FileReport { path, table: table.to_owned(), rows, bytes: bytes.len() as u64 };
        self.ready.push(Ready { report, bytes });
        Ok(())
    }

    fn open_size(&self, id: TableId) -> usize {
        self.tables
            .get(id.number())
            .and_then(|staged| staged.open.as_ref())
            .map_or(0, |(_, f)| f.size())
    }

    fn open_bytes(&self) -> usize {
        self.tables
            .iter()
            .filter_map(|staged| staged.open.as_ref())
            .map(|(_, file)| file.size())
            .sum()
    }
}

impl TableFiles {
    /// The columns of a batch at their positions in all files of the table.
    fn in_order<'a>(
        &mut self,
        batch: Vec<(FileColumn, Option<&'a ColumnBuffer>)>,
    ) -> Vec<(FileColumn, Option<&'a ColumnBuffer>)> {
        let mut by_name: HashMap<String, Option<&'a ColumnBuffer>> = HashMap::new();
        for (column, values) in batch {
            if !self.order.contains(&column.name) {
                self.order.push(column.name.clone());
            }
            by_name.insert(column.name, values);
        }
        // A field is text, whatever the type of its column is.
        let column = |name: &String| {
            let kind = Kind::of(DataType::Text);
            (FileColumn { name: name.clone(), kind }, by_name.get(name).copied().flatten())
        };
        self.order.iter().map(column).collect()
    }
}

/// The default and the greatest length in bytes of a value of this type; `None` if the type or its precision
/// defines it.
fn limits(kind: &Kind) -> Option<(u64, u64)> {
    match kind.data_type {
        DataType::Json => Some((DEFAULT_TEXT, MAX_TEXT)),
        DataType::Text if kind.precision.is_none() => Some((DEFAULT_TEXT, MAX_TEXT)),
        DataType::Binary => Some((DEFAULT_BINARY, MAX_BINARY)),
        _ => None,
    }
}
