//! What is said of stores that cannot be used, that are odd, or that nobody may write to.

use crate::support::{Place, files, shell, stderr, stdout};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Each command that only looks.
const LOOKING: [&[&str]; 4] =
    [&["inspect"], &["verify"], &["repair"], &["export", "--format", "csv"]];

fn with_store<'a>(command: &[&'a str], store: &'a str) -> Vec<&'a str> {
    let (name, rest) = command.split_first().unwrap();
    [&[*name, store], rest].concat()
}

#[test]
fn what_is_no_store_is_3_with_the_next_step() {
    let place = Place::new();
    fs::create_dir(place.path().join("empty")).unwrap();
    fs::create_dir(place.path().join("other")).unwrap();
    place.write("other/notes.txt", b"nothing of a store's");
    place.write("file", b"");
    let long = "long".repeat(30);
    let cases: [(&str, &[&str]); 5] = [
        (&long, &["longlong: No such file", "check the path"]),
        ("nowhere", &["nowhere", "check the path"]),
        ("empty", &["empty", "no store here", "check the path"]),
        ("other", &["other", "no store here", "check the path"]),
        ("file", &["file", "name the store's directory"]),
    ];
    for (store, wanted) in cases {
        for command in
            LOOKING.iter().chain(&[&["repair", "--apply"][..], &["repair", "--into", "x"]])
        {
            let output = place.ss(&with_store(command, store));
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{command:?} {store}: {text}");
            assert!(output.stdout.is_empty(), "{command:?} {store}");
            assert_eq!(text.matches("ss: ").count(), 1, "{text}");
            assert!(wanted.iter().all(|wanted| text.contains(wanted)), "{text}");
        }
    }
    assert!(!place.path().join("nowhere").exists() && !place.path().join("x").exists());
    assert_eq!(fs::read_dir(place.path().join("empty")).unwrap().count(), 0);
}

/// The superblock as a newer program would have written it.
fn of_the_future(superblock: &mut [u8]) {
    const VERSION_AT: usize = 8;
    for slot in superblock.chunks_mut(4_096) {
        slot[VERSION_AT] = 2;
        let crc = ss_lib::crc32c_append(0, &slot[..4_092]);
        slot[4_092..].copy_from_slice(&crc.to_le_bytes());
    }
}

#[test]
fn a_newer_programs_store_is_3_and_untouched() {
    let place = Place::new();
    let store = place.copy("clean");
    let mut superblock = fs::read(store.join("superblock")).unwrap();
    of_the_future(&mut superblock);
    fs::write(store.join("superblock"), superblock).unwrap();
    let before = files(&store);
    for command in LOOKING.iter().chain(&[&["repair", "--apply"][..], &["repair", "--into", "x"]]) {
        let output = place.ss(&with_store(command, "clean"));
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{command:?}: {text}");
        assert!(text.contains("version 2") && text.contains("newer program"), "{text}");
    }
    // What it is can still be seen.
    let output = place.ss(&["inspect", "clean"]);
    assert!(stdout(&output).starts_with("UNUSABLE  superblock"), "{}", stdout(&output));
    let (report, code) = place.json(&["verify", "clean", "--json"]);
    assert_eq!((report["verdict"].as_str(), code), (Some("unusable"), Some(3)));
    assert_eq!(files(&store), before);
}

#[test]
fn a_store_of_zeros_is_3_and_kept() {
    let place = Place::new();
    let store = place.copy("killed");
    for path in files(&store).keys() {
        let len = fs::metadata(path).unwrap().len();
        fs::write(path, vec![0; usize::try_from(len).unwrap()]).unwrap();
    }
    for command in LOOKING {
        let output = place.ss(&with_store(command, "killed"));
        assert_eq!(output.status.code(), Some(3), "{command:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("keep the files as they are"), "{}", stderr(&output));
    }
    let text = stdout(&place.ss(&["inspect", "killed"]));
    assert!(text.starts_with("UNUSABLE  neither"), "{text}");
    assert!(text.contains("opened   not known") && text.contains("X 1 corrupt"), "{text}");
}

#[test]
fn a_directory_that_nobody_may_write_to_is_read_and_left_as_it_is() {
    let place = Place::new();
    let store = place.copy("damaged-bit");
    let before = files(&store);
    for path in before.keys() {
        fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(&store, Permissions::from_mode(0o555)).unwrap();
    for command in LOOKING {
        let output = place.ss(&with_store(command, "damaged-bit"));
        assert_eq!(output.status.code(), Some(1), "{command:?}: {}", stderr(&output));
        assert!(!output.stdout.is_empty(), "{command:?}");
    }
    assert_eq!(files(&store), before);
    fs::set_permissions(&store, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn sensors_pages_and_views_that_are_not_there_are_2_with_what_is() {
    let place = Place::new();
    place.copy("clean");
    let cases: &[(&[&str], &[&str])] = &[
        (&["--sensor", "3/7"], &["no sensor 3/7", "2/7, 0/7"]),
        (&["--sensor", "seven"], &["`seven` names no sensor", "SOURCE/ID"]),
        (&["--page", "9:0"], &["no segment 9", "0 to 2", "--segments"]),
        (&["--page", "1:99"], &["has no page 99", "5"]),
        (&["--page", "4"], &["SEGMENT:PAGE"]),
        (&["--sector", "3"], &["no disk sector 3", "2"]),
        (&["--sector", "1:1"], &["no disk sector 1", "0"]),
        (&["--sector", "x"], &["SEGMENT:N"]),
        (&["--hex"], &["--page SEGMENT:PAGE"]),
        (&["--records", "--limit", "0"], &["--limit 0", "ss export"]),
        (&["--limit", "5"], &["--records"]),
        (&["--sort", "key"], &["--sensors"]),
        (&["--sensors", "--sort", "age"], &["backlog", "key", "losses"]),
        (&["--sensors", "--losses"], &["--sensors", "--losses"]),
        (&["--sensors", "--sensor", "0/7"], &["--sensors", "--sensor"]),
    ];
    for (arguments, wanted) in cases {
        let all: Vec<_> = ["inspect", "clean"].iter().chain(*arguments).copied().collect();
        let output = place.ss(&all);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        for wanted in *wanted {
            assert!(stderr(&output).contains(wanted), "{arguments:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn names_of_files_cannot_steer_the_terminal() {
    let place = Place::new();
    let store = place.copy("clean");
    fs::write(store.join("\u{1b}[31mred\u{7}"), b"x").unwrap();
    fs::rename(store.join("0000000000000001-00.seg"), store.join("\u{1b}[2J.seg")).unwrap();
    for view in [&["inspect"][..], &["inspect", "--segments"], &["repair"], &["verify"]] {
        let output = place.ss(&with_store(view, "clean"));
        let bytes = [output.stdout, output.stderr].concat();
        assert!(!bytes.contains(&0x1B) && !bytes.contains(&0x07), "{view:?}");
    }
}

#[test]
fn a_terminal_gets_colour_in_lines_that_fit_and_no_colour_if_it_wants_none() {
    let place = Place::new();
    place.copy("damaged-bit");
    for columns in [60, 80, 100] {
        let on_terminal = |before: &str| {
            let command = format!("stty cols {columns} rows 50; {before} ss inspect damaged-bit");
            let output = shell(&place, &format!("script -qec '{command}' /dev/null"));
            assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
            stdout(&output)
        };
        let coloured = on_terminal("");
        assert!(coloured.contains("\u{1b}[1;31mDAMAGED\u{1b}[0m"), "{coloured}");
        let plain = on_terminal("NO_COLOR=1");
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(plain.lines().all(|line| line.chars().count() <= columns), "{plain}");
        assert!(columns < 80 || plain.lines().count() <= 45, "{plain}");
    }
}

/// B45: counters of 64 bits were printed with a format of 32. The store whose numbers are near their ends shows
/// them whole in every output.
#[test]
fn field_b45_numbers_above_32_bits_of_a_store_are_printed_whole() {
    let place = Place::new();
    let store =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ss-lib/testdata/format-v1/numbers-end");
    let store = store.to_str().unwrap();
    // The first record held of sensor 0/7 and the number after its last.
    let (head, end) = ("18446744073709549635", "18446744073709549715");
    let inspect = |more: &[&str]| {
        let output = place.ss(&[&["inspect", store][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{more:?}");
        stdout(&output).replace(',', "")
    };
    for more in [&["--sensor", "0/7"][..], &["--json"], &["--sensors", "--json"]] {
        let text = inspect(more);
        assert!(text.contains(end), "{more:?} does not say {end}: {text}");
    }
    assert!(inspect(&["--sensor", "0/7"]).contains(head));
    assert!(inspect(&["--records", "--sensor", "0/7"]).contains(head));
    for format in ["csv", "jsonl"] {
        let output = place.ss(&["export", store, "--sensor", "0/7", "--format", format]);
        assert!(stdout(&output).contains(head), "{format}: {}", stdout(&output));
    }
}

/// A pager or a script says how wide its window is where no terminal can be asked.
#[test]
fn what_columns_says_goes_before_what_a_terminal_says() {
    let place = Place::new();
    place.copy("damaged-bit");
    let output = shell(&place, "COLUMNS=60 ss inspect damaged-bit");
    let text = stdout(&output);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    assert!(text.lines().any(|line| line.chars().count() > 50), "{text}");
    let output = shell(&place, "COLUMNS=wide ss inspect damaged-bit");
    assert!(stdout(&output).lines().any(|line| line.chars().count() > 90));
}
