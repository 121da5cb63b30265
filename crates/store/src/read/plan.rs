//! Which way a statement goes through the rows. We decide, the planner does not: it guesses the
//! density of a range at the place a page begins, and is wrong by orders of magnitude for old ranges.
//!
//! A page is looked for in this order, each step bounded:
//!
//! 1. **Window**: the first few hundred conversations from the page's place on, newest first. Ranges
//!    that end now, and every page once the walk is inside its range, are answered by this alone.
//! 2. A **probe** asks whether the window left rows unseen, and then how many the range holds, up to a
//!    bound. Nothing unseen: the answer is complete. A narrow range (≤ [`NARROW`]): read it all by
//!    creation and sort.
//! 3. A **wide window** of [`WIDE_WINDOW`] conversations; the rest as for 2, but a range that is
//!    neither narrow nor dense here is read by creation and sorted whatever it holds.

/// Ranges of at most this many conversations are sorted rather than walked to.
pub(crate) const NARROW: i64 = 10_000;

/// How far a walk may go before a large range is sorted instead.
pub(crate) const WIDE_WINDOW: i64 = 50_000;

/// How far the first walk may go for a page of `limit`.
pub(crate) fn first_window(limit: u32) -> i64 {
    4 * i64::from(limit) + 200
}

/// Where candidate rows come from, in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The next so many conversations of the organization, or of those that one condition of the filter lets pass: newest first.
    Window(i64),
    /// All of the range, sorted.
    Range,
    /// Each listed user's own conversations, sorted.
    EachUser,
    /// The listed conversations, sorted.
    EachListed,
}

/// What the probe counted, each up to its bound plus one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// Conversations from the page's place on; the bound is the window.
    pub(crate) ahead: i64,
    /// Conversations in the range; the bound is [`NARROW`]. Not counted when no others are ahead.
    pub(crate) in_range: i64,
}

/// What to do after a window came back with too few rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The window saw everything there is.
    Done,
    /// Try this.
    Read(Source),
}

/// The step after a window of `window` conversations that did not fill the page.
pub(crate) fn after_window(window: i64, probe: Probe) -> Next {
    if probe.ahead <= window {
        Next::Done
    } else if probe.in_range <= NARROW || window >= WIDE_WINDOW {
        Next::Read(Source::Range)
    } else {
        Next::Read(Source::Window(WIDE_WINDOW))
    }
}

#[cfg(test)]
mod tests {
    use super::{NARROW, Next, Probe, Source, WIDE_WINDOW, after_window};

    #[test]
    fn each_step_is_bounded_and_the_last_is_the_range() {
        let probe = |ahead, in_range| Probe { ahead, in_range };
        assert_eq!(after_window(400, probe(400, 7)), Next::Done);
        assert_eq!(after_window(400, probe(401, NARROW)), Next::Read(Source::Range));
        let wide = Next::Read(Source::Window(WIDE_WINDOW));
        assert_eq!(after_window(400, probe(401, NARROW + 1)), wide);
        let all = probe(WIDE_WINDOW + 1, NARROW + 1);
        assert_eq!(after_window(WIDE_WINDOW, all), Next::Read(Source::Range));
    }
}
