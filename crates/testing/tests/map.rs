//! The map of the crates names files that exist, and every crate.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{fs, path::Path};

#[test]
fn every_path_of_the_map_exists_and_no_crate_is_missing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let map = fs::read_to_string(root.join("crates/README.md")).unwrap();
    let named: Vec<&str> = map.split('`').skip(1).step_by(2).collect();
    let paths: Vec<&&str> = named.iter().filter(|text| text.starts_with("crates/")).collect();
    assert!(paths.len() > 50, "the map has lost its walks");
    for path in paths {
        assert!(root.join(path).exists(), "{path} does not exist");
    }
    for directory in fs::read_dir(root.join("crates")).unwrap() {
        let directory = directory.unwrap();
        if directory.file_type().unwrap().is_dir() {
            let name = directory.file_name().into_string().unwrap();
            assert!(named.contains(&&*name), "the map does not name the crate {name}");
        }
    }
}
