//! Records in the order of their ids.

use std::cmp::Ordering;

use crate::{Id, record::Record};

/// Where `id` is, or belongs.
pub(crate) fn find<R: Record>(records: &[R], id: &Id) -> Result<usize, usize> {
    match records.last().map(|last| last.id().cmp(id)) {
        // Sortable ids arrive in order.
        None | Some(Ordering::Less) => Err(records.len()),
        Some(Ordering::Equal) => Ok(records.len() - 1),
        Some(Ordering::Greater) => records.binary_search_by(|record| record.id().cmp(id)),
    }
}

/// Makes room for one more, by half of what there is: most of these lists stay short, and many are in memory.
pub(crate) fn make_room<R>(records: &mut Vec<R>) {
    if records.len() == records.capacity() {
        records.reserve_exact((records.len() / 2).max(2));
    }
}

/// What a record met on its way into a part.
pub(crate) enum Joined<R> {
    /// Its like, which knows as much.
    Unchanged,
    /// Its like, which changed.
    Changed,
    /// Nothing with its id.
    New(R),
}

/// Joins sorted records into sorted records.
pub(crate) fn merge_sorted<R: Record>(
    mine: &mut Vec<R>,
    theirs: &[R],
    mut join: impl FnMut(Option<&mut R>, &R) -> Joined<R>,
) -> bool {
    let old = mine.len();
    let mut from = 0;
    let mut changed = false;
    for record in theirs {
        let found = find(&mine[from..old], record.id());
        let at = from + found.unwrap_or_else(|at| at);
        from = at;
        match join(found.is_ok().then(|| &mut mine[at]), record) {
            Joined::Unchanged => {}
            Joined::Changed => changed = true,
            Joined::New(record) => {
                make_room(mine);
                mine.push(record);
                changed = true;
            }
        }
    }
    let in_order = old == 0 || mine.len() == old || mine[old - 1].id() < mine[old].id();
    if !in_order {
        // Two sorted runs: the standard library's stable sort merges them.
        mine.sort_by(|a, b| a.id().cmp(b.id()));
    }
    changed
}
