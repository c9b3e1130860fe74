//! Writes the golden stores into a directory that has none yet. They are part of the format's contract:
//! a store is added, never changed.

use ss_tests::disk::golden;
use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let Some(directory) = env::args().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("usage: golden-stores DIR"));
    };
    for golden in golden::all() {
        let store = directory.join(golden.name);
        if store.exists() {
            println!("{} is there and stays as it is", store.display());
            continue;
        }
        fs::create_dir_all(&store)?;
        for (name, bytes) in golden.writer.disk.files() {
            fs::write(store.join(name), bytes)?;
        }
        let expect = directory.join(format!("{}.expect", golden.name));
        fs::write(expect, golden.writer.expectation(&golden.gone))?;
        println!("{} written", store.display());
    }
    Ok(())
}
