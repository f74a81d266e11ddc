//! House rules the compiler cannot see.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Crates of this workspace that a manifest depends on.
fn ours(manifest: &str) -> Vec<String> {
    let table: toml::Table = read(manifest).parse().unwrap();
    let names = table["dependencies"].as_table().unwrap().keys();
    names.filter(|name| name.starts_with("mta-")).cloned().collect()
}

/// Names of the Rust files in a folder, `mod.rs` left out.
fn modules(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stems = files.filter(|f| f.extension().is_some_and(|e| e == "rs")).map(|f| f.file_stem().unwrap().to_string_lossy().into_owned());
    stems.filter(|stem| stem != "mod").collect()
}

#[test]
fn data_flows_one_way() {
    assert_eq!(ours("theory/Cargo.toml"), [""; 0]);
    assert_eq!(ours("sims/Cargo.toml"), ["mta-theory"]);
    assert_eq!(ours("llm/Cargo.toml"), ["mta-sims", "mta-theory"]);
    assert_eq!(ours("figures/Cargo.toml"), ["mta-sims", "mta-theory"]);
}

/// A file that no `mod` line names is not compiled, and a signal that is not listed does not exist.
#[test]
fn every_signal_rule_and_figure_is_listed() {
    for folder in ["sims/src/signals", "sims/src/rules", "figures/src/plots", "llm/src/tasks"] {
        let list = read(&format!("{folder}/mod.rs"));
        for module in modules(&root().join(folder)) {
            assert!(list.contains(&format!("mod {module};")), "{folder}/{module}.rs has no mod line");
            assert!(list.contains(&format!("&{module}::")), "{folder}/{module}.rs is not in the list");
        }
    }
}

#[test]
fn theory_has_no_randomness_files_or_clock() {
    for module in modules(&root().join("theory/src")) {
        let text = read(&format!("theory/src/{module}.rs"));
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in ["std::fs", "std::time", "std::thread", "rand::", "rayon"] {
            assert!(!code.contains(word), "theory/src/{module}.rs uses {word}");
        }
    }
}

/// Every file opens with a sentence on its job.
#[test]
fn every_file_says_what_it_is_for() {
    for folder in [
        "src",
        "src/commands",
        "src/page",
        "src/store",
        "theory/src",
        "sims/src",
        "sims/src/signals",
        "sims/src/rules",
        "sims/src/against",
        "llm/src",
        "llm/src/math",
        "llm/src/tasks",
        "figures/src",
    ] {
        for module in modules(&root().join(folder)) {
            let text = read(&format!("{folder}/{module}.rs"));
            assert!(text.starts_with("//! ") || text.starts_with("#![doc"), "{folder}/{module}.rs does not say what it is for");
        }
    }
}
