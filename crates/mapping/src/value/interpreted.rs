//! What the interpreter needs of values: making them, looking into them and changing parts of them.

use std::rc::Rc;

use jaq_core::{
    Error, Exn, ValR, ValT, ValX,
    box_iter::{BoxIter, box_once},
    path::Opt,
    val::Range,
};

use super::{Array, Number, Object, VALUE_BYTES, Value, own_array, own_object};
use crate::budget;

const ITERABLE: &str = "iterable (array or object)";

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<isize> for Value {
    fn from(int: isize) -> Self {
        Self::Number(Number::Int(int as i64))
    }
}

impl From<usize> for Value {
    fn from(int: usize) -> Self {
        Self::Number(Number::Int(i64::try_from(int).unwrap_or(i64::MAX)))
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Number(Number::Float(float))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(&text)
    }
}

impl From<Range<Self>> for Value {
    fn from(range: Range<Self>) -> Self {
        let start = range.start.map(|start| (Rc::from("start"), start));
        let end = range.end.map(|end| (Rc::from("end"), end));
        Self::object(start.into_iter().chain(end).collect())
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::array(items.into_iter().collect())
    }
}

/// The items of an array or the values of an object, without copying it.
struct Items {
    of: Value,
    next: usize,
    len: usize,
}

impl Items {
    fn of(value: Value) -> Result<Self, Value> {
        let len = match &value {
            Value::Array(array) => array.items.len(),
            Value::Object(object) => object.len(),
            _ => return Err(value),
        };
        Ok(Self {
            of: value,
            next: 0,
            len,
        })
    }
}

impl Iterator for Items {
    /// Key and value.
    type Item = (Value, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next;
        self.next += 1;
        match &self.of {
            Value::Array(array) => {
                let item = array.items.get(at)?;
                budget::step();
                Some((Value::from(at), item.clone()))
            }
            Value::Object(object) => {
                let (key, value) = object.at(at)?;
                budget::step();
                Some((Value::String(Rc::clone(key)), value.clone()))
            }
            _ => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.len.saturating_sub(self.next);
        (left, Some(left))
    }
}

/// Where a range that may count from the end begins and ends.
fn bounds(range: Range<&Value>, len: usize) -> Result<(usize, usize), Error<Value>> {
    let bound = |value: Option<&Value>, default: usize, up: bool| match value {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Number(number)) => {
            let number = if up {
                number.as_f64().ceil()
            } else {
                number.as_f64().floor()
            };
            Ok(position(number, len).min(len))
        }
        Some(other) => Err(Error::typ(other.clone(), "a bound of a slice")),
    };
    let start = bound(range.start, 0, false)?;
    let end = bound(range.end, len, true)?;
    Ok((start, end.max(start)))
}

/// A position that may count from the end, at least 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "saturates, which is what is wanted"
)]
fn position(number: f64, len: usize) -> usize {
    if number < 0.0 {
        (number + len as f64).max(0.0) as usize
    } else {
        number as usize
    }
}

/// Where the characters of a range are.
fn slice(text: &str, range: Range<&Value>) -> Result<std::ops::Range<usize>, Error<Value>> {
    budget::work(2 * text.len());
    let (start, end) = bounds(range, text.chars().count())?;
    let byte = |char: usize| text.char_indices().nth(char).map_or(text.len(), |(at, _)| at);
    Ok(byte(start)..byte(end))
}

fn item_position(array: &Array, number: &Number) -> Option<usize> {
    let at = number.floor_i64()?;
    let from_end = || {
        usize::try_from(at.unsigned_abs())
            .ok()
            .and_then(|back| array.items.len().checked_sub(back))
    };
    if at < 0 { from_end() } else { usize::try_from(at).ok() }
}

impl Value {
    /// The part that an index means; `None` when there is none.
    pub(crate) fn part(self, index: &Self) -> Result<Option<Self>, Error<Self>> {
        Ok(match (self, index) {
            (Self::Null, Self::String(_) | Self::Number(_) | Self::Null | Self::Object(_)) => None,
            (Self::Object(object), Self::String(key)) => object.get(key).cloned(),
            (Self::Array(array), Self::Number(number)) => {
                item_position(&array, number).and_then(|at| array.items.get(at).cloned())
            }
            (Self::Array(array), Self::Array(other)) => Some(positions(&array, other)),
            (value @ (Self::Array(_) | Self::String(_)), Self::Object(range)) => {
                return value.range(range.get("start")..range.get("end")).map(Some);
            }
            (value, key) => return Err(cannot_index(&value, key)),
        })
    }

    fn own_items(self) -> Result<Vec<Self>, Self> {
        match self {
            Self::Array(array) => Ok(own_array(array).items),
            other => Err(other),
        }
    }
}

fn cannot_index(value: &Value, index: &Value) -> Error<Value> {
    let of = value.type_name();
    Error::str(match index {
        Value::String(key) => format!("cannot index {of} with \"{key}\""),
        other => format!("cannot index {of} with {other}"),
    })
}

/// Where an array stands in another.
pub(crate) fn positions(array: &Array, other: &Array) -> Value {
    if other.items.is_empty() {
        return Value::Null;
    }
    let windows = array.items.windows(other.items.len()).enumerate();
    windows
        .filter(|(_, window)| *window == other.items)
        .map(|(at, _)| Value::from(at))
        .collect()
}

impl ValT for Value {
    fn from_num(number: &str) -> ValR<Self> {
        Ok(Self::Number(Number::from_json(number)))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR<Self> {
        let mut object = Object::with_capacity(1);
        for (key, value) in members {
            match key {
                Self::String(key) => object.insert(key, value),
                other => {
                    return Err(Error::str(format!(
                        "the name of a member must be a string, not {}",
                        other.type_name()
                    )));
                }
            }
        }
        Ok(Self::object(object))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        match Items::of(self) {
            Ok(items) => Box::new(items.map(Ok)),
            Err(value) => box_once(Err(Error::typ(value, ITERABLE))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        match Items::of(self) {
            Ok(items) => Box::new(items.map(|(_, value)| Ok(value))),
            Err(value) => box_once(Err(Error::typ(value, ITERABLE))),
        }
    }

    fn index(self, index: &Self) -> ValR<Self> {
        Ok(self.part(index)?.unwrap_or_default())
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        match self {
            Self::Null => Ok(Self::Null),
            Self::Array(array) => {
                let (start, end) = bounds(range, array.items.len())?;
                Ok(array.items[start..end].iter().cloned().collect())
            }
            Self::String(text) => Ok(Self::string(&text[slice(&text, range)?])),
            other => Err(Error::typ(other, "rangeable (array or string)")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        match self {
            Self::Array(array) => own_array(array).items.into_iter().flat_map(f).collect(),
            Self::Object(object) => {
                let mut mapped = Object::with_capacity(object.len());
                for (key, value) in own_object(object) {
                    if let Some(value) = f(value).next() {
                        mapped.insert(key, value?);
                    }
                }
                Ok(Self::object(mapped))
            }
            other => opt.fail(other, |other| Exn::from(Error::typ(other, ITERABLE))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self, index) {
            (Self::Object(object), Self::String(key)) => map_member(own_object(object), key, f),
            (Self::Null, Self::String(key)) => map_member(Object::default(), key, f),
            (Self::Array(array), Self::Number(number)) => map_item(own_array(array), number, opt, f),
            (Self::Null, Self::Number(number)) => map_item(Array::default(), number, opt, f),
            (value @ (Self::Array(_) | Self::String(_)), Self::Object(range)) => {
                value.map_range(range.get("start")..range.get("end"), opt, f)
            }
            (other, index) => opt.fail(other, |other| Exn::from(cannot_index(&other, index))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::Array(array) => {
                let (start, end) = match bounds(range, array.items.len()) {
                    Ok(bounds) => bounds,
                    Err(error) => return opt.fail(Self::Array(array), |_| Exn::from(error)),
                };
                let part: Self = array.items[start..end].iter().cloned().collect();
                let new = f(part).next().transpose()?.unwrap_or_default();
                let new = match new {
                    Self::Null => Vec::new(),
                    other => other
                        .own_items()
                        .map_err(|other| Exn::from(Error::typ(other, "array")))?,
                };
                let mut array = own_array(array);
                budget::allocate(VALUE_BYTES * new.len());
                array.edit(|items| drop(items.splice(start..end, new)));
                Ok(Self::array(array))
            }
            other => opt.fail(other, |other| Exn::from(Error::typ(other, "array"))),
        }
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::String(_) => self,
            other => Self::from(other.to_json()),
        }
    }
}

fn map_member<'a, I: Iterator<Item = ValX<'a, Value>>>(
    mut object: Object,
    key: &Rc<str>,
    f: impl Fn(Value) -> I,
) -> ValX<'a, Value> {
    let old = object.take(key).unwrap_or_default();
    match f(old).next().transpose()? {
        Some(new) => object.insert(Rc::clone(key), new),
        None => drop(object.remove(key)),
    }
    Ok(Value::object(object))
}

/// As in jq, an item behind the end makes the array longer.
fn map_item<'a, I: Iterator<Item = ValX<'a, Value>>>(
    mut array: Array,
    number: &Number,
    opt: Opt,
    f: impl Fn(Value) -> I,
) -> ValX<'a, Value> {
    let Some(at) = item_position(&array, number) else {
        return opt.fail(Value::array(array), |_| {
            Exn::from(Error::str(format!("index {number} is out of bounds")))
        });
    };
    let old = array.items.get_mut(at).map(std::mem::take).unwrap_or_default();
    let new = f(old).next().transpose()?;
    array.edit(|items| match new {
        Some(new) => {
            if at >= items.len() {
                budget::allocate(VALUE_BYTES.saturating_mul(at + 1 - items.len()));
                items.resize(at + 1, Value::Null);
            }
            items[at] = new;
        }
        None if at < items.len() => drop(items.remove(at)),
        None => {}
    });
    Ok(Value::array(array))
}

impl jaq_std::ValT for Value {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        let items = self.own_items()?;
        Ok(items.into_iter().collect())
    }

    fn is_int(&self) -> bool {
        self.as_i64().is_some()
    }

    fn as_isize(&self) -> Option<isize> {
        self.as_i64().and_then(|int| isize::try_from(int).ok())
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.as_f64()),
            _ => None,
        }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::String(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.as_str().map(str::as_bytes)
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        // A part of a string that begins and ends between characters.
        Self::string(&String::from_utf8_lossy(part))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        budget::work(bytes.as_ref().len());
        Self::string(&String::from_utf8_lossy(bytes.as_ref()))
    }
}
