//! The position of a value in its row.

/// The position of a value in its row.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The positions of the containers around it, from the row on.
    pub(super) trail: &'a [u32],
    /// Its position in the innermost container.
    pub(super) place: u32,
}

impl Origin<'_> {
    /// Its position among the values of its row in the order in which dlt visits them: an object's
    /// own values first, then the objects in it, in reverse order.
    pub(super) fn order(&self) -> Vec<u32> {
        const NESTED: u32 = 1 << 31;
        let mut order: Vec<u32> =
            self.trail.iter().map(|place| u32::MAX - 1 - place.min(&(NESTED - 2))).collect();
        order.push(self.place.min(NESTED - 1));
        order
    }
}
