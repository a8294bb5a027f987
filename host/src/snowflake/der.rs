//! DER: the items that keys are made of.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Items, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Items<'a>(pub(super) &'a [u8]);

impl<'a> Items<'a> {
    /// Returns the tag and the content of the next item; `None` if there is none or it is cut off.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            // Lengths of more than four bytes would be gigabytes.
            let fits = (1..=4).contains(&digits.len());
            let length = digits.iter().fold(0, |length, &it| length << 8 | usize::from(it));
            (fits.then_some(length)?, rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// Returns the content of the next item if it has this tag.
    pub(super) fn of(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// Returns the items of the next item, a sequence.
    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.of(SEQUENCE).map(Self)
    }

    /// Returns the next item, an integer that is small.
    pub(super) fn small(&mut self) -> Option<u32> {
        let digits = self.of(INTEGER)?;
        let fits = (1..=4).contains(&digits.len()) && digits.first()? < &0x80;
        fits.then(|| digits.iter().fold(0, |number, &it| number << 8 | u32::from(it)))
    }
}

/// Returns an item.
pub(super) fn item(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let digits = content.len().to_be_bytes();
            let digits: Vec<u8> = digits.into_iter().skip_while(|it| *it == 0).collect();
            // A length has at most eight bytes.
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_as_they_are_written() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let bytes = [item(OCTETS, &content), item(NULL, &[])].concat();
            let mut items = Items(&bytes);
            assert_eq!(items.of(OCTETS), Some(content.as_slice()), "{length}");
            assert_eq!((items.next(), items.next()), (Some((NULL, [].as_slice())), None));
        }
    }

    #[test]
    fn truncated_items_are_not_read() {
        let check = |bytes: &[u8]| assert_eq!(Items(bytes).next(), None, "{bytes:x?}");
        check(&[]);
        check(&[4]);
        check(&[4, 2, 0]);
        check(&[4, 0x80]);
        check(&[4, 0x82, 1]);
        check(&[4, 0x85, 0, 0, 0, 0, 0]);
        check(&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!(Items(&[2, 2, 8, 0]).small(), Some(2048));
        assert_eq!(Items(&[2, 1, 0x80]).small(), None);
    }
}
