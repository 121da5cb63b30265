//! How far a backfill is, in a small file that is replaced whole.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// How far a backfill is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Its name; part of the ids of its events.
    pub name: String,
    /// The instance that is read and the topic that is written, which must stay the same.
    pub of: String,
    /// Memberships that are published and acknowledged, the oldest first.
    pub offset: u64,
}

/// What is in the file; `None` without one.
pub(super) fn load(path: &Path) -> io::Result<Option<State>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file: whoever is killed here leaves the old one or the new one.
pub(super) fn save(path: &Path, state: &State) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let mut file = fs::File::create(&name)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_all()?;
    fs::rename(&name, path)
}

/// Removes the file: the next backfill begins anew.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        assert_eq!(load(&path).unwrap(), None);
        for offset in [100, 200] {
            let state = State {
                name: "backfill-1".to_owned(),
                of: "x".to_owned(),
                offset,
            };
            save(&path, &state).unwrap();
            assert_eq!(load(&path).unwrap(), Some(state));
        }
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(load(&path).unwrap(), None);
        fs::write(&path, "{").unwrap();
        assert!(load(&path).is_err());
    }
}
