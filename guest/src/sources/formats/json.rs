//! JSON values of any size: a file of one array is taken apart between its elements.

use super::{Frame, MAX_VALUE, check, too_large};
use crate::fault::Result;

/// Where the values end.
#[derive(Default)]
pub(super) struct Values {
    scanner: Scanner,
    /// Bytes of the text the scanner has seen.
    seen: usize,
    /// What is held begins inside a top-level array.
    inside: bool,
    /// What was handed over last.
    piece: String,
}

impl Values {
    /// The next piece of `text`, which begins at `at` of what is held: everything up to the last place to
    /// cut, or, when `single`, one value or element.
    pub(super) fn next<'a>(
        &'a mut self,
        text: &str,
        at: &mut usize,
        line: &mut u64,
        last: bool,
        single: bool,
    ) -> Result<Option<Frame<'a>>> {
        let mut text = text;
        loop {
            let mut cut = None;
            while self.seen < text.len() {
                let rest = text.as_bytes().get(self.seen..).unwrap_or_default();
                let (read, place) = self.scanner.advance(rest);
                self.seen += read;
                cut = place.map(|place| (place, self.seen)).or(cut);
                if single && cut.is_some() {
                    break;
                }
            }
            let torn = cut.is_none();
            let (place, end) = match cut {
                Some(cut) => cut,
                None if !last => {
                    let full = text.len() > MAX_VALUE;
                    return if full { Err(too_large(*line)) } else { Ok(None) };
                }
                None if blank(text) && !self.inside => return Ok(None),
                // It ends in the midst of something: the reader says of what.
                None => (Place::Value, text.len()),
            };
            let taken = self.take(text, end, place == Place::Element);
            *at += taken;
            let lead = text.len() - text.trim_ascii_start().len();
            // Of the first line that is not blank.
            let begins = *line + newlines(text.get(..lead.min(taken)).unwrap_or_default());
            *line += newlines(text.get(..taken).unwrap_or_default());
            text = text.get(taken..).unwrap_or_default();
            if torn {
                (self.inside, self.scanner) = (false, Scanner::default());
            } else if blank(&self.piece) {
                continue;
            }
            if single && let Some(reason) = check(&self.piece, begins) {
                let raw = self.piece.trim_ascii();
                return Ok(Some(Frame::Bad { raw, line: begins, reason }));
            }
            return Ok(Some(Frame::Values { text: self.piece.trim_ascii(), line: begins }));
        }
    }

    /// Copies what is before the cut into the piece: whole values, where arrays are cut each part an
    /// array again. How many bytes that uses up.
    fn take(&mut self, text: &str, end: usize, element: bool) -> usize {
        self.piece.clear();
        if std::mem::replace(&mut self.inside, element) {
            self.piece.push('[');
        }
        // The comma belongs to neither part.
        let upto = end.saturating_sub(usize::from(element));
        self.piece.push_str(text.get(..upto).unwrap_or_default());
        if element {
            self.piece.push(']');
        }
        self.seen = self.seen.saturating_sub(end);
        end
    }
}

fn blank(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_whitespace())
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|b| *b == b'\n').count() as u64
}

/// A place where an input can be cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// The byte before is the comma after an element of a top-level array.
    Element,
    /// The byte before is the last of a top-level value, or the white space that ends a bare one.
    Value,
}

/// Knows whether it is in a text, and how deep.
#[derive(Debug, Default)]
struct Scanner {
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// The top-level value is an array.
    in_array: bool,
    /// The top-level value is a number or a word, which white space ends.
    bare: bool,
}

impl Scanner {
    /// Goes on to the next place where the input can be cut, or to the end of these bytes.
    fn advance(&mut self, bytes: &[u8]) -> (usize, Option<Place>) {
        let mut rest = bytes.iter();
        let done = |rest: &std::slice::Iter<'_, u8>| bytes.len() - rest.len();
        while let Some(&byte) = rest.next() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_text = false;
                        if self.depth == 0 {
                            return (done(&rest), Some(Place::Value));
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => {
                    if self.depth == 0 {
                        self.in_array = byte == b'[';
                    }
                    self.depth += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.bare = false;
                        return (done(&rest), Some(Place::Value));
                    }
                }
                b',' if self.depth == 1 && self.in_array => {
                    return (done(&rest), Some(Place::Element));
                }
                _ if self.depth > 0 => {}
                b' ' | b'\t' | b'\n' | b'\r' => {
                    if std::mem::take(&mut self.bare) {
                        return (done(&rest), Some(Place::Value));
                    }
                }
                _ => self.bare = true,
            }
        }
        (bytes.len(), None)
    }
}
