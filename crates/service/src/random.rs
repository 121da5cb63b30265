//! Randomness, drawn in one place.
#![expect(clippy::disallowed_methods, reason = "the home of randomness")]

use rand::Rng;
use uuid::Uuid;

/// A seed for a generator of one's own.
#[must_use]
pub fn seed() -> [u8; 32] {
    rand::random()
}

/// A number between two, both inclusive.
#[must_use]
pub fn between(least: f64, most: f64) -> f64 {
    rand::rng().random_range(least..=most)
}

/// A new id that sorts by the time it was made.
#[must_use]
pub fn sortable_id() -> Uuid {
    Uuid::now_v7()
}
