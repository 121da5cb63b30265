//! Numbers measured several times, and what to say of them.

use std::time::Duration;

/// Values of one kind.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn add_millis(&mut self, duration: Duration) {
        self.add(duration.as_secs_f64() * 1_000.0);
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The value below which that many hundredths lie (nearest rank); 0 without values.
    pub fn percentile(&self, hundredths: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or(0.0)
    }

    /// Half the distance between the extremes, as a part of the median.
    pub fn spread(&self) -> f64 {
        let (low, high) = (self.percentile(0), self.percentile(100));
        let median = self.median();
        if median == 0.0 {
            0.0
        } else {
            (high - low) / 2.0 / median
        }
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let samples: Samples = (1..=200).rev().map(f64::from).collect();
        assert!((samples.median() - 100.0).abs() < f64::EPSILON);
        assert!((samples.percentile(99) - 198.0).abs() < f64::EPSILON);
        assert!((samples.percentile(100) - 200.0).abs() < f64::EPSILON);
        assert!((Samples::default().median()).abs() < f64::EPSILON);
    }
}
