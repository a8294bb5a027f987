//! Thrift's compact protocol, as far as Parquet's headers and footer need it: writes structs with
//! fields in the order of their numbers.
//!
//! Source: the Thrift compact protocol specification. The crate that parquet2 uses allocates a name
//! for each field of each header, which is slow with hundreds of columns.

/// The types by their numbers in the protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Writes the fields of one struct; dropping it without [`Struct::end`] leaves the struct open.
#[must_use]
pub(super) struct Struct<'a> {
    to: &'a mut Vec<u8>,
    last: u8,
}

impl<'a> Struct<'a> {
    /// Begins a struct that is not a field of another: a header, a footer, or an element of a list.
    pub(super) fn begin(to: &'a mut Vec<u8>) -> Self {
        Self { to, last: 0 }
    }

    pub(super) fn bool(&mut self, field: u8, value: bool) {
        self.field(field, if value { TRUE } else { FALSE });
    }

    pub(super) fn i16(&mut self, field: u8, value: i16) {
        self.field(field, I16);
        self.number(value.into());
    }

    pub(super) fn i32(&mut self, field: u8, value: i32) {
        self.field(field, I32);
        self.number(value.into());
    }

    pub(super) fn i64(&mut self, field: u8, value: i64) {
        self.field(field, I64);
        self.number(value);
    }

    pub(super) fn bytes(&mut self, field: u8, value: &[u8]) {
        self.field(field, BINARY);
        self.binary(value);
    }

    /// Writes a list of 32 bit numbers.
    pub(super) fn numbers(&mut self, field: u8, values: &[i32]) {
        self.list(field, I32, values.len());
        for value in values {
            self.number((*value).into());
        }
    }

    /// Writes a list of strings.
    pub(super) fn strings(&mut self, field: u8, values: &[&str]) {
        self.list(field, BINARY, values.len());
        for value in values {
            self.binary(value.as_bytes());
        }
    }

    /// Writes a list of structs, which `write` appends.
    pub(super) fn structs(&mut self, field: u8, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.list(field, STRUCT, len);
        write(self.to);
    }

    /// Writes a struct, whose fields `write` writes.
    pub(super) fn nested(&mut self, field: u8, write: impl FnOnce(&mut Struct<'_>)) {
        self.field(field, STRUCT);
        let mut inner = Struct::begin(self.to);
        write(&mut inner);
        inner.end();
    }

    /// Ends the struct.
    pub(super) fn end(self) {
        self.to.push(0);
    }

    fn field(&mut self, field: u8, kind: u8) {
        debug_assert!(field > self.last && field - self.last < 16);
        self.to.push((field - self.last) << 4 | kind);
        self.last = field;
    }

    fn list(&mut self, field: u8, kind: u8, len: usize) {
        self.field(field, LIST);
        if len < 15 {
            self.to.push((len as u8) << 4 | kind);
        } else {
            self.to.push(0xf0 | kind);
            varint(self.to, len as u64);
        }
    }

    fn binary(&mut self, value: &[u8]) {
        varint(self.to, value.len() as u64);
        self.to.extend_from_slice(value);
    }

    /// Zigzag encoding: small numbers of either sign are short.
    fn number(&mut self, value: i64) {
        varint(self.to, ((value << 1) ^ (value >> 63)) as u64);
    }
}

/// Seven bits per byte, the least significant first.
pub(super) fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected bytes are written by hand from the specification.
    #[test]
    fn structs_are_compact() {
        let mut to = Vec::new();
        let mut out = Struct::begin(&mut to);
        out.i32(1, -1);
        out.bool(2, true);
        out.i64(5, 300);
        out.bytes(6, b"ab");
        out.nested(7, |inner| inner.bool(15, false));
        out.numbers(8, &[0, 3]);
        out.strings(9, &["x"; 15]);
        out.structs(10, 1, |to| Struct::begin(to).end());
        out.i16(11, 7);
        out.end();
        let mut expect = vec![0x15, 0x01, 0x11, 0x36, 0xd8, 0x04, 0x18, 2, b'a', b'b'];
        expect.extend([0x1c, 0xf2, 0, 0x19, 0x25, 0, 6, 0x19, 0xf8, 15]);
        expect.extend([1, b'x'].repeat(15));
        expect.extend([0x19, 0x1c, 0, 0x14, 14, 0]);
        assert_eq!(to, expect);
    }
}
