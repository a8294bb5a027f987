//! Text for terminals: it may contain names and values of data, which must not control the
//! terminal.

use std::io::{self, Write};

/// Writes control characters, and those that change the direction of text, as escapes. Line ends
/// and tabs are kept.
pub(super) struct Escaped<W>(pub(super) W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match str::from_utf8(bytes) {
            Ok(text) => self.escaped(text)?,
            Err(error) if error.valid_up_to() > 0 => {
                let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
                return self.write(whole);
            }
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Escaped<W> {
    fn escaped(&mut self, text: &str) -> io::Result<()> {
        let mut from = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| acts(*c)) {
            self.0.write_all(text.get(from..at).unwrap_or_default().as_bytes())?;
            write!(self.0, "{}", c.escape_unicode())?;
            from = at + c.len_utf8();
        }
        self.0.write_all(text.get(from..).unwrap_or_default().as_bytes())
    }
}

/// A text on one line: line ends and tabs are escaped, too.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) || matches!(c, '\n' | '\t') {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

/// Returns `true` if the character controls the terminal.
fn acts(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let check = |text: &str, expected: &str| {
            let mut written = Vec::new();
            write!(Escaped(&mut written), "<{text}>").unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), format!("<{expected}>"));
        };
        check("a\tb\né", "a\tb\né");
        check("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}");
        check("a\rb\0\u{7f}", "a\\u{d}b\\u{0}\\u{7f}");
        check("\u{9b}31m", "\\u{9b}31m");
        check("\u{202e}gpj.exe", "\\u{202e}gpj.exe");
    }

    #[test]
    fn printable_text_is_on_one_line() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected);
        check("aé 顧 \"b\"", "aé 顧 \"b\"");
        check("\u{1b}[2J\n\t", "\\u{1b}[2J\\n\\t");
        check("\u{9b}0m\u{202e}x", "\\u{9b}0m\\u{202e}x");
    }
}
