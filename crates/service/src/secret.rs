//! A secret that may change while a program runs: given as it is, or in a file that is read each time.

use std::{fs, path::PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum Secret {
    /// Here.
    Given(SecretString),
    /// In a file, whose surrounding white space does not count.
    File(PathBuf),
}

/// The file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be read: {source}")]
pub struct UnreadableSecret {
    path: String,
    source: std::io::Error,
}

impl Secret {
    /// As it is now.
    pub fn read(&self) -> Result<SecretString, UnreadableSecret> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => {
                let text = fs::read_to_string(path).map_err(|source| UnreadableSecret {
                    path: path.display().to_string(),
                    source,
                })?;
                Ok(SecretString::from(text.trim()))
            }
        }
    }

    /// What is wrong with it now, as the rest of a sentence that begins with the variable's name.
    pub fn check(&self, check: impl Fn(&str) -> Result<(), String>) -> Result<(), String> {
        let secret = self
            .read()
            .map_err(|error| format!("names a file that is of no use: {error}"))?;
        check(secret.expose_secret())
    }
}
