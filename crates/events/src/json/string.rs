//! JSON strings: borrowed when they hold no escape.

use std::borrow::Cow;

use super::scanner::{Broken, Scan, Scanner};

/// A string's value and what is to be known of it.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    /// Decoded; a lone surrogate stands as U+FFFD.
    pub value: Cow<'a, str>,
    pub flaws: Flaws,
}

/// What JSON allows in strings and recap doesn't take as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flaws {
    /// U+0000.
    pub nul: bool,
    /// Half of a surrogate pair.
    pub lone_surrogate: bool,
}

impl<'a> Text<'a> {
    /// The value, with U+FFFD for U+0000.
    #[inline]
    pub fn without_nul(self) -> Cow<'a, str> {
        if self.flaws.nul {
            Cow::Owned(self.value.replace('\0', "\u{fffd}"))
        } else {
            self.value
        }
    }
}

impl<'a> Scanner<'a> {
    /// Reads the string whose quote stands here.
    #[inline]
    pub fn string(&mut self) -> Scan<Text<'a>> {
        let from = self.at + 1;
        self.at = plain_until(self.text.as_bytes(), from);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Text {
                value: Cow::Borrowed(&self.text[from..self.at - 1]),
                flaws: Flaws::default(),
            });
        }
        self.escaped_string(from)
    }

    /// Reads on in a string that began at `from`, from the first byte that is not plain.
    fn escaped_string(&mut self, from: usize) -> Scan<Text<'a>> {
        let mut value = String::with_capacity((self.at - from) + 64);
        let mut flaws = Flaws::default();
        let mut run = from;
        loop {
            value.push_str(&self.text[run..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text {
                        value: Cow::Owned(value),
                        flaws,
                    });
                }
                Some(b'\\') => value.push(self.escape(&mut flaws)?),
                _ => return Err(Broken::StringEnd),
            }
            run = self.at;
            self.at = plain_until(self.text.as_bytes(), run);
        }
    }

    /// Steps over the string whose quote stands here.
    #[inline]
    pub fn skip_string(&mut self, flaws: &mut Flaws) -> Scan<()> {
        self.at += 1;
        loop {
            self.at = plain_until(self.text.as_bytes(), self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.escape(flaws)?;
                }
                _ => return Err(Broken::StringEnd),
            }
        }
    }

    /// Reads the escape whose backslash stands here.
    #[inline]
    fn escape(&mut self, flaws: &mut Flaws) -> Scan<char> {
        let decoded = match self.text.as_bytes().get(self.at + 1) {
            Some(b'n') => '\n',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => return self.unicode_escape(flaws),
            _ => return Err(Broken::Escape),
        };
        self.at += 2;
        Ok(decoded)
    }

    fn unicode_escape(&mut self, flaws: &mut Flaws) -> Scan<char> {
        let Some(unit) = self.hex_unit(self.at) else {
            return Err(Broken::HexEscape);
        };
        self.at += 6;
        flaws.nul |= unit == 0;
        if let Some(decoded) = char::from_u32(unit) {
            return Ok(decoded);
        }
        if unit < 0xdc00
            && let Some(low @ 0xdc00..=0xdfff) = self.hex_unit(self.at)
            && let Some(pair) = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
        {
            self.at += 6;
            return Ok(pair);
        }
        flaws.lone_surrogate = true;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// The code unit of `\uXXXX` at `at`, if that is what stands there.
    fn hex_unit(&self, at: usize) -> Option<u32> {
        let escape = self.text.as_bytes().get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        digits
            .iter()
            .try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }
}

/// The first position from `at` on that holds a quote, a backslash or a control character, or the end.
#[inline]
pub(super) fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Eight bytes at once ("determine if a word has a byte less than n", Bit Twiddling Hacks): a byte's
    // high bit is set in `hits` when it is special; bytes above the first hit may be set wrongly.
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(LOW * 0x20);
        let quote = (word ^ (LOW * u64::from(b'"'))).wrapping_sub(LOW);
        let backslash = (word ^ (LOW * u64::from(b'\\'))).wrapping_sub(LOW);
        let hits = (control | quote | backslash) & !word & HIGH;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at)
        && !matches!(byte, b'"' | b'\\' | 0..0x20)
    {
        at += 1;
    }
    at
}
