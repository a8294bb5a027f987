//! What a reader hands the parts of a value to, one after the other.

use crate::fault::Result;

/// The most levels of nesting: callers recurse, and the stack of a component is small.
pub(crate) const MAX_DEPTH: u32 = 256;

/// An array or an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Container {
    /// `[`
    Array,
    /// `{`
    Object,
}

impl Container {
    /// The byte that closes it.
    pub(super) fn closing(self) -> u8 {
        match self {
            Self::Array => b']',
            Self::Object => b'}',
        }
    }
}

/// Where a string is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Behind its opening quote.
    pub(super) from: usize,
    /// At its closing quote.
    pub(super) to: usize,
    /// Whether it has escapes.
    pub(super) escaped: bool,
}

/// A value has more levels of nesting than this.
pub(super) struct TooDeep(pub(super) usize);

/// Receives the parts of a value, in the order of the text.
pub(super) trait Visit {
    /// A container with members begins at this position. It is [`Self::inside`] until it is closed.
    fn open(&mut self, at: usize, container: Container) -> Result<(), TooDeep>;
    /// A container without members, from its opening to its closing bracket.
    fn empty(&mut self, open: usize, close: usize) -> Result<(), TooDeep>;
    /// A key, and where its colon is.
    fn key(&mut self, key: Span, colon: usize) -> Result<()>;
    /// A string that is not a key.
    fn string(&mut self, string: Span) -> Result<()>;
    /// A number.
    fn number(&mut self, from: usize, to: usize) -> Result<()>;
    /// `true`, `false` or `null`.
    fn word(&mut self, from: usize, to: usize);
    /// A comma between two members.
    fn comma(&mut self, at: usize);
    /// The closing bracket of the innermost container.
    fn close(&mut self, at: usize);
    /// The innermost container that is open.
    fn inside(&self) -> Option<Container>;
}

/// Visits nothing. Knows of each open container what it is: one bit a level, set for an object.
#[derive(Default)]
pub(super) struct Skip {
    objects: [u64; (MAX_DEPTH as usize).div_ceil(64)],
    depth: u32,
}

impl Visit for Skip {
    #[inline]
    fn open(&mut self, _: usize, container: Container) -> Result<(), TooDeep> {
        if self.depth >= MAX_DEPTH {
            return Err(TooDeep(MAX_DEPTH as usize));
        }
        if let Some(word) = self.objects.get_mut(self.depth as usize / 64) {
            let mask = 1 << (self.depth % 64);
            *word = if container == Container::Object { *word | mask } else { *word & !mask };
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    fn empty(&mut self, _: usize, _: usize) -> Result<(), TooDeep> {
        Ok(())
    }

    #[inline]
    fn key(&mut self, _: Span, _: usize) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn string(&mut self, _: Span) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn number(&mut self, _: usize, _: usize) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn word(&mut self, _: usize, _: usize) {}

    #[inline]
    fn comma(&mut self, _: usize) {}

    #[inline]
    fn close(&mut self, _: usize) {
        self.depth -= 1;
    }

    #[inline]
    fn inside(&self) -> Option<Container> {
        let at = self.depth.checked_sub(1)?;
        let word = self.objects.get(at as usize / 64)?;
        Some(if word >> (at % 64) & 1 == 1 { Container::Object } else { Container::Array })
    }
}
