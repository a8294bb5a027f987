//! A column of a row group: its values and levels, a number of rows at a time.

use std::io;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType as Stored, FixedLenByteArray, Int96};
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;

use super::super::text::{Form, boolean, double};
use super::fault::{damaged, unreadable};
use super::meaning::{Meaning, array, int32, int64, int96};

/// A column of a row group.
pub(super) struct LeafColumn {
    meaning: Meaning,
    values: Values,
    /// The levels of the decoded rows; `None` if there is only one.
    defs: Option<Vec<i16>>,
    reps: Option<Vec<i16>>,
    /// The level of a value that is present.
    full: i16,
    /// The next level, and the next value.
    at: usize,
    value: usize,
}

/// The values, and the source of further ones.
enum Values {
    Boolean(ColumnReaderImpl<parquet::data_type::BoolType>, Vec<bool>),
    Int32(ColumnReaderImpl<parquet::data_type::Int32Type>, Vec<i32>),
    Int64(ColumnReaderImpl<parquet::data_type::Int64Type>, Vec<i64>),
    Int96(ColumnReaderImpl<parquet::data_type::Int96Type>, Vec<Int96>),
    Float(ColumnReaderImpl<parquet::data_type::FloatType>, Vec<f32>),
    Double(ColumnReaderImpl<parquet::data_type::DoubleType>, Vec<f64>),
    Bytes(ColumnReaderImpl<parquet::data_type::ByteArrayType>, Vec<ByteArray>),
    Fixed(ColumnReaderImpl<parquet::data_type::FixedLenByteArrayType>, Vec<FixedLenByteArray>),
}

impl LeafColumn {
    pub(super) fn open(
        group: &dyn RowGroupReader,
        number: usize,
        meaning: Meaning,
    ) -> io::Result<Self> {
        let column = group.metadata().column(number).column_descr();
        let (def, rep) = (column.max_def_level(), column.max_rep_level());
        let values = match group.get_column_reader(number).map_err(unreadable)? {
            ColumnReader::BoolColumnReader(reader) => Values::Boolean(reader, Vec::new()),
            ColumnReader::Int32ColumnReader(reader) => Values::Int32(reader, Vec::new()),
            ColumnReader::Int64ColumnReader(reader) => Values::Int64(reader, Vec::new()),
            ColumnReader::Int96ColumnReader(reader) => Values::Int96(reader, Vec::new()),
            ColumnReader::FloatColumnReader(reader) => Values::Float(reader, Vec::new()),
            ColumnReader::DoubleColumnReader(reader) => Values::Double(reader, Vec::new()),
            ColumnReader::ByteArrayColumnReader(reader) => Values::Bytes(reader, Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                Values::Fixed(reader, Vec::new())
            }
        };
        let defs = (def > 0).then(Vec::new);
        let reps = (rep > 0).then(Vec::new);
        Ok(Self { meaning, values, defs, reps, full: def, at: 0, value: 0 })
    }

    /// Decodes `rows` rows. The previous ones must have been written.
    pub(super) fn read(&mut self, rows: usize) -> io::Result<()> {
        let Self { defs, reps, .. } = self;
        let read = match &mut self.values {
            Values::Boolean(reader, values) => more(reader, values, defs, reps, rows),
            Values::Int32(reader, values) => more(reader, values, defs, reps, rows),
            Values::Int64(reader, values) => more(reader, values, defs, reps, rows),
            Values::Int96(reader, values) => more(reader, values, defs, reps, rows),
            Values::Float(reader, values) => more(reader, values, defs, reps, rows),
            Values::Double(reader, values) => more(reader, values, defs, reps, rows),
            Values::Bytes(reader, values) => more(reader, values, defs, reps, rows),
            Values::Fixed(reader, values) => more(reader, values, defs, reps, rows),
        };
        (self.at, self.value) = (0, 0);
        if read.map_err(unreadable)? == rows { Ok(()) } else { Err(damaged()) }
    }

    /// Skips the next level.
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    pub(super) fn def(&self) -> io::Result<i16> {
        match &self.defs {
            None => Ok(self.full),
            Some(defs) => defs.get(self.at).copied().ok_or_else(damaged),
        }
    }

    /// The end of the decoded levels is the end of a row.
    pub(super) fn rep(&self) -> i16 {
        self.reps.as_ref().and_then(|reps| reps.get(self.at)).copied().unwrap_or(0)
    }

    pub(super) fn write(&mut self, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
        let at = self.value;
        self.value += 1;
        self.at += 1;
        match &self.values {
            Values::Boolean(_, values) => boolean(*get(values, at)?, form, out),
            Values::Int32(_, values) => int32(*get(values, at)?, self.meaning, form, out),
            Values::Int64(_, values) => int64(*get(values, at)?, self.meaning, form, out),
            Values::Int96(_, values) => int96(get(values, at)?, form, out),
            Values::Float(_, values) => double(f64::from(*get(values, at)?), form, out),
            Values::Double(_, values) => double(*get(values, at)?, form, out),
            Values::Bytes(_, values) => array(get(values, at)?.data(), self.meaning, form, out),
            Values::Fixed(_, values) => array(get(values, at)?.data(), self.meaning, form, out),
        }
    }
}

fn get<T>(values: &[T], at: usize) -> io::Result<&T> {
    values.get(at).ok_or_else(damaged)
}

fn more<T: Stored>(
    reader: &mut ColumnReaderImpl<T>,
    values: &mut Vec<T::T>,
    defs: &mut Option<Vec<i16>>,
    reps: &mut Option<Vec<i16>>,
    rows: usize,
) -> Result<usize, ParquetError> {
    values.clear();
    defs.iter_mut().chain(reps.iter_mut()).for_each(Vec::clear);
    let mut read = 0;
    while read < rows {
        let (more, _, _) =
            reader.read_records(rows - read, defs.as_mut(), reps.as_mut(), values)?;
        if more == 0 {
            break;
        }
        read += more;
    }
    Ok(read)
}
