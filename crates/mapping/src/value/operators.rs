//! `+ - * / %`, `==` and `<` of values, as jq has them.

use std::{cmp::Ordering, collections::BTreeSet, ops, rc::Rc};

use jaq_core::{Error, ops::Math};

use super::{Array, Number, Object, VALUE_BYTES, Value, own_array, own_object};
use crate::budget;

type Calculated = Result<Value, Error<Value>>;

impl ops::Add for Value {
    type Output = Calculated;

    fn add(self, other: Self) -> Calculated {
        budget::step();
        match (self, other) {
            (Self::Null, value) | (value, Self::Null) => Ok(value),
            (Self::Number(l), Self::Number(r)) => Ok(Self::Number(l + &r)),
            (Self::String(l), Self::String(r)) => {
                budget::copy(VALUE_BYTES + l.len() + r.len());
                Ok(Self::String([&*l, &*r].concat().into()))
            }
            (Self::Array(l), Self::Array(r)) => {
                let mut all = own_array(l);
                budget::work(16 * r.items.len());
                budget::allocate(VALUE_BYTES * r.items.len());
                r.items.iter().for_each(|item| all.push(item.clone()));
                Ok(Self::array(all))
            }
            (Self::Object(l), Self::Object(mut r)) => {
                if let Some(alone) = Rc::get_mut(&mut r)
                    && alone.prepend(&l)
                {
                    budget::allocate(2 * VALUE_BYTES * l.len());
                    alone.size.check();
                    return Ok(Self::Object(r));
                }
                Ok(Self::object(own_object(l).merge(own_object(r))))
            }
            (l, r) => Err(Error::math(l, Math::Add, r)),
        }
    }
}

impl ops::Sub for Value {
    type Output = Calculated;

    fn sub(self, other: Self) -> Calculated {
        budget::step();
        match (self, other) {
            (Self::Number(l), Self::Number(r)) => Ok(Self::Number(l - &r)),
            (Self::Array(l), Self::Array(r)) => {
                let without: BTreeSet<&Self> = r.items.iter().collect();
                let mut left = own_array(l);
                left.edit(|items| items.retain(|item| !without.contains(item)));
                Ok(Self::array(left))
            }
            (l, r) => Err(Error::math(l, Math::Sub, r)),
        }
    }
}

impl ops::Mul for Value {
    type Output = Calculated;

    fn mul(self, other: Self) -> Calculated {
        budget::step();
        match (self, other) {
            (Self::Number(l), Self::Number(r)) => Ok(Self::Number(l * &r)),
            (Self::String(text), Self::Number(times)) | (Self::Number(times), Self::String(text)) => {
                Ok(repeat(&text, &times))
            }
            (Self::Object(l), Self::Object(r)) => Ok(Self::Object(merge_deeply(l, &r))),
            (l, r) => Err(Error::math(l, Math::Mul, r)),
        }
    }
}

fn repeat(text: &str, times: &Number) -> Value {
    let times = times.as_f64();
    if times.is_nan() || times <= 0.0 {
        return Value::Null;
    }
    // Saturates: more than there is memory for in either case.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number, and more than memory takes is refused"
    )]
    let times = times.max(1.0) as usize;
    let bytes = text.len().saturating_mul(times);
    budget::copy(bytes.saturating_add(VALUE_BYTES));
    Value::String(text.repeat(times).into())
}

fn merge_deeply(l: Rc<Object>, r: &Object) -> Rc<Object> {
    let mut merged = own_object(l);
    budget::work(16 * r.len());
    for (key, value) in r.iter() {
        budget::step();
        let value = match (merged.take(key), value) {
            (Some(Value::Object(l)), Value::Object(r)) => Value::Object(merge_deeply(l, r)),
            _ => value.clone(),
        };
        merged.insert(Rc::clone(key), value);
    }
    match Value::object(merged) {
        Value::Object(object) => object,
        _ => Rc::default(),
    }
}

impl ops::Div for Value {
    type Output = Calculated;

    fn div(self, other: Self) -> Calculated {
        budget::step();
        match (self, other) {
            (Self::Number(l), Self::Number(r)) => Ok(Self::Number(l / &r)),
            (Self::String(text), Self::String(by)) => Ok(split(&text, &by)),
            (l, r) => Err(Error::math(l, Math::Div, r)),
        }
    }
}

fn split(text: &str, by: &str) -> Value {
    budget::work(text.len());
    let parts: Array = if text.is_empty() {
        Array::default()
    } else if by.is_empty() {
        let mut buffer = [0; 4];
        text.chars()
            .map(|char| Value::string(char.encode_utf8(&mut buffer)))
            .collect()
    } else {
        text.split(by).map(Value::string).collect()
    };
    Value::array(parts)
}

impl ops::Rem for Value {
    type Output = Calculated;

    fn rem(self, other: Self) -> Calculated {
        budget::step();
        match (self, other) {
            (Self::Number(l), Self::Number(r)) if r != Number::Int(0) => Ok(Self::Number(l % &r)),
            (l, r) => Err(Error::math(l, Math::Rem, r)),
        }
    }
}

impl ops::Neg for Value {
    type Output = Calculated;

    fn neg(self) -> Calculated {
        match self {
            Self::Number(number) => Ok(Self::Number(-number)),
            other => Err(Error::typ(other, "number")),
        }
    }
}

/// Types come in jq's order.
const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(false) => 1,
        Value::Bool(true) => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        budget::step();
        match (self, other) {
            (Self::Number(l), Self::Number(r)) => l.order(r),
            (Self::String(l), Self::String(r)) => {
                budget::work(l.len().min(r.len()));
                l.cmp(r)
            }
            (Self::Array(l), Self::Array(r)) => l.items.cmp(&r.items),
            (Self::Object(l), Self::Object(r)) => order_objects(l, r),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

/// By their sorted names, then by the values in that order.
fn order_objects(l: &Object, r: &Object) -> Ordering {
    let sorted = |object: &Object| {
        budget::work(64 * object.len());
        let mut names: Vec<Rc<str>> = object.iter().map(|(name, _)| Rc::clone(name)).collect();
        names.sort();
        names
    };
    let (names, others) = (sorted(l), sorted(r));
    let values = |object: &Object| -> Vec<Value> {
        let value = |name: &Rc<str>| object.get(name).cloned().unwrap_or_default();
        names.iter().map(value).collect()
    };
    names.cmp(&others).then_with(|| values(l).cmp(&values(r)))
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        budget::step();
        match (self, other) {
            (Self::Number(l), Self::Number(r)) => l == r,
            (Self::String(l), Self::String(r)) => {
                budget::work(l.len().min(r.len()));
                l == r
            }
            (Self::Array(l), Self::Array(r)) => l.items == r.items,
            (Self::Object(l), Self::Object(r)) => {
                l.len() == r.len() && l.iter().all(|(key, value)| r.get(key) == Some(value))
            }
            _ => rank(self) == rank(other),
        }
    }
}

impl Eq for Value {}
