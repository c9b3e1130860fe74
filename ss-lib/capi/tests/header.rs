//! The committed header is what the sources say.
//!
//!     SS_HEADER=write cargo test -p ss-capi --test header      writes it

use std::{env, fs, path::Path};

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_crate(root)
        .generate()
        .expect("the sources can be read")
        .write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = root.join("include/ss.h");
    if env::var_os("SS_HEADER").is_some_and(|word| word == "write") {
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if committed != made {
        let differs = committed.lines().zip(made.lines()).position(|(one, other)| one != other);
        panic!(
            "include/ss.h is not what the sources say (first in line {:?}): \
             SS_HEADER=write cargo test -p ss-capi --test header",
            differs.map(|line| line + 1)
        );
    }
}
