//! Typed values of the configuration.
//!
//! clap stops at the first value that it cannot read. A [`Given`] is read by a [`Reader`] that never stops clap: it keeps the mistake, with
//! the name of the variable, and [`Mistakes`] collects all of them. The value of a variable whose values are hidden from `--help`
//! (`hide_env_values`) is never repeated.
//!
//! ```
//! use std::time::Duration;
//!
//! use clap::Parser;
//! use recap_service::config::{Given, InvalidConfig, Mistakes, duration};
//!
//! #[derive(Parser)]
//! struct Command {
//!     /// How long to wait.
//!     #[arg(long, env = "RECAP_WAIT", value_parser = duration().at_most(Duration::from_secs(10)), default_value = "1s")]
//!     wait: Given<Duration>,
//! }
//!
//! fn wait(arguments: &[&str]) -> Result<Duration, InvalidConfig> {
//!     let mut mistakes = Mistakes::default();
//!     let wait = mistakes.take(&Command::parse_from(arguments).wait);
//!     mistakes.check(wait)
//! }
//!
//! assert_eq!(wait(&["it", "--wait=250ms"]), Ok(Duration::from_millis(250)));
//! assert!(wait(&["it", "--wait=3"]).is_err_and(|error| error.to_string().contains("RECAP_WAIT")));
//! ```

mod mistakes;
mod values;

pub use mistakes::{Given, InvalidConfig, Mistakes, Reader};
pub use values::{address, bytes, database_url, duration, flag, http_url, list, number, or_nothing, text};
