//! JSON as mappings see it: values that share their parts, know their size, and count what is done to them.
//!
//! Numbers and the order of members are kept as they were read, for tool calls' arguments come back as they were sent. A value knows how large it would be
//! as text and how deeply it is nested, both without looking into it: sharing makes values of any size in a few steps.

mod interpreted;
mod number;
mod object;
mod operators;
mod read;
mod write;

use std::rc::Rc;

pub(crate) use self::{interpreted::positions, number::Number, object::Object, read::read, write::write_string};
use crate::budget::{self, Exhausted};

/// A JSON value.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` and `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Rc<str>),
    /// An array.
    Array(Rc<Array>),
    /// An object.
    Object(Rc<Object>),
}

/// What a value counts for without what it refers to.
const VALUE_BYTES: usize = 24;

/// Values nested more deeply than this end the run.
const NESTING_MAX: u32 = 512;

/// How large a value is, its shared parts counted each time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub bytes: u64,
    depth: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            bytes: VALUE_BYTES as u64,
            depth: 1,
        }
    }
}

impl Size {
    fn add(&mut self, bytes: impl TryInto<u64>) {
        self.bytes = self.bytes.saturating_add(bytes.try_into().unwrap_or(u64::MAX));
    }

    fn remove(&mut self, bytes: impl TryInto<u64>) {
        self.bytes = self.bytes.saturating_sub(bytes.try_into().unwrap_or(u64::MAX));
    }

    /// A part is added.
    fn include(&mut self, part: Self) {
        self.add(part.bytes);
        self.depth = self.depth.max(part.depth + 1);
    }

    /// Ends the run when a value of this size is too much.
    fn check(self) {
        if self.depth > NESTING_MAX {
            budget::end(Exhausted::Nesting);
        }
        budget::fits(self.bytes);
    }
}

/// Items in order.
#[derive(Debug, Clone, Default)]
pub struct Array {
    items: Vec<Value>,
    size: Size,
}

impl Array {
    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// Appends an item.
    pub fn push(&mut self, item: Value) {
        self.size.include(item.size());
        self.items.push(item);
    }

    /// Changes the items; the size is counted anew.
    fn edit(&mut self, edit: impl FnOnce(&mut Vec<Value>)) {
        edit(&mut self.items);
        self.size = Size::default();
        budget::work(16 * self.items.len());
        for item in &self.items {
            self.size.include(item.size());
        }
    }
}

impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        let mut array = Self::default();
        for item in items {
            budget::allocate(VALUE_BYTES);
            array.push(item);
        }
        budget::work(16 * array.items.len());
        array
    }
}

impl Value {
    /// A string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        budget::allocate(VALUE_BYTES + text.len());
        Self::String(text.into())
    }

    /// An array. Ends the run when it is too large.
    #[must_use]
    pub fn array(array: Array) -> Self {
        array.size.check();
        Self::Array(Rc::new(array))
    }

    /// An object. Ends the run when it is too large.
    #[must_use]
    pub fn object(object: Object) -> Self {
        object.size.check();
        budget::allocate(2 * VALUE_BYTES * (1 + object.len()));
        Self::Object(Rc::new(object))
    }

    pub(crate) fn size(&self) -> Size {
        let mut size = Size::default();
        match self {
            Self::Array(array) => array.size,
            Self::Object(object) => object.size,
            Self::String(text) => {
                size.add(text.len());
                size
            }
            Self::Number(number) => {
                size.add(number.extra_bytes());
                size
            }
            Self::Null | Self::Bool(_) => size,
        }
    }

    /// Its type, as jq calls it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The whole number of a number that is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }
}

/// The array itself where nobody else has it, else a copy.
fn own_array(array: Rc<Array>) -> Array {
    Rc::try_unwrap(array).unwrap_or_else(|shared| {
        budget::allocate(VALUE_BYTES * shared.items.len());
        budget::work(16 * shared.items.len());
        (*shared).clone()
    })
}

/// The object itself where nobody else has it, else a copy.
fn own_object(object: Rc<Object>) -> Object {
    Rc::try_unwrap(object).unwrap_or_else(|shared| {
        budget::allocate(2 * VALUE_BYTES * shared.len());
        budget::work(16 * shared.len());
        (*shared).clone()
    })
}
