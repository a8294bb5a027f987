//! Positions where a text can be cut between values before all of it is read.
//!
//! Not the [`Reader`](super::Reader), which needs whole values: a value of many pages would be read
//! from its beginning with each page. This one keeps its state between the pages, and checks
//! nothing: the reader checks the values once they are whole.

use super::reader::plain_end;

/// A position where a text can be cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Boundary {
    /// Behind the comma after an element of a top-level array.
    Element,
    /// Behind a top-level value, or behind the white space that ends a number or a word.
    Value,
}

/// The boundaries of a text, which is handed in by parts.
#[derive(Debug, Default)]
pub(crate) struct Boundaries {
    /// How many containers are open.
    depth: usize,
    in_string: bool,
    /// The byte before was the backslash of an escape.
    escaped: bool,
    /// The top-level value is an array.
    in_array: bool,
    /// The top-level value is a number or a word, which white space ends.
    in_word: bool,
}

impl Boundaries {
    /// The next boundary in these bytes, which follow those of the last call, and the number of
    /// bytes before it. `None` if there is none.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> (usize, Option<Boundary>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            let boundary = match self.in_string {
                true if self.escaped => {
                    self.escaped = false;
                    None
                }
                true => self.in_string(byte),
                false => self.between_strings(byte),
            };
            if boundary.is_some() {
                return (at, boundary);
            }
            if self.in_string && !self.escaped {
                at = plain_end(bytes, at);
            }
        }
        (at, None)
    }

    fn in_string(&mut self, byte: u8) -> Option<Boundary> {
        match byte {
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                return (self.depth == 0).then_some(Boundary::Value);
            }
            _ => {}
        }
        None
    }

    fn between_strings(&mut self, byte: u8) -> Option<Boundary> {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => {
                if self.depth == 0 {
                    self.in_array = byte == b'[';
                }
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.in_word = false;
                    return Some(Boundary::Value);
                }
            }
            b',' if self.depth == 1 && self.in_array => return Some(Boundary::Element),
            _ if self.depth > 0 => {}
            b' ' | b'\t' | b'\n' | b'\r' => {
                return std::mem::take(&mut self.in_word).then_some(Boundary::Value);
            }
            _ => self.in_word = true,
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text, with `|` at each boundary of an element and `/` at each boundary of a value; found by parts
    /// of any length.
    #[test]
    fn finds_the_boundaries_wherever_a_page_ends() {
        let check = |text: &str, expect: &str| {
            for part in 1..=text.len() {
                let mut boundaries = Boundaries::default();
                let mut found = String::new();
                for mut bytes in text.as_bytes().chunks(part) {
                    while !bytes.is_empty() {
                        let (length, boundary) = boundaries.next(bytes);
                        let (before, rest) = bytes.split_at(length);
                        found.push_str(std::str::from_utf8(before).unwrap());
                        found.push_str(match boundary {
                            None => "",
                            Some(Boundary::Element) => "|",
                            Some(Boundary::Value) => "/",
                        });
                        bytes = rest;
                    }
                }
                assert_eq!(found, expect, "{text} by {part}");
            }
        };
        check("", "");
        check("{\"a\":[1,2]} [3]", "{\"a\":[1,2]}/ [3]/");
        check("[1,[2,3],{\"a\":4,\"b\":5}]", "[1,|[2,3],|{\"a\":4,\"b\":5}]/");
        check(
            "[\"a,]\\\"\\\\\",\"\\u0041 and more text\"]",
            "[\"a,]\\\"\\\\\",|\"\\u0041 and more text\"]/",
        );
        check("\"a b\\\"\"1 true\n", "\"a b\\\"\"/1 /true\n/");
        check("]1", "]/1");
    }
}
