//! The contract for machines: the files where producers look are those that the command writes.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};

use crate::RECAP;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/contract");

fn recap(arguments: &[&str]) -> Result<String> {
    let output = Command::new(RECAP).arg("events").args(arguments).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// After a change: `recap events contract deploy/contract`.
#[test]
fn the_files_are_those_of_this_release() -> Result<()> {
    let written = tempfile::tempdir()?;
    recap(&["contract", &written.path().to_string_lossy()])?;
    let names = names(&written.path().join("schemas"))?;
    ensure!(names == self::names(&Path::new(FILES).join("schemas"))?);
    ensure!(names.len() == 14, "{names:?}");
    let schemas = names.iter().map(|name| format!("schemas/{name}"));
    for name in schemas.chain(["asyncapi.json".to_owned()]) {
        let text = |folder: &Path| fs::read_to_string(folder.join(&name));
        ensure!(
            text(written.path())? == text(Path::new(FILES))?,
            "{name} is out of date"
        );
    }
    Ok(())
}

#[test]
fn what_is_printed_is_what_is_in_the_files() -> Result<()> {
    let file = |name: &str| fs::read_to_string(Path::new(FILES).join(name));
    ensure!(recap(&["asyncapi"])? == file("asyncapi.json")?);
    ensure!(recap(&["schema"])? == file("schemas/event.json")?);
    ensure!(recap(&["schema", "user.deleted"])? == file("schemas/user.deleted.json")?);
    let data: serde_json::Value = serde_json::from_str(&recap(&["schema", "user.deleted", "--data"])?)?;
    let whole: serde_json::Value = serde_json::from_str(&file("schemas/user.deleted.json")?)?;
    ensure!(data == whole["$defs"]["data"]);
    let refused = recap(&["schema", "user.renamed"]);
    ensure!(refused.is_err_and(|error| error.to_string().contains("user.upserted, user.deleted")));
    Ok(())
}
