//! Asks git for the commit, so that a binary can say what it was built from.
//!
//! "clean" is said of the files that the binary is made of, and a change of any of them runs this
//! script again: the answer cannot be older than the binary.

use std::{env, path::Path, process::Command};

/// What the binary is made of, from the package's directory.
const INPUTS: [&str; 7] = [
    "src",
    "build.rs",
    "Cargo.toml",
    "../ss-lib/src",
    "../ss-lib/Cargo.toml",
    "../Cargo.toml",
    "../Cargo.lock",
];

fn main() {
    // A path that does not exist would run the script at every build.
    for path in git_paths().iter().map(String::as_str).chain(INPUTS) {
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = commit().unwrap_or_else(|| "unknown commit".to_owned());
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=SS_VERSION={version} ({commit})");
}

/// `commit 1a2b3c4d5e6f, clean`. `None`: these sources are not a git work tree's.
fn commit() -> Option<String> {
    // Sources that were unpacked inside of another repository are not that repository's.
    if git(&["rev-parse", "--show-prefix"])? != "ss-cli/" {
        return None;
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(INPUTS);
    let state = if git(&status)?.is_empty() { "clean" } else { "modified" };
    Some(format!("commit {commit}, {state}"))
}

/// The files that change with the commit. In a linked work tree they lie elsewhere.
fn git_paths() -> Vec<String> {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_default();
    ["HEAD", branch.as_str(), "packed-refs", "index"]
        .into_iter()
        .filter(|name| !name.is_empty())
        .filter_map(|name| git(&["rev-parse", "--git-path", name]))
        .collect()
}

/// What git prints. It takes no lock: a refreshed index would run this script once more.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("--no-optional-locks").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
