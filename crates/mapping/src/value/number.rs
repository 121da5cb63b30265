//! Numbers: integers are exact, and what was read as something else is written as it was read.

use std::{cmp::Ordering, fmt, ops, rc::Rc};

/// A number.
#[derive(Debug, Clone)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// What arithmetic made of others.
    Float(f64),
    /// JSON that is not the usual form of a [`Self::Int`], kept as text: `1.50`, `1e3`, 30 digits.
    Text(Rc<str>),
}

/// Above this a whole number cannot be told from its neighbour.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// The number of a JSON text, which is taken to be one.
    #[must_use]
    pub fn from_json(text: &str) -> Self {
        let is_usual = !text.starts_with('+') && text != "-0";
        match text.parse() {
            Ok(int) if is_usual => Self::Int(int),
            _ => Self::Text(text.into()),
        }
    }

    /// The nearest double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the nearest is asked for")]
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Int(int) => *int as f64,
            Self::Float(float) => *float,
            Self::Text(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// The whole number that it is, if it is one.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => Some(self.as_f64())
                .filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)
                .map(|float| float as i64),
        }
    }

    /// The whole number below it that an index means.
    #[must_use]
    pub fn floor_i64(&self) -> Option<i64> {
        self.as_i64().or_else(|| Self::Float(self.as_f64().floor()).as_i64())
    }

    /// Bytes beside the value's own.
    pub(super) fn extra_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            _ => 0,
        }
    }

    fn calculate(self, other: &Self, int: fn(i64, i64) -> Option<i64>, float: fn(f64, f64) -> f64) -> Self {
        let exact = match (&self, other) {
            (Self::Int(l), Self::Int(r)) => int(*l, *r),
            _ => None,
        };
        exact.map_or_else(|| Self::Float(float(self.as_f64(), other.as_f64())), Self::Int)
    }
}

impl ops::Add<&Number> for Number {
    type Output = Self;
    fn add(self, other: &Self) -> Self {
        self.calculate(other, i64::checked_add, |l, r| l + r)
    }
}

impl ops::Sub<&Number> for Number {
    type Output = Self;
    fn sub(self, other: &Self) -> Self {
        self.calculate(other, i64::checked_sub, |l, r| l - r)
    }
}

impl ops::Mul<&Number> for Number {
    type Output = Self;
    fn mul(self, other: &Self) -> Self {
        self.calculate(other, i64::checked_mul, |l, r| l * r)
    }
}

impl ops::Div<&Number> for Number {
    type Output = Self;
    fn div(self, other: &Self) -> Self {
        let whole = |l: i64, r: i64| (l.checked_rem(r) == Some(0)).then(|| l / r);
        self.calculate(other, whole, |l, r| l / r)
    }
}

impl ops::Rem<&Number> for Number {
    type Output = Self;
    fn rem(self, other: &Self) -> Self {
        self.calculate(other, i64::checked_rem, |l, r| l % r)
    }
}

impl ops::Neg for Number {
    type Output = Self;
    fn neg(self) -> Self {
        Self::Int(0) - &self
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(l), Self::Int(r)) => l == r,
            (Self::Text(l), Self::Text(r)) if l == r => true,
            _ => self.as_f64() == other.as_f64(),
        }
    }
}

/// A total order: what is no number comes first, and is equal to itself.
impl Number {
    pub(super) fn order(&self, other: &Self) -> Ordering {
        if let (Self::Int(l), Self::Int(r)) = (self, other) {
            return l.cmp(r);
        }
        let (l, r) = (self.as_f64(), other.as_f64());
        l.partial_cmp(&r).unwrap_or_else(|| r.is_nan().cmp(&l.is_nan()))
    }
}

/// As JSON: what is no number is `null`, and what is infinite the largest there is, as in jq.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => int.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Float(float) if float.is_nan() => f.write_str("null"),
            Self::Float(float) if float.is_infinite() => fmt::Debug::fmt(&f64::MAX.copysign(*float), f),
            Self::Float(float) => match self.as_i64() {
                Some(int) => int.fmt(f),
                None => fmt::Debug::fmt(float, f),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        Number::from_json(text).to_string()
    }

    #[test]
    fn numbers_are_written_as_they_were_read() {
        for text in [
            "0",
            "-0",
            "1.50",
            "1e3",
            "123456789012345678901234567890",
            "-9223372036854775808",
            "1E+2",
        ] {
            assert_eq!(written(text), text);
        }
    }

    #[test]
    fn arithmetic_is_exact_where_it_can_be() {
        let int = |text| Number::from_json(text);
        assert_eq!(
            (int("1544712660000000001") + &int("1")).to_string(),
            "1544712660000000002"
        );
        assert_eq!(
            (int("9223372036854775807") + &int("1")).to_string(),
            "9.223372036854775807e18"
                .parse::<f64>()
                .map_or_else(|_| String::new(), |f| format!("{f:?}"))
        );
        assert_eq!((int("6") / &int("3")).to_string(), "2");
        assert_eq!((int("7") / &int("2")).to_string(), "3.5");
        assert_eq!((int("0") / &int("0")).to_string(), "null");
        assert_eq!((int("1.5") * &int("2")).to_string(), "3");
    }

    #[test]
    fn what_is_no_number_comes_first() {
        let nan = Number::Float(f64::NAN);
        assert_eq!(nan.order(&Number::Int(i64::MIN)), Ordering::Less);
        assert_eq!(Number::Int(0).order(&nan), Ordering::Greater);
        assert_eq!(nan.order(&nan), Ordering::Equal);
        assert_ne!(nan, nan);
    }
}
