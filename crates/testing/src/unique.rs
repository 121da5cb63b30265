//! Names and ports that nothing else has, in this process or in another one.

use uuid::Uuid;

/// Random bytes.
#[expect(
    clippy::disallowed_methods,
    reason = "the home of the randomness of tests: nothing they assert depends on it"
)]
pub fn unique_id() -> Uuid {
    Uuid::new_v4()
}
