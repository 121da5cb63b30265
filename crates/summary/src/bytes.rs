//! Reading and writing numbers and bytes, after a format version.

use crate::StateError;

/// The first byte is the format version: the least that can say what was written.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Version 1 and nothing else.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut written = Vec::with_capacity(bytes);
        written.push(1);
        Self(written)
    }

    /// To be called when something is written that only `version` and later ones have.
    pub fn require(&mut self, version: u8) {
        self.0[0] = self.0[0].max(version);
    }

    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn short(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub fn fixed(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// LEB128.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(low_byte(number) | 0x80);
            number >>= 7;
        }
        self.0.push(low_byte(number));
    }

    /// LEB128 of the zigzag form.
    pub fn signed(&mut self, number: i64) {
        self.number(zigzag(number));
    }

    pub fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

pub(crate) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    version: u8,
}

impl<'a> Reader<'a> {
    /// Reads what follows the version, which is at most `newest`.
    pub fn new(bytes: &'a [u8], newest: u8) -> Result<Self, StateError> {
        match bytes.split_first().ok_or(TOO_SHORT)? {
            (0, _) => Err(StateError::Corrupt("format version 0")),
            (&version, _) if version > newest => Err(StateError::Newer { version, newest }),
            (&version, rest) => Ok(Self { rest, version }),
        }
    }

    /// The format version.
    pub const fn version(&self) -> u8 {
        self.version
    }

    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], StateError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub fn byte(&mut self) -> Result<u8, StateError> {
        let (&byte, rest) = self.rest.split_first().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(byte)
    }

    pub fn short(&mut self) -> Result<u16, StateError> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn fixed(&mut self) -> Result<u64, StateError> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn number(&mut self) -> Result<u64, StateError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let digit = u64::from(byte & 0x7f);
            if shift == 63 && digit > 1 {
                return Err(StateError::Corrupt("a number above 64 bits"));
            }
            number |= digit << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(StateError::Corrupt("a number above 64 bits"))
    }

    pub fn signed(&mut self) -> Result<i64, StateError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub fn count(&mut self) -> Result<u32, StateError> {
        u32::try_from(self.number()?).map_err(|_| StateError::Corrupt("a count above 32 bits"))
    }

    /// A number of things that follow and take at least `least` bytes each.
    pub fn length(&mut self, least: usize) -> Result<usize, StateError> {
        usize::try_from(self.number()?)
            .ok()
            .filter(|length| *length <= self.rest.len() / least)
            .ok_or(TOO_SHORT)
    }

    pub fn end(&self) -> Result<(), StateError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(StateError::Corrupt("bytes after the end"))
        }
    }
}

const TOO_SHORT: StateError = StateError::Corrupt("shorter than it says");
