//! A file that has its name only when it is whole: until then it has another one beside it.

use crate::{Failure, store};
use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::{Builder, NamedTempFile};

pub(super) struct Target {
    path: PathBuf,
    file: NamedTempFile,
    replaces: bool,
}

impl Target {
    /// Begins the file, beside its place. Refuses a place that is taken or in the store itself.
    pub(super) fn new(path: &Path, store: &Path, replaces: bool) -> Result<Self, Failure> {
        let name = store::name(path);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if let Ok(there) = fs::symlink_metadata(path) {
            if !there.is_file() {
                return Err(Failure::Usage(format!(
                    "{name} is not a regular file, and is not replaced: name another file, or leave \
                     -o away and redirect the output"
                )));
            }
            if !replaces {
                return Err(Failure::Usage(format!(
                    "{name} is there: name another file, or replace it with --force"
                )));
            }
        }
        if let (Ok(folder), Ok(store)) = (folder.canonicalize(), store.canonicalize())
            && folder.starts_with(&store)
        {
            return Err(Failure::Usage(format!(
                "{name} lies in the store itself: name a file elsewhere"
            )));
        }
        let mut builder = Builder::new();
        builder.prefix(".ss-export-").permissions(Permissions::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|error| cannot(&name, &error))?;
        Ok(Self { path: path.to_owned(), file, replaces })
    }

    pub(super) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// What to say if writing failed. The begun file goes.
    pub(super) fn failure(&self, error: &io::Error) -> Failure {
        cannot(&store::name(&self.path), error)
    }

    /// Gives the file its name.
    pub(super) fn name_it(self) -> Result<(), Failure> {
        let name = store::name(&self.path);
        self.file.as_file().sync_all().map_err(|error| cannot(&name, &error))?;
        let named = if self.replaces {
            self.file.persist(&self.path)
        } else {
            self.file.persist_noclobber(&self.path)
        };
        named.map(|_| ()).map_err(|failed| cannot(&name, &failed.error))
    }
}

fn cannot(name: &str, error: &io::Error) -> Failure {
    Failure::Store(format!(
        "{name} could not be written ({error}): check its directory and the space"
    ))
}
