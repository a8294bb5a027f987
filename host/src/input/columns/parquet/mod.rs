//! Parquet, a number of rows at a time: each column's values and levels are decoded, and assembled
//! to rows.
//!
//! Levels state how much of a value's path is present, and which list on the path continues. Rows
//! are assembled as the format specifies, list by list and struct by struct, and written at the
//! same time.

mod fault;
mod leaf;
mod meaning;

use std::fs::File;
use std::io;
use std::ops::Range;

use parquet::basic::{ConvertedType as Converted, LogicalType as Logical, Repetition};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{Type, TypePtr};

use self::fault::{damaged, unreadable};
use self::leaf::LeafColumn;
use self::meaning::{Meaning, column_kind, durations, meaning};
use super::kind::ColumnKind;
use super::text::{Form, json, name, null};
use crate::interface::Column;

/// The number of rows that are decoded at once.
const ROWS: usize = 4096;

/// The rows of a Parquet file, as cells.
pub(crate) struct ParquetRows {
    file: SerializedFileReader<File>,
    /// The top-level columns of the file.
    fields: Vec<(Vec<u8>, SchemaNode)>,
    meanings: Vec<Meaning>,
    /// The next row group.
    group: usize,
    leaves: Vec<LeafColumn>,
    /// The number of decoded rows not written yet, and of rows of the row group not decoded yet.
    decoded: usize,
    left: usize,
    size: usize,
}

impl ParquetRows {
    pub(crate) fn new(file: File, size: usize) -> io::Result<Self> {
        let file = SerializedFileReader::new(file).map_err(unreadable)?;
        let schema = file.metadata().file_metadata().schema_descr();
        let durations = durations(file.metadata());
        let meanings = schema
            .columns()
            .iter()
            .enumerate()
            .map(|(n, column)| meaning(column, durations.get(n).copied().flatten()));
        let meanings = meanings.collect::<io::Result<_>>()?;
        let mut leaves = 0;
        let fields = fields(schema.root_schema(), 0, 0, &mut leaves)?;
        let (group, decoded, left) = (0, 0, 0);
        Ok(Self { file, fields, meanings, group, leaves: Vec::new(), decoded, left, size })
    }

    /// The columns, with their types.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let schema = self.file.metadata().file_metadata().schema_descr();
        let fields = schema.root_schema().get_fields().iter().zip(&self.fields);
        let column = |(field, (_, node)): (&TypePtr, &(Vec<u8>, SchemaNode))| {
            let leaf = || {
                let at = node.leaves.start;
                Some(column_kind(*self.meanings.get(at)?, schema.columns().get(at)?))
            };
            let described = match &node.shape {
                Shape::LeafColumn => leaf().unwrap_or_else(|| ColumnKind::of("unknown", "text")),
                Shape::List { is_map: true, .. } => ColumnKind::of("map", "json"),
                Shape::List { .. } => ColumnKind::of("list", "json"),
                Shape::Struct(_) => ColumnKind::of("struct", "json"),
            };
            let nullable = field.get_basic_info().repetition() != Repetition::REQUIRED;
            described.column(field.name(), nullable)
        };
        fields.map(column).collect()
    }

    /// Returns the next rows, of about `size` bytes.
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

    /// Returns the next row as a JSON object.
    pub(crate) fn next_object(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.decode()? {
            return Ok(None);
        }
        let mut row = Vec::new();
        object(&self.fields, &mut self.leaves, &mut row)?;
        self.decoded -= 1;
        Ok(Some(row))
    }

    /// Returns `true` if there is a row. Decodes more if none is left.
    fn decode(&mut self) -> io::Result<bool> {
        while self.decoded == 0 {
            if self.left == 0 {
                if self.group >= self.file.num_row_groups() {
                    return Ok(false);
                }
                let group = self.file.get_row_group(self.group).map_err(unreadable)?;
                self.left = usize::try_from(group.metadata().num_rows()).map_err(|_| damaged())?;
                let open = |(n, meaning): (usize, &Meaning)| LeafColumn::open(&*group, n, *meaning);
                self.leaves =
                    self.meanings.iter().enumerate().map(open).collect::<io::Result<_>>()?;
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

/// A node of the schema.
struct SchemaNode {
    shape: Shape,
    /// The level from which on it is not null.
    def: i16,
    /// Its columns.
    leaves: Range<usize>,
}

enum Shape {
    LeafColumn,
    Struct(Vec<(Vec<u8>, SchemaNode)>),
    List {
        element: Box<SchemaNode>,
        /// The level at which the list continues.
        rep: i16,
        is_map: bool,
    },
}

/// The fields of a group.
fn fields(
    group: &Type,
    def: i16,
    rep: i16,
    leaf: &mut usize,
) -> io::Result<Vec<(Vec<u8>, SchemaNode)>> {
    let fields = group.get_fields().iter();
    fields.map(|field| Ok((name(field.name())?, node(field, def, rep, leaf)?))).collect()
}

fn node(kind: &Type, def: i16, rep: i16, leaf: &mut usize) -> io::Result<SchemaNode> {
    let first = *leaf;
    let (shape, def) = match kind.get_basic_info().repetition() {
        Repetition::REQUIRED => (shape(kind, def, rep, leaf)?, def),
        Repetition::OPTIONAL => (shape(kind, def + 1, rep, leaf)?, def + 1),
        // A list without the groups that declare it.
        Repetition::REPEATED => (list(kind, true, def, rep, leaf)?, def),
    };
    Ok(SchemaNode { shape, def, leaves: first..*leaf })
}

fn shape(kind: &Type, def: i16, rep: i16, leaf: &mut usize) -> io::Result<Shape> {
    if kind.is_primitive() {
        *leaf += 1;
        return Ok(Shape::LeafColumn);
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
    // In files of old writers the repeated group is the element itself.
    let whole = inner.is_primitive()
        || inner.get_fields().len() != 1
        || inner.name() == "array"
        || inner.name() == format!("{}_tuple", kind.name());
    list(inner, whole, def, rep, leaf)
}

/// A list of a repeated field: of it as a `whole`, or of its only field.
fn list(repeated: &Type, whole: bool, def: i16, rep: i16, leaf: &mut usize) -> io::Result<Shape> {
    let (def, rep, first) = (def + 1, rep + 1, *leaf);
    let inner: &[TypePtr] = if repeated.is_primitive() { &[] } else { repeated.get_fields() };
    let element = match inner {
        [field] if !whole => node(field, def, rep, leaf)?,
        _ => SchemaNode { shape: shape(repeated, def, rep, leaf)?, def, leaves: first..*leaf },
    };
    let element = Box::new(SchemaNode { leaves: first..*leaf, ..element });
    Ok(Shape::List { element, rep, is_map: false })
}

/// Writes the cells of a row. `nested` is a buffer for JSON.
fn row(
    fields: &[(Vec<u8>, SchemaNode)],
    leaves: &mut [LeafColumn],
    nested: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    for (n, (_, node)) in fields.iter().enumerate() {
        if n > 0 {
            out.push(b'\t');
        }
        if matches!(node.shape, Shape::LeafColumn) {
            value(node, leaves, Form::Cell, out)?;
            continue;
        }
        nested.clear();
        value(node, leaves, Form::Json, nested)?;
        json(nested, out)?;
    }
    Ok(())
}

fn object(
    fields: &[(Vec<u8>, SchemaNode)],
    leaves: &mut [LeafColumn],
    out: &mut Vec<u8>,
) -> io::Result<()> {
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

fn value(
    node: &SchemaNode,
    leaves: &mut [LeafColumn],
    form: Form,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let level = first(node, leaves)?.def()?;
    if level < node.def {
        skip(node, leaves)?;
        return null(form, out);
    }
    match &node.shape {
        Shape::LeafColumn => first(node, leaves)?.write(form, out),
        Shape::Struct(fields) => object(fields, leaves, out),
        Shape::List { element, rep, .. } => {
            out.push(b'[');
            // An element has its own level, above that of the list.
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

fn first<'l>(node: &SchemaNode, leaves: &'l mut [LeafColumn]) -> io::Result<&'l mut LeafColumn> {
    leaves.get_mut(node.leaves.start).ok_or_else(damaged)
}

/// Skips a null or empty value: each column has one level for it.
fn skip(node: &SchemaNode, leaves: &mut [LeafColumn]) -> io::Result<()> {
    let leaves = leaves.get_mut(node.leaves.clone()).ok_or_else(damaged)?;
    leaves.iter_mut().for_each(LeafColumn::pass);
    Ok(())
}
