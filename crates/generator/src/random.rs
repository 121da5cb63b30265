//! Chance from a seed, in whole numbers wherever sizes come from it, so that a log's bytes depend on nothing else.

/// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of `SplitMix64`: every bit of the input reaches every bit of the output.
pub const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number that follows from three others; equal only for equal ones, as far as chance allows.
pub const fn derive(seed: u64, kind: u64, serial: u64) -> u64 {
    mix(mix(seed.wrapping_add(kind.wrapping_mul(GOLDEN))).wrapping_add(serial.wrapping_mul(GOLDEN)))
}

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in `0..bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// As [`Self::below`].
    #[expect(clippy::cast_possible_truncation, reason = "the result is below a 32-bit bound")]
    pub fn below_u32(&mut self, bound: u32) -> u32 {
        self.below(u64::from(bound)) as u32
    }

    /// An index into something of that length.
    #[expect(clippy::cast_possible_truncation, reason = "the result is below a usize bound")]
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// One of several; the slice must not be empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// Whether something of this probability happens.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are as many as a double holds")]
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit_bits() as f64 * (1.0 / 9_007_199_254_740_992.0) < share
    }

    const fn unit_bits(&mut self) -> u64 {
        self.next() >> 11
    }

    /// Between `low` and `high`, small ones more often: `low + (high − low) · u³`.
    #[expect(clippy::cast_possible_truncation, reason = "the result is within the 32-bit bounds")]
    pub fn skewed(&mut self, (low, high): (u32, u32)) -> u32 {
        let unit = self.next() >> 43;
        let cube = u128::from(unit * unit * unit);
        low + ((u128::from(high.saturating_sub(low) + 1) * cube) >> 63) as u32
    }

    /// Below `bound`, small ones more often: `bound · u²`.
    #[expect(clippy::cast_possible_truncation, reason = "the result is below a 32-bit bound")]
    pub fn skewed_below(&mut self, bound: u32) -> u32 {
        let unit = self.next() >> 33;
        ((u128::from(bound) * u128::from(unit * unit)) >> 62) as u32
    }
}

/// A bounded Pareto distribution of shape 1 over whole numbers up to `high`: many short, few long, a given mean.
#[derive(Clone, Debug)]
pub struct LongTail {
    low_thousandths: u64,
    high: u64,
}

impl LongTail {
    /// Finds the lower bound that gives the mean.
    pub fn with_mean(mean: u32, high: u32) -> Self {
        const CELLS: u64 = 4_096;
        let high = u64::from(high.max(1));
        let wanted = u64::from(mean).clamp(1, high) * CELLS;
        let (mut least, mut most) = (1_000, high * 1_000);
        while least < most {
            let middle = u64::midpoint(least, most);
            let tail = Self {
                low_thousandths: middle,
                high,
            };
            let sum: u64 = (0..CELLS).map(|cell| tail.quantile((2 * cell + 1) << 19)).sum();
            if sum < wanted {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        Self {
            low_thousandths: least,
            high,
        }
    }

    /// The value below which `unit / 2^32` of all values lie.
    #[expect(clippy::cast_possible_truncation, reason = "a quantile is at most `high`")]
    fn quantile(&self, unit: u64) -> u64 {
        let high = u128::from(self.high) * 1_000;
        let low = u128::from(self.low_thousandths);
        let numerator = (low * high) << 32;
        let denominator = (high << 32) - u128::from(unit) * (high - low);
        // Rounded to the nearest whole number, so that the mean is that of the continuous distribution.
        ((numerator / denominator + 500) / 1_000) as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "a quantile is at most the 32-bit `high`")]
    pub fn sample(&self, random: &mut Random) -> u32 {
        self.quantile(random.next() >> 32).max(1) as u32
    }
}
