//! JSON numbers that are integers.

/// What a JSON number is as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integer {
    /// Less than 10^18 either way.
    Value(i64),
    /// An integer of 10^18 or more either way.
    Huge,
    /// Not an integer.
    Fraction,
}

/// The integer that a JSON number is by value, exactly. JSON has one kind of number, so `12`, `12.0`,
/// `1.2e1` and `120e-1` are the same integer (as in JSON Schema), and `-0` is 0.
#[inline]
pub(crate) fn integer(number: &str) -> Integer {
    let (negative, magnitude) = match number.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, number),
    };
    let value = if magnitude.len() <= 18 && magnitude.bytes().all(|byte| byte.is_ascii_digit()) {
        decimal(magnitude.bytes())
    } else {
        match scaled(magnitude) {
            Integer::Value(value) => value,
            other => return other,
        }
    };
    Integer::Value(if negative { -value } else { value })
}

fn decimal(digits: impl Iterator<Item = u8>) -> i64 {
    digits.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// A number with a fraction, an exponent or many digits.
fn scaled(magnitude: &str) -> Integer {
    let (mantissa, exponent) = magnitude
        .split_once(['e', 'E'])
        .map_or((magnitude, 0), |(mantissa, exponent)| (mantissa, saturating(exponent)));
    let digits = || mantissa.bytes().filter(u8::is_ascii_digit);
    let fraction = mantissa.split_once('.').map_or(0, |(_, digits)| digits.len());
    let count = digits().count();
    let leading = digits().take_while(|digit| *digit == b'0').count();
    if leading == count {
        return Integer::Value(0);
    }
    let trailing = digits_back(mantissa).take_while(|digit| *digit == b'0').count();
    let significant = count - leading - trailing;
    // The number is its significant digits times ten to this.
    let power = exponent
        .saturating_sub(length(fraction))
        .saturating_add(length(trailing));
    if power < 0 {
        return Integer::Fraction;
    }
    if length(significant).saturating_add(power) > 18 {
        return Integer::Huge;
    }
    let zeros = std::iter::repeat_n(b'0', usize::try_from(power).unwrap_or_default());
    Integer::Value(decimal(digits().skip(leading).take(significant).chain(zeros)))
}

fn digits_back(mantissa: &str) -> impl Iterator<Item = u8> {
    mantissa.bytes().rev().filter(u8::is_ascii_digit)
}

fn saturating(exponent: &str) -> i64 {
    exponent
        .parse()
        .unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX })
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_integer_by_its_value() {
        for (number, expected) in [
            ("0", Integer::Value(0)),
            ("-0", Integer::Value(0)),
            ("12", Integer::Value(12)),
            ("-12", Integer::Value(-12)),
            ("12.0", Integer::Value(12)),
            ("1e1", Integer::Value(10)),
            ("1.2E+1", Integer::Value(12)),
            ("120e-1", Integer::Value(12)),
            ("-0.0e99999999999999999999", Integer::Value(0)),
            ("9007199254740993", Integer::Value(9_007_199_254_740_993)),
            ("0.000001e6", Integer::Value(1)),
            ("100000000000000000000e-20", Integer::Value(1)),
            ("999999999999999999", Integer::Value(999_999_999_999_999_999)),
            ("1000000000000000000", Integer::Huge),
            ("1e18", Integer::Huge),
            ("1e99999999999999999999", Integer::Huge),
            ("12.5", Integer::Fraction),
            ("1e-1", Integer::Fraction),
            ("9007199254740992.00000000000000000001", Integer::Fraction),
            ("1e-99999999999999999999", Integer::Fraction),
        ] {
            assert_eq!(integer(number), expected, "{number}");
        }
    }
}
