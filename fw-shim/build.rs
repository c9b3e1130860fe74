//! Chooses the part's memory map, and puts the commit into the image.

use std::{env, fs, path::PathBuf, process::Command};

const PARTS: [&str; 1] = ["stm32f405"];

fn main() {
    let of_part =
        |part: &&&str| env::var_os(format!("CARGO_FEATURE_{}", part.to_uppercase())).is_some();
    let chosen: Vec<_> = PARTS.iter().filter(of_part).collect();
    let [part] = chosen[..] else { panic!("choose one part of {PARTS:?} by its feature") };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let map = format!("memory/{part}.x");
    fs::copy(&map, out.join("memory.x")).unwrap_or_else(|error| panic!("{map}: {error}"));
    println!("cargo:rerun-if-changed={map}");
    for input in ["build.rs", "src", "../ss-lib/src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={input}");
    }
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    // Code that lies at no address of ours is worth nothing: no page alignment in the file.
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-env=SS_FIRMWARE_VERSION={}", version());
}

/// The version with its commit, as `ss --version` has it.
fn version() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return version.to_owned() };
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"])
        .is_some_and(|changes| !changes.is_empty());
    format!("{version} {commit}{}", if is_changed { "+" } else { "" })
}
