//! How the interpreter is instantiated: the values it computes with, and the count of its steps.

use jaq_core::{DataT, Lut, data::HasLut};

use crate::{budget, value::Value};

/// The interpreter over values that count their bytes.
pub(crate) struct Jq;

impl DataT for Jq {
    type V<'a> = Value;
    type Data<'a> = Table<'a>;
}

/// The table of terms, asked for before each of them is evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a>(pub(crate) &'a Lut<Jq>);

impl<'a> HasLut<'a, Jq> for Table<'a> {
    #[inline]
    fn lut(&self) -> &'a Lut<Jq> {
        budget::step();
        self.0
    }
}
