//! Vectors whose elements are never removed, each indexed by a type of its own: an index that an
//! arena returned stays valid.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// The index of an element.
pub(crate) trait ArenaId: Copy {
    /// The id of the element at this index.
    fn new(index: usize) -> Self;

    /// The index of the element.
    fn index(self) -> usize;
}

/// Elements that are only ever added.
#[derive(Debug)]
pub(super) struct Arena<I, T> {
    items: Vec<T>,
    id: PhantomData<I>,
}

impl<I: ArenaId, T> Arena<I, T> {
    /// Adds an element and returns its id.
    pub(super) fn push(&mut self, item: T) -> I {
        self.items.push(item);
        I::new(self.items.len() - 1)
    }

    /// The id that the next element will have.
    pub(super) fn next_id(&self) -> I {
        I::new(self.items.len())
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The element at a guessed index, if it exists.
    #[inline]
    pub(super) fn at(&self, guess: I) -> Option<&T> {
        self.items.get(guess.index())
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    /// The elements with their ids.
    pub(super) fn enumerate(&self) -> impl Iterator<Item = (I, &T)> {
        self.items.iter().enumerate().map(|(index, item)| (I::new(index), item))
    }

    pub(super) fn enumerate_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.items.iter_mut().enumerate().map(|(index, item)| (I::new(index), item))
    }
}

impl<I, T> Default for Arena<I, T> {
    fn default() -> Self {
        Self { items: Vec::new(), id: PhantomData }
    }
}

impl<I: ArenaId, T> Index<I> for Arena<I, T> {
    type Output = T;

    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the arena returned the id, and removes nothing")]
    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: ArenaId, T> IndexMut<I> for Arena<I, T> {
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the arena returned the id, and removes nothing")]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}

/// A type of ids for an [`Arena`].
macro_rules! arena_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub(crate) struct $name(usize);

        impl ArenaId for $name {
            #[inline]
            fn new(index: usize) -> Self {
                Self(index)
            }

            #[inline]
            fn index(self) -> usize {
                self.0
            }
        }
    };
}

arena_id!(
    /// A table of a family.
    TableId
);
arena_id!(
    /// A column of a table.
    ColumnId
);
arena_id!(
    /// The layout of the objects at one path of the documents.
    LayoutId
);
arena_id!(
    /// A key of a layout.
    EntryId
);

impl TableId {
    /// The table of the records.
    pub(crate) const ROOT: Self = Self(0);

    /// Its index among the tables, in the order of first use.
    pub(crate) fn number(self) -> usize {
        self.0
    }
}

impl LayoutId {
    /// The layout of the records.
    pub(super) const ROOT: Self = Self(0);
}

impl EntryId {
    /// The first entry, with which most objects begin.
    pub(super) const FIRST: Self = Self(0);

    /// The next entry.
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One key of the objects at one path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct KeyId {
    pub(super) layout: LayoutId,
    pub(super) entry: EntryId,
}
