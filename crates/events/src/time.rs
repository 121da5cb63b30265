//! Event time in microseconds, every other time in milliseconds.

/// A moment that orders revisions, in microseconds since the Unix epoch; 0 to the last microsecond of
/// the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

/// A moment that is shown, filtered or sorted, in milliseconds since the Unix epoch; 0 to the last
/// millisecond of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Micros {
    /// The last microsecond of the year 9999 in UTC.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The millisecond this moment lies in.
    #[must_use]
    pub const fn to_millis(self) -> Millis {
        Millis(self.0.div_euclid(1_000))
    }
}

impl Millis {
    /// The last millisecond of the year 9999 in UTC.
    pub const MAX: Self = Self(253_402_300_799_999);
}

impl From<Micros> for Millis {
    fn from(time: Micros) -> Self {
        time.to_millis()
    }
}
