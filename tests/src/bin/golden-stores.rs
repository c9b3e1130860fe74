//! Writes the golden stores into a directory that has none yet. They are part of the format's contract:
//! a store is added, never changed.

use ss_tests::disk::{engine_made, golden};
use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let Some(directory) = env::args().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: golden-stores DIR"));
    };
    for golden in golden::all() {
        let expect = golden.writer.expectation(&golden.gone);
        write(&directory, golden.name, &golden.writer.disk.files(), &expect)?;
    }
    for made in engine_made::all() {
        write(&directory, made.name, &made.files, &made.expect)?;
    }
    Ok(())
}

fn write(
    directory: &Path,
    name: &str,
    files: &BTreeMap<String, Vec<u8>>,
    expect: &str,
) -> io::Result<()> {
    let store = directory.join(name);
    if store.exists() {
        println!("{} is there and stays as it is", store.display());
        return Ok(());
    }
    fs::create_dir_all(&store)?;
    for (file, bytes) in files {
        fs::write(store.join(file), bytes)?;
    }
    fs::write(directory.join(format!("{name}.expect")), expect)?;
    println!("{} written", store.display());
    Ok(())
}
