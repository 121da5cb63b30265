//! Stepping over a whole value, of any depth, without recursion.

use super::{
    scanner::{Broken, Kind, Scan, Scanner},
    string::Flaws,
};

/// A value passed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Skimmed<'a> {
    /// From its first byte to its last.
    pub text: &'a str,
    /// Whether there is whitespace outside strings.
    pub spaced: bool,
    pub flaws: Flaws,
}

impl<'a> Scanner<'a> {
    /// Steps over the value that begins here, checking all of it.
    pub fn skim(&mut self) -> Scan<Skimmed<'a>> {
        let from = self.at;
        let mut spaced = false;
        let mut flaws = Flaws::default();
        let mut nest = Nest::default();
        'value: loop {
            match self.kind()? {
                Kind::String => self.skip_string(&mut flaws)?,
                Kind::Number => {
                    self.number()?;
                }
                kind @ (Kind::True | Kind::False | Kind::Null) => self.literal(kind)?,
                Kind::Object => {
                    self.at += 1;
                    spaced |= self.space();
                    if self.peek() == Some(b'}') {
                        self.at += 1;
                    } else {
                        nest.push(true);
                        spaced |= self.skip_key(&mut flaws)?;
                        continue 'value;
                    }
                }
                Kind::Array => {
                    self.at += 1;
                    spaced |= self.space();
                    if self.peek() == Some(b']') {
                        self.at += 1;
                    } else {
                        nest.push(false);
                        continue 'value;
                    }
                }
            }
            // A value has ended: so may the containers around it.
            while let Some(in_object) = nest.top() {
                spaced |= self.space();
                match (self.peek(), in_object) {
                    (Some(b','), _) => {
                        self.at += 1;
                        spaced |= self.space();
                        if in_object {
                            spaced |= self.skip_key(&mut flaws)?;
                        }
                        continue 'value;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        nest.pop();
                    }
                    (_, true) => return Err(Broken::CommaOrBrace),
                    (_, false) => return Err(Broken::CommaOrBracket),
                }
            }
            return Ok(Skimmed {
                text: &self.text[from..self.at],
                spaced,
                flaws,
            });
        }
    }

    fn skip_key(&mut self, flaws: &mut Flaws) -> Scan<bool> {
        if self.peek() != Some(b'"') {
            return Err(Broken::Name);
        }
        self.skip_string(flaws)?;
        self.colon()
    }
}

/// The containers around a position, outermost first: one bit each, set for objects.
#[derive(Default)]
struct Nest {
    /// The innermost up to 64.
    bits: u64,
    /// How many of `bits` are in use.
    used: u32,
    /// Full words of the outer ones.
    outer: Vec<u64>,
}

impl Nest {
    fn push(&mut self, object: bool) {
        if self.used == u64::BITS {
            self.outer.push(self.bits);
            self.used = 0;
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.used += 1;
    }

    fn top(&self) -> Option<bool> {
        (self.used > 0).then_some(self.bits & 1 == 1)
    }

    fn pop(&mut self) {
        self.bits >>= 1;
        self.used -= 1;
        if self.used == 0
            && let Some(bits) = self.outer.pop()
        {
            self.bits = bits;
            self.used = u64::BITS;
        }
    }
}
