//! JSON text (RFC 8259) as a value.

use std::rc::Rc;

use super::{Array, NESTING_MAX, Number, Object, VALUE_BYTES, Value};
use crate::budget::{self, Exhausted};

/// Why a text is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct NotJson {
    /// What should have stood there.
    pub expected: &'static str,
    /// The position in the text.
    pub at: usize,
}

/// Reads one value. Of two members with one name the last counts. Ends the run when the value is nested too deeply.
pub fn read(text: &str) -> Result<Value, NotJson> {
    budget::work(text.len());
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        depth: 0,
    };
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.expected("the end"));
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    depth: u32,
}

impl Reader<'_> {
    fn expected(&self, expected: &'static str) -> NotJson {
        NotJson { expected, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Whether the next byte after space is this one, which is then read.
    fn next_is(&mut self, byte: u8) -> bool {
        self.space();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self) -> Result<Value, NotJson> {
        self.space();
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, NotJson> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.expected("a value"))
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, NotJson>) -> Result<Value, NotJson> {
        self.at += 1;
        self.depth += 1;
        if self.depth >= NESTING_MAX {
            budget::end(Exhausted::Nesting);
            return Err(self.expected("less nesting"));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, NotJson> {
        let mut array = Array::default();
        if self.next_is(b']') {
            return Ok(Value::array(array));
        }
        loop {
            budget::allocate(VALUE_BYTES);
            array.push(self.value()?);
            if self.next_is(b']') {
                return Ok(Value::array(array));
            }
            if !self.next_is(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<Value, NotJson> {
        let mut object = Object::with_capacity(4);
        if self.next_is(b'}') {
            return Ok(Value::object(object));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a name"));
            }
            let key = self.string()?;
            if !self.next_is(b':') {
                return Err(self.expected("`:`"));
            }
            let value = self.value()?;
            object.insert(key, value);
            if self.next_is(b'}') {
                return Ok(Value::object(object));
            }
            if !self.next_is(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let before = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > before {
            Ok(())
        } else {
            Err(self.expected("a digit"))
        }
    }

    fn number(&mut self) -> Result<Value, NotJson> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        budget::allocate(VALUE_BYTES + text.len());
        Ok(Value::Number(Number::from_json(text)))
    }

    fn string(&mut self) -> Result<Rc<str>, NotJson> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    budget::allocate(VALUE_BYTES + text.len());
                    return Ok(text.into());
                }
                Some(b'\\') => break,
                Some(byte) if byte >= b' ' => self.at += 1,
                _ => return Err(self.expected("the end of a string")),
            }
        }
        let mut text = self.text[start..self.at].to_owned();
        loop {
            let from = self.at;
            while self
                .peek()
                .is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
            {
                self.at += 1;
            }
            text.push_str(&self.text[from..self.at]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut text)?,
                _ => return Err(self.expected("the end of a string")),
            }
        }
        self.at += 1;
        budget::allocate(VALUE_BYTES + text.len());
        Ok(text.into())
    }

    fn escape(&mut self, text: &mut String) -> Result<(), NotJson> {
        self.at += 1;
        let escaped = self.peek().ok_or_else(|| self.expected("an escape"))?;
        self.at += 1;
        text.push(match escaped {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                return self.unicode(unit, text);
            }
            _ => {
                self.at -= 1;
                return Err(self.expected("an escape"));
            }
        });
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, NotJson> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 4;
        Ok(unit)
    }

    fn unicode(&mut self, unit: u32, text: &mut String) -> Result<(), NotJson> {
        let mut code = unit;
        if (0xd800..0xdc00).contains(&unit) && self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.unit()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        let char = char::from_u32(code).ok_or_else(|| self.expected("the other half of a surrogate pair"))?;
        text.push(char);
        Ok(())
    }
}
