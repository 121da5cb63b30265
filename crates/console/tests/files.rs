//! The compiled-in files are those of the directory, and the vendored ones are what their manifest says.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Component, Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use recap_console::{File, file, files};
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

/// Paths below `web` that a module imports.
fn imports(module: &File) -> Vec<String> {
    let text = std::str::from_utf8(module.bytes).unwrap();
    let directory = Path::new(module.path).parent().unwrap();
    let resolve = |part: &str| {
        let wanted = part.split('"').next().unwrap();
        let mut path = PathBuf::new();
        for step in directory.join(wanted).components() {
            match step {
                Component::ParentDir => assert!(path.pop(), "{wanted} in {}", module.path),
                Component::Normal(name) => path.push(name),
                _ => {}
            }
        }
        path.to_str().unwrap().to_owned()
    };
    text.split(" from \"").skip(1).map(resolve).collect()
}

fn modules() -> impl Iterator<Item = &'static File> {
    files()
        .iter()
        .filter(|file| file.path.starts_with("app/") && file.content_type().starts_with("text/javascript"))
}

#[test]
fn a_module_imports_only_what_is_here() {
    for module in modules() {
        for path in imports(module) {
            assert!(file(&path).is_some(), "{} imports {path}", module.path);
        }
    }
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut left: BTreeMap<&str, Vec<String>> = modules().map(|module| (module.path, imports(module))).collect();
    assert!(left.values().any(|imported| !imported.is_empty()));
    loop {
        let free: Vec<&str> = left
            .iter()
            .filter(|(_, imported)| !imported.iter().any(|path| left.contains_key(path.as_str())))
            .map(|(path, _)| *path)
            .collect();
        if free.is_empty() {
            break;
        }
        left.retain(|path, _| !free.contains(path));
    }
    assert!(left.is_empty(), "in a circle, or importing one: {:?}", left.keys());
}
