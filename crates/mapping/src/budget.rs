//! What one run may use: steps, bytes, stack. All are counted, none is timed, so that the same record ends the same way everywhere.
//!
//! The interpreter asks for its table of terms before each term that it evaluates, and does arithmetic, comparison and iteration by our [`Value`](crate::Value):
//! both count here. A run that has used up its budget is unwound from wherever it is, so that no `try` of a program can catch that.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr,
};

/// What a run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Terms evaluated, with what is done to values beside: one for 64 bytes looked at.
    pub steps: u64,
    /// Bytes of all values made, whether they are still there or not.
    pub bytes: u64,
    /// Bytes of stack below the caller.
    pub stack: usize,
}

/// Why a run was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exhausted {
    #[error("it does not end, or takes more steps than a record of this size may")]
    Steps,
    #[error("it makes more or larger values than a record of this size may")]
    Bytes,
    #[error("its functions call each other too deeply")]
    Stack,
    #[error("a value is nested too deeply")]
    Nesting,
    #[error("the interpreter failed")]
    Interpreter,
}

struct Counters {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    /// All the bytes that the run was given.
    most: Cell<u64>,
    stack_end: Cell<usize>,
}

thread_local! {
    /// Without a limit outside of runs.
    static LEFT: Counters = const {
        Counters { steps: Cell::new(u64::MAX), bytes: Cell::new(u64::MAX), most: Cell::new(u64::MAX), stack_end: Cell::new(0) }
    };
}

/// Runs within a budget.
pub(crate) fn within<T>(budget: Budget, run: impl FnOnce() -> T) -> Result<T, Exhausted> {
    set(
        budget.steps,
        budget.bytes,
        stack_position().saturating_sub(budget.stack),
    );
    // What the run leaves behind is its own values, which are dropped.
    let ended = catch_unwind(AssertUnwindSafe(run));
    set(u64::MAX, u64::MAX, 0);
    ended.map_err(|payload| {
        payload
            .downcast::<Exhausted>()
            .map_or(Exhausted::Interpreter, |exhausted| *exhausted)
    })
}

fn set(steps: u64, bytes: u64, stack_end: usize) {
    LEFT.with(|left| {
        left.steps.set(steps);
        left.bytes.set(bytes);
        left.most.set(bytes);
        left.stack_end.set(stack_end);
    });
}

fn stack_position() -> usize {
    let here = 0_u8;
    ptr::from_ref(&here).addr()
}

/// Counts one step, and looks at the stack.
#[inline]
pub(crate) fn step() {
    LEFT.with(|left| {
        let steps = left.steps.get();
        if steps == 0 {
            end(Exhausted::Steps);
        }
        left.steps.set(steps.saturating_sub(1));
        if stack_position() < left.stack_end.get() {
            end(Exhausted::Stack);
        }
    });
}

/// Counts steps for looking at this many bytes, or doing as much.
#[inline]
pub(crate) fn work(size: usize) {
    LEFT.with(|left| {
        let steps = 1 + size as u64 / 64;
        match left.steps.get().checked_sub(steps) {
            Some(rest) => left.steps.set(rest),
            None => end(Exhausted::Steps),
        }
    });
}

/// Counts bytes that are about to be copied into a new value: little work, but memory.
#[inline]
pub(crate) fn copy(bytes: usize) {
    allocate(bytes);
    work(bytes / 16);
}

/// Counts bytes that are about to be allocated for a value.
#[inline]
pub(crate) fn allocate(bytes: usize) {
    LEFT.with(|left| match left.bytes.get().checked_sub(bytes as u64) {
        Some(rest) => left.bytes.set(rest),
        None => end(Exhausted::Bytes),
    });
}

/// Ends the run when a value of this size would be more than all values may be.
#[inline]
pub(crate) fn fits(bytes: u64) {
    LEFT.with(|left| {
        if bytes > left.most.get() {
            end(Exhausted::Bytes);
        }
    });
}

/// Ends the run.
#[cold]
pub(crate) fn end(why: Exhausted) {
    // A second unwinding would abort the process.
    if !std::thread::panicking() {
        // Not a panic: no hook is called.
        resume_unwind(Box::new(why));
    }
}
