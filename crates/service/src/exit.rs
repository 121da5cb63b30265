//! How a program ends: one table of exit codes for every service.

use std::process::ExitCode;

/// The table, for `--help`.
pub const EXIT_CODES: &str = "Exit codes:
  0    stopped by SIGTERM or SIGINT; what was begun is finished
  1    failed; start it again
  2    the configuration is not valid; starting it again does not help
  3    too many dead letters (RECAP_DEAD_LETTER_MAX_RATIO, projector only); starting it again does not help before someone has read them
  4    stopped, but the time to finish passed first; what was not written is read again at the next start
  130  stopped at once by a second signal; what was not written is read again at the next start";

/// Why a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By a signal, with everything finished.
    Stopped = 0,
    /// By a failure or by a task that crashed.
    Failed = 1,
    /// Before it started: the configuration is not valid.
    InvalidConfig = 2,
    /// Too much would have been dead-lettered.
    TooManyDeadLetters = 3,
    /// By a signal, but not everything was finished in time.
    DeadlinePassed = 4,
    /// By a second signal.
    SecondSignal = 130,
}

impl Exit {
    /// Ends the process now, without waiting for anything.
    pub fn now(self) -> ! {
        std::process::exit(self as i32)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
