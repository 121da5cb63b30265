//! A value or the mistake in it, and all mistakes together.

use std::{ffi::OsStr, fmt, sync::Arc};

use clap::{Arg, Command, builder::TypedValueParser};

/// A value that was given, or what is wrong with it.
#[derive(Clone, PartialEq, Eq)]
pub enum Given<T> {
    /// A value that may be used.
    Valid(T),
    /// One sentence that begins with the variable's name.
    Mistake(String),
}

impl<T> fmt::Debug for Given<T> {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid(_) => f.write_str("Valid"),
            Self::Mistake(mistake) => f.debug_tuple("Mistake").field(mistake).finish(),
        }
    }
}

/// What reads a text: the value, or the rest of a sentence that begins with the variable's name.
type Read<T> = dyn Fn(&str) -> Result<T, String> + Send + Sync;

/// Reads a value from its text; for clap's `value_parser`.
pub struct Reader<T>(Arc<Read<T>>);

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: 'static> Reader<T> {
    /// A reader by function. An error is the rest of a sentence that begins with the variable's name and ends before its value.
    pub fn new(read: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Refuses values that `accepts` refuses; `rule` says what they must be, after "must be".
    fn refuse_unless(self, rule: String, accepts: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self::new(move |text| {
            let value = self.read(text)?;
            if accepts(&value) {
                Ok(value)
            } else {
                Err(format!("must be {rule}"))
            }
        })
    }

    /// Reads one text.
    pub fn read(&self, text: &str) -> Result<T, String> {
        (self.0)(text)
    }
}

impl<T: PartialOrd + fmt::Debug + Clone + Send + Sync + 'static> Reader<T> {
    /// Refuses values below `least`.
    #[must_use]
    pub fn at_least(self, least: T) -> Self {
        self.refuse_unless(format!("at least {least:?}"), move |value| *value >= least)
    }

    /// Refuses values above `most`.
    #[must_use]
    pub fn at_most(self, most: T) -> Self {
        self.refuse_unless(format!("at most {most:?}"), move |value| *value <= most)
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Reader<T> {
    type Value = Given<T>;

    fn parse_ref(&self, _: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Given<T>, clap::Error> {
        let name = arg
            .and_then(Arg::get_env)
            .map(OsStr::to_string_lossy)
            .unwrap_or_default();
        let secret = arg.is_some_and(Arg::is_hide_env_values_set);
        let Some(text) = value.to_str() else {
            return Ok(Given::Mistake(format!("{name} must be UTF-8")));
        };
        Ok(self.read(text.trim()).map_or_else(
            |mistake| {
                Given::Mistake(if secret || text.is_empty() {
                    format!("{name} {mistake}")
                } else {
                    format!("{name} {mistake}: {text:?}")
                })
            },
            Given::Valid,
        ))
    }
}

/// Mistakes that were found so far.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

impl Mistakes {
    /// Adds one sentence that begins with the variable's name.
    pub fn add(&mut self, mistake: impl Into<String>) {
        self.0.push(mistake.into());
    }

    /// All sentences so far, for a reader that adds its own.
    pub fn list(&mut self) -> &mut Vec<String> {
        &mut self.0
    }

    /// The value, or a placeholder beside the mistake: [`Self::check`] lets nobody use it.
    pub fn take<T: Clone + Default>(&mut self, given: &Given<T>) -> T {
        self.take_or(given, T::default())
    }

    /// The same with a placeholder of the caller's.
    pub fn take_or<T: Clone>(&mut self, given: &Given<T>, placeholder: T) -> T {
        match given {
            Given::Valid(value) => value.clone(),
            Given::Mistake(mistake) => {
                self.add(mistake);
                placeholder
            }
        }
    }

    /// The value of a variable that must be given; `what` says what it is.
    pub fn required<T: Clone + Default>(&mut self, name: &str, what: &str, given: Option<&Given<T>>) -> T {
        if let Some(given) = given {
            return self.take(given);
        }
        self.add(format!("{name} is required: {what}"));
        T::default()
    }

    /// The value of the one of two settings that is given.
    pub fn one_of<T: Clone + Default>(&mut self, names: [&str; 2], what: &str, given: [&Option<Given<T>>; 2]) -> T {
        match given {
            [Some(_), Some(_)] => self.add(format!("{} and {} are both given: one is enough", names[0], names[1])),
            [Some(given), None] | [None, Some(given)] => return self.take(given),
            [None, None] => self.add(format!("{} is required: {what}", names[0])),
        }
        T::default()
    }

    /// `config`, if there is no mistake.
    pub fn check<T>(self, config: T) -> Result<T, InvalidConfig> {
        if self.0.is_empty() {
            Ok(config)
        } else {
            Err(InvalidConfig(self.0))
        }
    }
}

/// Every mistake in a configuration, at once. No message repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is not valid:{}", .0.iter().flat_map(|mistake| ["\n  ", mistake.as_str()]).collect::<String>())]
pub struct InvalidConfig(Vec<String>);

impl InvalidConfig {
    /// One sentence for each mistake, beginning with the variable's name.
    #[must_use]
    pub fn mistakes(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::SecretString;

    use super::*;
    use crate::config::{address, database_url, number};

    #[derive(Parser)]
    struct Settings {
        #[arg(long, env = "TEST_DATABASE_URL", hide_env_values = true, value_parser = database_url())]
        database_url: Option<Given<SecretString>>,
        #[arg(long, env = "TEST_WORKERS", value_parser = number::<u32>().at_least(1).at_most(64), default_value = "2")]
        workers: Given<u32>,
        #[arg(long, env = "TEST_ADDR", value_parser = address(), default_value = "0.0.0.0:9091")]
        addr: Given<std::net::SocketAddr>,
    }

    fn mistakes(arguments: &[&str]) -> Vec<String> {
        let settings = Settings::parse_from(std::iter::once(&"it").chain(arguments));
        let mut mistakes = Mistakes::default();
        mistakes.required("TEST_DATABASE_URL", "postgres://…", settings.database_url.as_ref());
        mistakes.take(&settings.workers);
        mistakes.take_or(&settings.addr, ([0, 0, 0, 0], 0).into());
        mistakes
            .check(())
            .map_or_else(|invalid| invalid.mistakes().to_vec(), |()| Vec::new())
    }

    #[test]
    fn every_mistake_is_named_at_once_with_its_value_unless_that_is_a_secret() {
        assert_eq!(mistakes(&["--database-url=postgres://host/db"]), Vec::<String>::new());
        assert_eq!(
            mistakes(&[
                "--database-url=mysql://user:hunter2@host",
                "--workers=65",
                "--addr=here"
            ]),
            [
                "TEST_DATABASE_URL must begin with postgres:// or postgresql://",
                "TEST_WORKERS must be at most 64: \"65\"",
                "TEST_ADDR must be an address and a port, as 0.0.0.0:8080: \"here\"",
            ]
        );
        assert_eq!(
            mistakes(&["--workers=two"]),
            [
                "TEST_DATABASE_URL is required: postgres://…",
                "TEST_WORKERS must be a whole number: \"two\"",
            ]
        );
    }
}
