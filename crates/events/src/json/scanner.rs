//! A cursor over JSON text: what stands here, and the steps through objects, numbers and literals.

/// What the grammar allows where a text is not JSON: at the scanner's position. One byte, so that results
/// travel in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Value,
    NameOrEnd,
    Colon,
    Name,
    CommaOrBrace,
    CommaOrBracket,
    End,
    Literal,
    Digit,
    StringEnd,
    Escape,
    HexEscape,
}

impl Broken {
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Value => "a value",
            Self::NameOrEnd => "a field name or `}`",
            Self::Colon => "`:`",
            Self::Name => "a field name",
            Self::CommaOrBrace => "`,` or `}`",
            Self::CommaOrBracket => "`,` or `]`",
            Self::End => "the end",
            Self::Literal => "`true`, `false` or `null`",
            Self::Digit => "a digit",
            Self::StringEnd => "a string without control characters, and its end",
            Self::Escape => "an escape",
            Self::HexEscape => "`\\u` and four hexadecimal digits",
        }
    }
}

pub(crate) type Scan<T> = Result<T, Broken>;

/// The JSON type of a value, known from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

impl Kind {
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::True | Self::False => "a boolean",
            Self::Null => "null",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Scanner<'a> {
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Bytes into the text.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Steps over whitespace; whether there was any.
    #[inline]
    pub fn space(&mut self) -> bool {
        let from = self.at;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.at > from
    }

    /// The type of the value that begins here.
    #[inline]
    pub fn kind(&self) -> Scan<Kind> {
        Ok(match self.peek() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(b'n') => Kind::Null,
            _ => return Err(Broken::Value),
        })
    }

    /// Steps into the object that begins here; whether it has members.
    #[inline]
    pub fn enter_object(&mut self) -> Scan<bool> {
        self.at += 1;
        self.space();
        match self.peek() {
            Some(b'"') => Ok(true),
            Some(b'}') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Broken::NameOrEnd),
        }
    }

    /// Steps from a key to its value.
    #[inline]
    pub fn colon(&mut self) -> Scan<bool> {
        let before = self.space();
        if self.peek() != Some(b':') {
            return Err(Broken::Colon);
        }
        self.at += 1;
        Ok(self.space() | before)
    }

    /// Steps from a value to the next member of its object; `false` when the object ended.
    #[inline]
    pub fn next_member(&mut self) -> Scan<bool> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                match self.peek() {
                    Some(b'"') => Ok(true),
                    _ => Err(Broken::Name),
                }
            }
            Some(b'}') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Broken::CommaOrBrace),
        }
    }

    /// Nothing but whitespace may follow.
    pub fn end(&mut self) -> Scan<()> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Broken::End),
        }
    }

    /// Steps over `true`, `false` or `null`, of which the first letter stands here.
    #[inline]
    pub fn literal(&mut self, kind: Kind) -> Scan<()> {
        let word = match kind {
            Kind::True => "true",
            Kind::False => "false",
            _ => "null",
        };
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Broken::Literal);
        }
        self.at += word.len();
        Ok(())
    }

    /// Steps over the number that begins here and gives its text.
    #[inline]
    pub fn number(&mut self) -> Scan<&'a str> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[from..self.at])
    }

    #[inline]
    fn digits(&mut self) -> Scan<()> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == from {
            return Err(Broken::Digit);
        }
        Ok(())
    }
}
