//! Parquet, some rows at a time: each column's values and levels are read, and rows put together of them.
//!
//! A level says how much of a value's path is there, and which list on it goes on. Rows are put together as
//! the format says, list by list and struct by struct, and written on the way.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;

use arrow2::datatypes::{DataType, Field, TimeUnit};
use arrow2::io::ipc::read::deserialize_schema;
use arrow2::types::{NativeType as _, f16, i256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parquet::basic::{
    ConvertedType as Converted, LogicalType as Logical, Repetition, TimeUnit as Unit,
    Type as Physical,
};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType as Stored, FixedLenByteArray, Int96};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, Type, TypePtr};

use super::kind::Kind as Told;
use super::text::{
    Form, boolean, bytes, date, decimal, double, duration, instant, json, moment, null, text, time,
    uuid,
};
use super::{invalid, name};
use crate::interface::Column;

/// So many rows are decoded at once.
const ROWS: usize = 4096;

/// The rows of a Parquet file, as cells.
pub(crate) struct Rows {
    file: SerializedFileReader<File>,
    /// The columns of the file at the top.
    fields: Vec<(Vec<u8>, Node)>,
    kinds: Vec<Kind>,
    /// The row group that is read next.
    group: usize,
    leaves: Vec<Leaf>,
    /// Rows that are decoded and not written yet, and those of the row group that are not decoded yet.
    decoded: usize,
    left: usize,
    size: usize,
}

impl Rows {
    pub(crate) fn new(file: File, size: usize) -> io::Result<Self> {
        let file = SerializedFileReader::new(file).map_err(unreadable)?;
        let schema = file.metadata().file_metadata().schema_descr();
        let durations = durations(file.metadata());
        let kinds = schema
            .columns()
            .iter()
            .enumerate()
            .map(|(n, column)| kind(column, durations.get(n).copied().flatten()));
        let kinds = kinds.collect::<io::Result<_>>()?;
        let mut leaves = 0;
        let fields = fields(schema.root_schema(), 0, 0, &mut leaves)?;
        let (group, decoded, left) = (0, 0, 0);
        Ok(Self { file, fields, kinds, group, leaves: Vec::new(), decoded, left, size })
    }

    /// The columns, with their types.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let schema = self.file.metadata().file_metadata().schema_descr();
        let fields = schema.root_schema().get_fields().iter().zip(&self.fields);
        let column = |(field, (_, node)): (&TypePtr, &(Vec<u8>, Node))| {
            let leaf = || {
                let at = node.leaves.start;
                Some(told(*self.kinds.get(at)?, schema.columns().get(at)?))
            };
            let told = match &node.shape {
                Shape::Leaf => leaf().unwrap_or_else(|| Told::of("unknown", "text")),
                Shape::List { is_map: true, .. } => Told::of("map", "json"),
                Shape::List { .. } => Told::of("list", "json"),
                Shape::Struct(_) => Told::of("struct", "json"),
            };
            let nullable = field.get_basic_info().repetition() != Repetition::REQUIRED;
            told.column(field.name(), nullable)
        };
        fields.map(column).collect()
    }

    /// The next rows, of about so many bytes.
    pub(crate) fn next_page(&mut self) -> io::Result<Option<String>> {
        let (mut page, mut nested) = (Vec::new(), Vec::new());
        while page.len() < self.size && self.decode()? {
            while self.decoded > 0 && page.len() < self.size {
                row(&self.fields, &mut self.leaves, &mut nested, &mut page)?;
                page.push(b'\n');
                self.decoded -= 1;
            }
        }
        let page = String::from_utf8(page).map_err(io::Error::other)?;
        Ok(Some(page).filter(|page| !page.is_empty()))
    }

    /// The next row, as an object of JSON.
    pub(crate) fn next_object(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.decode()? {
            return Ok(None);
        }
        let mut row = Vec::new();
        object(&self.fields, &mut self.leaves, &mut row)?;
        self.decoded -= 1;
        Ok(Some(row))
    }

    /// Whether there is a row; decodes some more if there is none left.
    fn decode(&mut self) -> io::Result<bool> {
        while self.decoded == 0 {
            if self.left == 0 {
                if self.group >= self.file.num_row_groups() {
                    return Ok(false);
                }
                let group = self.file.get_row_group(self.group).map_err(unreadable)?;
                self.left = usize::try_from(group.metadata().num_rows()).map_err(|_| damaged())?;
                let open = |(n, kind): (usize, &Kind)| Leaf::open(&*group, n, *kind);
                self.leaves = self.kinds.iter().enumerate().map(open).collect::<io::Result<_>>()?;
                self.group += 1;
                continue;
            }
            self.decoded = self.left.min(ROWS);
            self.left -= self.decoded;
            for leaf in &mut self.leaves {
                leaf.read(self.decoded)?;
            }
        }
        Ok(true)
    }
}

/// A value at a place of the schema.
struct Node {
    shape: Shape,
    /// The level from which on it is not null.
    def: i16,
    /// The columns it is made of.
    leaves: Range<usize>,
}

enum Shape {
    Leaf,
    Struct(Vec<(Vec<u8>, Node)>),
    List {
        element: Box<Node>,
        /// The level at which it goes on.
        rep: i16,
        is_map: bool,
    },
}

/// The fields of a group.
fn fields(group: &Type, def: i16, rep: i16, leaf: &mut usize) -> io::Result<Vec<(Vec<u8>, Node)>> {
    let fields = group.get_fields().iter();
    fields.map(|field| Ok((name(field.name())?, node(field, def, rep, leaf)?))).collect()
}

fn node(kind: &Type, def: i16, rep: i16, leaf: &mut usize) -> io::Result<Node> {
    let first = *leaf;
    let (shape, def) = match kind.get_basic_info().repetition() {
        Repetition::REQUIRED => (shape(kind, def, rep, leaf)?, def),
        Repetition::OPTIONAL => (shape(kind, def + 1, rep, leaf)?, def + 1),
        // A list without the groups around it that say so.
        Repetition::REPEATED => (list(kind, true, def, rep, leaf)?, def),
    };
    Ok(Node { shape, def, leaves: first..*leaf })
}

fn shape(kind: &Type, def: i16, rep: i16, leaf: &mut usize) -> io::Result<Shape> {
    if kind.is_primitive() {
        *leaf += 1;
        return Ok(Shape::Leaf);
    }
    let about = kind.get_basic_info();
    let listed = match (about.logical_type_ref(), about.converted_type()) {
        (Some(Logical::List), _) | (None, Converted::LIST) => Some(false),
        (Some(Logical::Map), _) | (None, Converted::MAP | Converted::MAP_KEY_VALUE) => Some(true),
        _ => None,
    };
    let inner = match kind.get_fields() {
        [inner] if inner.get_basic_info().repetition() == Repetition::REPEATED => Some(inner),
        _ => None,
    };
    let (Some(is_map), Some(inner)) = (listed, inner) else {
        return Ok(Shape::Struct(fields(kind, def, rep, leaf)?));
    };
    if is_map {
        let Shape::List { mut element, rep, .. } = list(inner, true, def, rep, leaf)? else {
            return Err(damaged());
        };
        if let Shape::Struct(fields) = &mut element.shape
            && let [(key, _), (value, _)] = fields.as_mut_slice()
        {
            (*key, *value) = (name("key")?, name("value")?);
        }
        return Ok(Shape::List { element, rep, is_map });
    }
    // The repeated group is the element itself in files of old writers.
    let whole = inner.is_primitive()
        || inner.get_fields().len() != 1
        || inner.name() == "array"
        || inner.name() == format!("{}_tuple", kind.name());
    list(inner, whole, def, rep, leaf)
}

/// A list of what is repeated: of it as a `whole`, or of its only field.
fn list(repeated: &Type, whole: bool, def: i16, rep: i16, leaf: &mut usize) -> io::Result<Shape> {
    let (def, rep, first) = (def + 1, rep + 1, *leaf);
    let inner: &[TypePtr] = if repeated.is_primitive() { &[] } else { repeated.get_fields() };
    let element = match inner {
        [field] if !whole => node(field, def, rep, leaf)?,
        _ => Node { shape: shape(repeated, def, rep, leaf)?, def, leaves: first..*leaf },
    };
    let element = Box::new(Node { leaves: first..*leaf, ..element });
    Ok(Shape::List { element, rep, is_map: false })
}

/// The cells of a row; `nested` is a place to write JSON in.
fn row(
    fields: &[(Vec<u8>, Node)],
    leaves: &mut [Leaf],
    nested: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    for (n, (_, node)) in fields.iter().enumerate() {
        if n > 0 {
            out.push(b'\t');
        }
        if matches!(node.shape, Shape::Leaf) {
            value(node, leaves, Form::Cell, out)?;
            continue;
        }
        nested.clear();
        value(node, leaves, Form::Json, nested)?;
        json(nested, out)?;
    }
    Ok(())
}

fn object(fields: &[(Vec<u8>, Node)], leaves: &mut [Leaf], out: &mut Vec<u8>) -> io::Result<()> {
    out.push(b'{');
    for (n, (name, node)) in fields.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.push(b':');
        value(node, leaves, Form::Json, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn value(node: &Node, leaves: &mut [Leaf], form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    let level = first(node, leaves)?.def()?;
    if level < node.def {
        skip(node, leaves)?;
        return null(form, out);
    }
    match &node.shape {
        Shape::Leaf => first(node, leaves)?.write(form, out),
        Shape::Struct(fields) => object(fields, leaves, out),
        Shape::List { element, rep, .. } => {
            out.push(b'[');
            // An element has a level of its own, above the list's.
            if level <= node.def {
                skip(node, leaves)?;
            } else {
                loop {
                    value(element, leaves, form, out)?;
                    if first(node, leaves)?.rep() < *rep {
                        break;
                    }
                    out.push(b',');
                }
            }
            out.push(b']');
            Ok(())
        }
    }
}

fn first<'l>(node: &Node, leaves: &'l mut [Leaf]) -> io::Result<&'l mut Leaf> {
    leaves.get_mut(node.leaves.start).ok_or_else(damaged)
}

/// Goes on behind what is null or empty: each column has one level for it.
fn skip(node: &Node, leaves: &mut [Leaf]) -> io::Result<()> {
    let leaves = leaves.get_mut(node.leaves.clone()).ok_or_else(damaged)?;
    leaves.iter_mut().for_each(|leaf| leaf.at += 1);
    Ok(())
}

/// A column of a row group.
struct Leaf {
    kind: Kind,
    values: Values,
    /// Levels of the rows that are decoded; none where there is only one.
    defs: Option<Vec<i16>>,
    reps: Option<Vec<i16>>,
    /// The level at which there is a value.
    full: i16,
    /// The next level, and the next value.
    at: usize,
    value: usize,
}

/// Values, and where more come from.
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

impl Leaf {
    fn open(group: &dyn RowGroupReader, number: usize, kind: Kind) -> io::Result<Self> {
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
        Ok(Self { kind, values, defs, reps, full: def, at: 0, value: 0 })
    }

    /// Decodes so many rows; those before must have been written.
    fn read(&mut self, rows: usize) -> io::Result<()> {
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

    fn def(&self) -> io::Result<i16> {
        match &self.defs {
            None => Ok(self.full),
            Some(defs) => defs.get(self.at).copied().ok_or_else(damaged),
        }
    }

    /// At the end of what is decoded a row ends.
    fn rep(&self) -> i16 {
        self.reps.as_ref().and_then(|reps| reps.get(self.at)).copied().unwrap_or(0)
    }

    fn write(&mut self, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
        let at = self.value;
        self.value += 1;
        self.at += 1;
        match &self.values {
            Values::Boolean(_, values) => boolean(*get(values, at)?, form, out),
            Values::Int32(_, values) => int32(*get(values, at)?, self.kind, form, out),
            Values::Int64(_, values) => int64(*get(values, at)?, self.kind, form, out),
            Values::Int96(_, values) => int96(get(values, at)?, form, out),
            Values::Float(_, values) => double(f64::from(*get(values, at)?), form, out),
            Values::Double(_, values) => double(*get(values, at)?, form, out),
            Values::Bytes(_, values) => array(get(values, at)?.data(), self.kind, form, out),
            Values::Fixed(_, values) => array(get(values, at)?.data(), self.kind, form, out),
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

/// What the values of a column mean.
#[derive(Clone, Copy)]
enum Kind {
    /// What they are.
    Plain,
    Unsigned,
    Decimal(usize),
    Date,
    Time(TimeUnit),
    Instant {
        unit: TimeUnit,
        zone: bool,
    },
    Duration(TimeUnit),
    Text,
    Half,
    Uuid,
}

fn kind(column: &ColumnDescriptor, duration: Option<TimeUnit>) -> io::Result<Kind> {
    let unit = |unit: &Unit| match unit {
        Unit::MILLIS => TimeUnit::Millisecond,
        Unit::MICROS => TimeUnit::Microsecond,
        Unit::NANOS => TimeUnit::Nanosecond,
    };
    let scale = |scale: i32| usize::try_from(scale).map(Kind::Decimal).map_err(|_| damaged());
    let instant = |unit| Kind::Instant { unit, zone: true };
    Ok(match (column.logical_type_ref(), column.converted_type()) {
        (Some(Logical::Decimal(decimal)), _) => scale(decimal.scale)?,
        (Some(Logical::Date), _) => Kind::Date,
        (Some(Logical::Time(time)), _) => Kind::Time(unit(&time.unit)),
        (Some(Logical::Timestamp(stamp)), _) => {
            Kind::Instant { unit: unit(&stamp.unit), zone: stamp.is_adjusted_to_u_t_c }
        }
        (Some(Logical::Integer(integer)), _) if !integer.is_signed => Kind::Unsigned,
        (Some(Logical::String | Logical::Json), _) => Kind::Text,
        (Some(Logical::Float16), _) => Kind::Half,
        (Some(Logical::Uuid), _) => Kind::Uuid,
        (Some(_), _) => Kind::Plain,
        (None, Converted::DECIMAL) => scale(column.type_scale())?,
        (None, Converted::DATE) => Kind::Date,
        (None, Converted::TIME_MILLIS) => Kind::Time(TimeUnit::Millisecond),
        (None, Converted::TIME_MICROS) => Kind::Time(TimeUnit::Microsecond),
        // In the old style all have a zone.
        (None, Converted::TIMESTAMP_MILLIS) => instant(TimeUnit::Millisecond),
        (None, Converted::TIMESTAMP_MICROS) => instant(TimeUnit::Microsecond),
        (
            None,
            Converted::UINT_8 | Converted::UINT_16 | Converted::UINT_32 | Converted::UINT_64,
        ) => Kind::Unsigned,
        (None, Converted::UTF8 | Converted::JSON) => Kind::Text,
        (None, _) => match duration {
            Some(unit) if column.physical_type() == Physical::INT64 => Kind::Duration(unit),
            _ => Kind::Plain,
        },
    })
}

/// Which columns are durations: only the Arrow schema that some writers add to a file tells.
fn durations(metadata: &ParquetMetaData) -> Vec<Option<TimeUnit>> {
    let more = metadata.file_metadata().key_value_metadata();
    let schema = more.into_iter().flatten().find(|it| it.key == "ARROW:schema");
    let schema = schema.and_then(|it| STANDARD.decode(it.value.as_deref()?).ok());
    let schema = schema.and_then(|it| {
        let message = it.strip_prefix(&[0xff; 4]).and_then(|it| it.get(4..)).unwrap_or(&it);
        // Types that came later are no reason not to read the file: its own types count.
        Some(deserialize_schema(message).ok()?.0)
    });
    let mut leaves = Vec::new();
    for field in schema.iter().flat_map(|schema| &schema.fields) {
        units(field, &mut leaves);
    }
    let columns = metadata.file_metadata().schema_descr().num_columns();
    if leaves.len() == columns { leaves } else { Vec::new() }
}

fn units(field: &Field, leaves: &mut Vec<Option<TimeUnit>>) {
    let mut kind = &field.data_type;
    while let DataType::Extension(_, inner, _) | DataType::Dictionary(_, inner, _) = kind {
        kind = inner;
    }
    match kind {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => units(field, leaves),
        DataType::Struct(fields) => fields.iter().for_each(|field| units(field, leaves)),
        DataType::Duration(unit) => leaves.push(Some(*unit)),
        _ => leaves.push(None),
    }
}

fn int32(value: i32, kind: Kind, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    match kind {
        Kind::Unsigned => write!(out, "{}", value.cast_unsigned()),
        kind => int64(value.into(), kind, form, out),
    }
}

fn int64(value: i64, kind: Kind, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    match kind {
        Kind::Unsigned => write!(out, "{}", value.cast_unsigned()),
        Kind::Decimal(scale) => decimal(&value.to_string(), scale, out),
        Kind::Date => date(value, form, out),
        Kind::Time(unit) => time(value, unit, form, out),
        Kind::Instant { unit, zone } => instant(value, unit, zone, form, out),
        Kind::Duration(unit) => duration(value, unit, form, out),
        Kind::Plain | Kind::Text | Kind::Half | Kind::Uuid => write!(out, "{value}"),
    }
}

/// Nanoseconds of a day, and the day, counted from before history. Without a zone.
fn int96(value: &Int96, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    let &[low, high, day] = value.data() else { return Err(damaged()) };
    let nanos = i128::from(u64::from(high) << 32 | u64::from(low));
    let since = (i128::from(day) - 2_440_588) * 86_400_000_000_000 + nanos;
    let part = |part: i128| i64::try_from(part).map_err(|_| damaged());
    let (micros, nanos) = match form {
        Form::Cell => (part(since.div_euclid(1000))?, since.rem_euclid(1000)),
        Form::Json => (part(since / 1000)?, 0),
    };
    let nanos = u32::try_from(nanos).map_err(|_| damaged())?;
    moment(micros, nanos, false, form, out).map_err(|error| error.unwrap_or_else(damaged))
}

/// The type of a column, in the words of the interface.
fn told(kind: Kind, column: &ColumnDescriptor) -> Told {
    match kind {
        Kind::Unsigned if column.physical_type() == Physical::INT64 => Told::unsigned(),
        Kind::Unsigned => Told::of("uint", "bigint"),
        Kind::Decimal(scale) => {
            Told::decimal(usize::try_from(column.type_precision()).unwrap_or_default(), scale)
        }
        Kind::Date => Told::of("date", "date"),
        Kind::Time(unit) => Told::time(unit),
        Kind::Instant { unit, zone } => Told::instant(unit, zone),
        Kind::Duration(unit) => Told::duration(unit),
        Kind::Text => Told::of("string", "text"),
        Kind::Half => Told::of("float", "double"),
        Kind::Uuid => Told::of("uuid", "text"),
        Kind::Plain if matches!(column.logical_type_ref(), Some(Logical::Unknown)) => {
            Told::of("null", "text")
        }
        Kind::Plain => match column.physical_type() {
            Physical::BOOLEAN => Told::of("bool", "bool"),
            Physical::INT32 | Physical::INT64 => Told::of("int", "bigint"),
            Physical::INT96 => Told::instant(TimeUnit::Nanosecond, false),
            Physical::FLOAT | Physical::DOUBLE => Told::of("float", "double"),
            Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => Told::of("binary", "binary"),
        },
    }
}

fn array(value: &[u8], kind: Kind, form: Form, out: &mut Vec<u8>) -> io::Result<()> {
    match kind {
        Kind::Decimal(scale) => decimal(&whole(value)?, scale, out),
        Kind::Text => {
            text(std::str::from_utf8(value).map_err(|e| invalid(&e.to_string()))?, form, out)
        }
        Kind::Half => {
            let value = f16::from_le_bytes(value.try_into().map_err(|_| damaged())?);
            double(f64::from(value.to_f32()), form, out)
        }
        Kind::Uuid => uuid(value, form, out),
        _ => bytes(value, form, out),
    }
}

/// The digits of a number of any width up to 256 bits, the highest byte first.
fn whole(value: &[u8]) -> io::Result<String> {
    let fill = if value.first().is_some_and(|first| *first > 127) { 0xff } else { 0 };
    let mut wide = [fill; 32];
    let start = wide.len().checked_sub(value.len()).ok_or_else(damaged)?;
    wide.get_mut(start..).ok_or_else(damaged)?.copy_from_slice(value);
    Ok(i256::from_be_bytes(wide).to_string())
}

fn unreadable(error: ParquetError) -> io::Error {
    invalid(&error.to_string())
}

#[cold]
fn damaged() -> io::Error {
    invalid("the Parquet is damaged")
}
