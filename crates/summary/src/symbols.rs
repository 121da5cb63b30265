//! Strings that repeat from message to message, kept once.

/// A string of a [`Symbols`], or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Symbol(u32);

impl Symbol {
    pub const NONE: Self = Self(0);

    pub const fn from_index(index: u32) -> Self {
        Self(index + 1)
    }

    /// Where the string stands; `None` for none.
    pub fn index(self) -> Option<usize> {
        self.0.checked_sub(1).map(|index| index as usize)
    }
}

/// A dictionary: models and finish reasons, a handful as a rule.
#[derive(Debug, Clone, Default)]
pub(crate) struct Symbols {
    strings: Vec<Box<str>>,
    text_bytes: usize,
}

impl Symbols {
    pub fn intern(&mut self, text: Option<&str>) -> Symbol {
        let Some(text) = text else {
            return Symbol::NONE;
        };
        let index = self
            .strings
            .iter()
            .position(|string| **string == *text)
            .unwrap_or_else(|| {
                self.push(text);
                self.strings.len() - 1
            });
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most two strings per message of a part"
        )]
        Symbol::from_index(index as u32)
    }

    /// Adds a string without looking whether it is there.
    pub fn push(&mut self, text: &str) {
        self.text_bytes += text.len();
        self.strings.push(Box::from(text));
    }

    pub fn get(&self, symbol: Symbol) -> Option<&str> {
        self.strings.get(symbol.index()?).map(|string| &**string)
    }

    pub fn len(&self) -> usize {
        self.strings.len()
    }

    pub fn heap_bytes(&self) -> usize {
        self.strings.capacity() * size_of::<Box<str>>() + self.text_bytes
    }
}
