//! JSON values of any size: a file that consists of one array is split between its elements.

use super::{Frame, MAX_VALUE, check, too_large};
use crate::fault::Result;
use crate::json::{Boundaries, Boundary};

/// The state between two parts of a file.
#[derive(Default)]
pub(super) struct JsonValues {
    boundaries: Boundaries,
    /// The number of bytes of the text that `boundaries` has read.
    seen: usize,
    /// Whether the text begins inside a top-level array.
    inside: bool,
    /// The values returned last.
    values: String,
}

impl JsonValues {
    /// Reads the next values of `text`, starting at `at`: all up to the last boundary, or, if
    /// `single`, one value or element.
    #[expect(
        clippy::too_many_arguments,
        reason = "a scanner that is resumed with the position of its host"
    )]
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
                let (read, boundary) = self.boundaries.next(rest);
                self.seen += read;
                cut = boundary.map(|boundary| (boundary, self.seen)).or(cut);
                if single && cut.is_some() {
                    break;
                }
            }
            let torn = cut.is_none();
            let (boundary, end) = match cut {
                Some(cut) => cut,
                None if !last => {
                    let full = text.len() > MAX_VALUE;
                    return if full { Err(too_large(*line)) } else { Ok(None) };
                }
                None if blank(text) && !self.inside => return Ok(None),
                // The file ends inside a value: the reader returns the fault.
                None => (Boundary::Value, text.len()),
            };
            let taken = self.take(text, end, boundary == Boundary::Element);
            *at += taken;
            let lead = text.len() - text.trim_ascii_start().len();
            // The line of the first value.
            let begins = *line + newlines(text.get(..lead.min(taken)).unwrap_or_default());
            *line += newlines(text.get(..taken).unwrap_or_default());
            text = text.get(taken..).unwrap_or_default();
            if torn {
                (self.inside, self.boundaries) = (false, Boundaries::default());
            } else if blank(&self.values) {
                continue;
            }
            if single && let Some(reason) = check(&self.values, begins) {
                let raw = self.values.trim_ascii();
                return Ok(Some(Frame::Bad { raw, line: begins, reason }));
            }
            return Ok(Some(Frame::Values { text: self.values.trim_ascii(), line: begins }));
        }
    }

    /// Copies the text before the cut to `values`. If the cut is inside an array, the elements
    /// before it become an array. Returns the number of bytes copied.
    fn take(&mut self, text: &str, end: usize, element: bool) -> usize {
        self.values.clear();
        if std::mem::replace(&mut self.inside, element) {
            self.values.push('[');
        }
        // The comma belongs to neither part.
        let upto = end.saturating_sub(usize::from(element));
        self.values.push_str(text.get(..upto).unwrap_or_default());
        if element {
            self.values.push(']');
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
