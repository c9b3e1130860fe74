//! The C program that uses every function, built by this machine's C compiler (`CC`, else `cc`) against the
//! static library that this test run has built. `.ci/capi` runs it under the checkers.
#![cfg(not(miri))] // An interpreter runs no other program.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn the_c_program_over_every_function_finds_nothing_wrong() {
    let work = tempfile::tempdir().unwrap();
    let program = build("tests/c/capi.c", work.path());
    let output = Command::new(program).arg(work.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.ends_with(" checks, 0 failed\n") && !said.starts_with("capi: 0 "), "{said}");
}

#[test]
fn the_example_of_a_gateway_runs_and_ends_in_order() {
    let work = tempfile::tempdir().unwrap();
    let program = build("examples/gateway.c", work.path());
    let output = Command::new(program).arg(work.path().join("store")).arg("1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.ends_with(" held, 0 lost at the end\n"), "{said}");
}

/// Compiles a source of this package's, and links it.
fn build(source: &str, into: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = into.join("program");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    // Cargo puts the library's archive beside this test's executable.
    let archive = env::current_exe().expect("this test").with_file_name("libss.a");
    let output = Command::new(&compiler)
        .args([
            "-std=c11",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Wconversion",
            "-Wpedantic",
            "-Werror",
            "-I",
        ])
        .arg(root.join("include"))
        .arg(root.join(source))
        .arg(archive)
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&program)
        .output()
        .unwrap_or_else(|error| panic!("a C compiler is needed, and {compiler} is none: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}
