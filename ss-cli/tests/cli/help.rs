//! Help that is true, completions, and the version.

use crate::support::{Place, shell, stderr, stdout};
use std::{os::unix::fs::symlink, path::Path, process::Command};

#[test]
fn the_examples_of_every_help_run_as_they_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let place = Place::new();
    for folder in ["scenarios", "ss-lib"] {
        symlink(root.join(folder), place.path().join(folder)).unwrap();
    }
    for command in
        ["", "simulate", "inspect", "verify", "repair", "export", "torture", "bench", "completions"]
    {
        let command = if command.is_empty() { &[][..] } else { &[command][..] };
        for flag in ["-h", "--help"] {
            let arguments: Vec<_> = command.iter().copied().chain([flag]).collect();
            let output = place.ss(&arguments);
            assert_eq!(output.status.code(), Some(0));
            let help = stdout(&output);
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
            let examples = help.lines().skip_while(|line| !line.starts_with("Example"));
            let examples: Vec<_> =
                examples.skip(1).take_while(|line| line.starts_with("  ")).map(str::trim).collect();
            assert!(examples.iter().any(|line| line.starts_with("ss ")), "{help}");
            let output = shell(&place, &examples.join(" && "));
            assert_eq!(output.status.code(), Some(0), "{examples:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Place::new().ss(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        for command in ["simulate", "inspect", "verify", "repair", "export", "torture"] {
            assert!(stdout(&output).contains(command), "{shell} {command}");
        }
    }
}

/// B48: on a bench full of gateways a fix was tested for a day on a binary that was built before
/// it. A binary must say which commit it was built from.
#[test]
fn field_b48_the_version_names_the_commit_of_the_sources() {
    let output = Place::new().ss(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    let version = stdout(&output);
    let git = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let commit = git.ok().filter(|git| git.status.success()).map(|git| stdout(&git));
    let number = env!("CARGO_PKG_VERSION");
    match commit {
        Some(commit) => {
            let wanted = format!("ss {number} (commit {}, ", commit.trim());
            assert!(version.starts_with(&wanted), "{version} does not begin with {wanted}");
            let state = version[wanted.len()..].trim_end();
            assert!(["clean)", "modified)"].contains(&state), "{version}");
        }
        None => assert_eq!(version.trim_end(), format!("ss {number} (unknown commit)")),
    }
}
