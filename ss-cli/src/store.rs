//! A store on disk, looked at and not touched: what every command on a store begins with.

mod owner;

use crate::{Answer, Failure, output::printable, progress::PageProgress};
use ss_lib::disk::{self, DiskError, Plan, RealDisk, Scan, ScanError, Verdict};
use std::{
    io,
    path::{Path, PathBuf},
};

/// What can be said about a store without changing it.
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    pub(crate) disk: RealDisk,
    pub(crate) scan: Scan,
    pub(crate) plan: Plan,
    /// The process that has it open, if one can be seen.
    pub(crate) owner: Option<u32>,
}

impl Store {
    /// Reads every page of the store in this directory. Creates nothing and takes no lock.
    pub(crate) fn look(path: &Path) -> Result<Self, Failure> {
        let owner = owner::of(path);
        let disk = RealDisk::open_shared(path).map_err(|error| cannot(path, &error))?;
        let mut progress = PageProgress::new();
        let scan = disk::scan_with(&disk, &mut |at| progress.at(at.pages_done, at.pages_all));
        drop(progress);
        let scan = scan.map_err(|error| match error {
            ScanError::NotAStore => Failure::Store(format!("{}: {error}", name(path))),
            ScanError::Disk(error) => cannot(path, &error),
        })?;
        let plan = disk::plan(&scan);
        Ok(Self { path: path.to_owned(), disk, scan, plan, owner })
    }

    /// The path, as it was given.
    pub(crate) fn name(&self) -> String {
        name(&self.path)
    }

    /// What the store's state means for an exit code.
    pub(crate) fn answer(&self) -> Result<Answer, Failure> {
        match self.plan.verdict {
            Verdict::Sound => Ok(Answer::Yes),
            Verdict::Damaged => Ok(Answer::No),
            Verdict::Unusable(why) => Err(Failure::Store(format!("{}: {why}", self.name()))),
        }
    }
}

/// The path for a person.
pub(crate) fn name(path: &Path) -> String {
    printable(&path.display().to_string()).replace(['\n', '\t'], " ")
}

/// The verdict's word in JSON.
pub(crate) const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Sound => "sound",
        Verdict::Damaged => "damaged",
        Verdict::Unusable(_) => "unusable",
    }
}

/// A directory that could not be used, and what to do about it.
pub(crate) fn cannot(path: &Path, error: &DiskError) -> Failure {
    let path_name = name(path);
    let next = match error.error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::NotADirectory => "name the store's directory, not a file in it",
        io::ErrorKind::PermissionDenied => "run it as the user that owns the store",
        io::ErrorKind::WouldBlock => "stop that process, then start this again",
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable, or copy the store elsewhere",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, then start this again"
        }
        _ => "look at the system's log for this disk, and copy the store elsewhere",
    };
    let what = if is_of(error.file.as_str(), path) {
        format!("{path_name}: {}", error.error)
    } else {
        format!("{path_name}: {error}")
    };
    Failure::Store(printable(&format!("{what}; {next}")))
}

/// Whether the file that an error names is the store's directory. A name there has 63 bytes at most.
fn is_of(file: &str, path: &Path) -> bool {
    const CUT: usize = 60;
    let path = path.to_string_lossy();
    path == file || (file.len() >= CUT && path.starts_with(file))
}
