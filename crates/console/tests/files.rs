//! The compiled-in files are those of the directory, and the vendored ones are what their manifest says.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use recap_console::{file, files};
use serde_json::Value;

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

/// Paths below `web` that a browser asks for.
fn on_disk(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(web()).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            on_disk(&path, found);
        } else if [".js", ".css", ".svg"].iter().any(|suffix| name.ends_with(suffix)) {
            found.insert(name);
        }
    }
}

#[test]
fn every_file_is_compiled_in_and_found_by_its_path() {
    let mut wanted = BTreeSet::new();
    on_disk(&web(), &mut wanted);
    let compiled: BTreeSet<String> = files().iter().map(|file| file.path.to_owned()).collect();
    assert_eq!(compiled, wanted);
    for path in &wanted {
        assert_eq!(file(path).unwrap().bytes, fs::read(web().join(path)).unwrap(), "{path}");
    }
    assert!(file("../Cargo.toml").is_none());
}

#[test]
fn every_vendored_file_is_the_one_that_the_manifest_names() {
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(web().join("vendor/manifest.json")).unwrap()).unwrap();
    let mut named = BTreeSet::new();
    for entry in manifest.as_array().unwrap() {
        let text = |name: &str| entry[name].as_str().unwrap_or_else(|| panic!("{entry}: no {name}"));
        let bytes = fs::read(web().join("vendor").join(text("file"))).unwrap();
        let mut hash = String::new();
        for byte in digest(&SHA256, &bytes).as_ref() {
            write!(hash, "{byte:02x}").unwrap();
        }
        assert_eq!(hash, text("sha256"), "{}", text("file"));
        assert!(text("integrity").starts_with("sha512-"), "{entry}");
        let licence = web().join("vendor/licenses").join(text("package"));
        assert!(
            licence.exists(),
            "{} has no licence text of {}",
            text("package"),
            text("license")
        );
        named.insert(format!("vendor/{}", text("file")));
    }
    let vendored: BTreeSet<String> = files()
        .iter()
        .map(|file| file.path.to_owned())
        .filter(|path| path.starts_with("vendor/"))
        .collect();
    assert_eq!(named, vendored);
}

#[test]
fn a_module_imports_only_what_is_here() {
    for module in files()
        .iter()
        .filter(|file| file.content_type().starts_with("text/javascript"))
    {
        let text = std::str::from_utf8(module.bytes).unwrap();
        for part in text
            .split(" from \"")
            .skip(1)
            .filter(|_| module.path.starts_with("app/"))
        {
            let wanted = part.split('"').next().unwrap();
            let directory = Path::new(module.path).parent().unwrap();
            let mut path = PathBuf::new();
            for step in directory.join(wanted).components() {
                match step {
                    std::path::Component::ParentDir => assert!(path.pop(), "{wanted} in {}", module.path),
                    std::path::Component::Normal(name) => path.push(name),
                    _ => {}
                }
            }
            assert!(
                file(path.to_str().unwrap()).is_some(),
                "{} imports {wanted}",
                module.path
            );
        }
    }
}
