//! Ids as the state keeps them: the two usual 128-bit forms as 16 bytes, short ones without an allocation.

use std::{cmp::Ordering, fmt};

/// Length of a UUID's text, the longest text that is kept packed.
const UUID_LEN: usize = 36;
const ULID_LEN: usize = 26;
const SHORT_LEN: usize = 22;

/// An opaque id of 1–255 bytes. Equality, order and hash are those of its text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Repr);

/// One text has exactly one representation: the first variant that can hold it.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// A canonical UUID: lower case, hyphenated.
    Uuid([u8; 16]),
    /// A canonical ULID: upper case Crockford base 32.
    Ulid([u8; 16]),
    Short(u8, [u8; SHORT_LEN]),
    Long(Box<str>),
}

/// How an [`Id`] is held, for the codec.
pub(crate) enum Form<'a> {
    Uuid(&'a [u8; 16]),
    Ulid(&'a [u8; 16]),
    Text(&'a [u8]),
}

impl Id {
    /// The id with that text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        Self(match bytes.len() {
            UUID_LEN => parse_uuid(bytes).map_or_else(|| Repr::Long(Box::from(text)), Repr::Uuid),
            ULID_LEN => parse_ulid(bytes).map_or_else(|| Repr::Long(Box::from(text)), Repr::Ulid),
            len @ 0..=SHORT_LEN => {
                let mut short = [0; SHORT_LEN];
                short[..len].copy_from_slice(bytes);
                #[expect(clippy::cast_possible_truncation, reason = "at most SHORT_LEN")]
                Repr::Short(len as u8, short)
            }
            _ => Repr::Long(Box::from(text)),
        })
    }

    pub(crate) const fn from_uuid(bytes: [u8; 16]) -> Self {
        Self(Repr::Uuid(bytes))
    }

    pub(crate) const fn from_ulid(bytes: [u8; 16]) -> Self {
        Self(Repr::Ulid(bytes))
    }

    pub(crate) fn form(&self) -> Form<'_> {
        match &self.0 {
            Repr::Uuid(bytes) => Form::Uuid(bytes),
            Repr::Ulid(bytes) => Form::Ulid(bytes),
            Repr::Short(len, bytes) => Form::Text(&bytes[..usize::from(*len)]),
            Repr::Long(text) => Form::Text(text.as_bytes()),
        }
    }

    /// Bytes this id holds outside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Long(text) => text.len(),
            _ => 0,
        }
    }

    /// The text, written into `buffer` where it isn't held as text.
    fn text<'a>(&'a self, buffer: &'a mut [u8; UUID_LEN]) -> &'a [u8] {
        match &self.0 {
            Repr::Uuid(bytes) => {
                format_uuid(bytes, buffer);
                buffer
            }
            Repr::Ulid(bytes) => {
                format_ulid(bytes, buffer);
                &buffer[..ULID_LEN]
            }
            Repr::Short(len, bytes) => &bytes[..usize::from(*len)],
            Repr::Long(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // Hexadecimal digits and Crockford's alphabet ascend in ASCII, so numbers order as their texts.
            (Repr::Uuid(a), Repr::Uuid(b)) | (Repr::Ulid(a), Repr::Ulid(b)) => {
                u128::from_be_bytes(*a).cmp(&u128::from_be_bytes(*b))
            }
            _ => {
                let (mut a, mut b) = ([0; UUID_LEN], [0; UUID_LEN]);
                self.text(&mut a).cmp(other.text(&mut b))
            }
        }
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; UUID_LEN];
        // Held bytes are whole texts or ASCII, so nothing is ever replaced.
        f.write_str(&String::from_utf8_lossy(self.text(&mut buffer)))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const NOT_A_DIGIT: u8 = 0xff;
const HEX_VALUE: [u8; 256] = values_of(HEX);
const CROCKFORD_VALUE: [u8; 256] = values_of(CROCKFORD);

const fn values_of(alphabet: &[u8]) -> [u8; 256] {
    let mut values = [NOT_A_DIGIT; 256];
    let mut digit = 0;
    while digit < alphabet.len() {
        #[expect(clippy::cast_possible_truncation, reason = "alphabets have at most 32 digits")]
        {
            values[alphabet[digit] as usize] = digit as u8;
        }
        digit += 1;
    }
    values
}

/// Where each byte's two digits stand in a UUID's text.
const UUID_DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let text: &[u8; UUID_LEN] = text.try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
        return None;
    }
    let mut bytes = [0; 16];
    let mut bad = 0;
    for (byte, at) in bytes.iter_mut().zip(UUID_DIGITS) {
        let high = HEX_VALUE[usize::from(text[at])];
        let low = HEX_VALUE[usize::from(text[at + 1])];
        bad |= high | low;
        *byte = high << 4 | low;
    }
    // A digit's value has no high bits.
    (bad & 0xf0 == 0).then_some(bytes)
}

fn format_uuid(bytes: &[u8; 16], text: &mut [u8; UUID_LEN]) {
    for at in [8, 13, 18, 23] {
        text[at] = b'-';
    }
    for (byte, at) in bytes.iter().zip(UUID_DIGITS) {
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 0xf)];
    }
}

fn parse_ulid(text: &[u8]) -> Option<[u8; 16]> {
    // Two of the 130 bits of 26 digits don't fit.
    if text.len() != ULID_LEN || CROCKFORD_VALUE[usize::from(text[0])] > 7 {
        return None;
    }
    let mut number = 0_u128;
    let mut bad = 0;
    for &digit in text {
        let value = CROCKFORD_VALUE[usize::from(digit)];
        bad |= value;
        number = number << 5 | u128::from(value);
    }
    (bad & 0xe0 == 0).then_some(number.to_be_bytes())
}

fn format_ulid(bytes: &[u8; 16], text: &mut [u8; UUID_LEN]) {
    let mut number = u128::from_be_bytes(*bytes);
    for digit in text[..ULID_LEN].iter_mut().rev() {
        *digit = CROCKFORD[(number & 0x1f) as usize];
        number >>= 5;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[0-8][0-9A-HJKMNP-TV-Z]{25}",
            "[0-9A-Z]{26}",
            "[a-f0-9-]{20,40}",
            "\\PC{1,60}",
            "[ -~]{1,2}",
        ]
    }

    proptest! {
        #[test]
        fn an_id_is_its_text(text in texts()) {
            prop_assert_eq!(Id::new(&text).to_string(), text);
        }

        #[test]
        fn ids_order_as_their_bytes(a in texts(), b in texts()) {
            prop_assert_eq!(Id::new(&a).cmp(&Id::new(&b)), a.as_bytes().cmp(b.as_bytes()));
            prop_assert_eq!(Id::new(&a) == Id::new(&b), a == b);
        }
    }

    #[test]
    fn an_id_is_small() {
        assert_eq!(size_of::<Option<Id>>(), 24);
    }

    #[test]
    fn only_canonical_forms_are_packed() {
        let packed = |text: &str| matches!(Id::new(text).form(), Form::Uuid(_) | Form::Ulid(_));
        assert!(packed("01928f3a-0000-7000-8000-000000000024"));
        assert!(!packed("01928F3A-0000-7000-8000-000000000024"));
        assert!(packed("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
        assert!(!packed("8ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
        assert!(!packed("7ZZZZZZZZZZZZZZZZZZZZZZZZU"));
    }
}
