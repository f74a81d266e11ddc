//! Notes the git revision and compiler for the manifest of a run.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs");
    let revision = output("git", &["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let rustc = std::env::var("RUSTC").ok().and_then(|rustc| output(&rustc, &["--version"])).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=MTA_GIT_REVISION={revision}");
    println!("cargo:rustc-env=MTA_RUSTC={rustc}");
    println!("cargo:rustc-env=MTA_TARGET={}", std::env::var("TARGET").unwrap_or_else(|_| "unknown".into()));
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}
