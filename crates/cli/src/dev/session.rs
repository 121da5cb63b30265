//! The running `recap dev` leaves a note for `recap token` while it runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::private_file;

/// What `recap token` needs to sign for a running `recap dev`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    /// The local Clerk's issuer.
    pub issuer: String,
    /// Its private key in PKCS#8 PEM.
    pub private_key: String,
}

/// The note of the `recap dev` that this user runs, if any.
pub fn running() -> Option<Running> {
    serde_json::from_slice(&std::fs::read(path()).ok()?).ok()
}

/// The note; it goes when this is dropped.
#[derive(Debug)]
pub struct Note(PathBuf);

impl Note {
    /// Replaces the note that a killed `recap dev` may have left.
    pub fn leave(running: &Running) -> anyhow::Result<Self> {
        let path = path();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        private_file::create(&path, &serde_json::to_vec(running)?)?;
        Ok(Self(path))
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // Nothing is left to do about it when it cannot be removed.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn path() -> PathBuf {
    if let Some(directory) = std::env::var_os("XDG_RUNTIME_DIR") {
        return PathBuf::from(directory).join("recap-dev.json");
    }
    let user = std::env::var("USER").unwrap_or_else(|_| String::from("me"));
    std::env::temp_dir().join(format!("recap-dev-{user}.json"))
}
