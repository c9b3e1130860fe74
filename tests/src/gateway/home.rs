//! Where a store lies between two openings.

use ss_lib::disk::{Disk, Plan, RealDisk, Scan, plan, scan};
use std::path::Path;

/// A place that is opened again and again.
pub trait Home {
    /// The disk that an opening gets.
    type Disk: Disk;

    /// Opens it as its owner.
    fn open(&self) -> Self::Disk;

    /// Looks at it from outside.
    fn look(&self) -> (Scan, Plan);
}

/// A directory of real files that vanishes in the end.
#[derive(Debug)]
pub struct RealHome(tempfile::TempDir);

impl RealHome {
    /// A new one.
    ///
    /// # Panics
    /// If there can be none.
    pub fn new() -> Self {
        match tempfile::tempdir() {
            Ok(dir) => Self(dir),
            Err(error) => panic!("no temporary directory: {error}"),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Default for RealHome {
    fn default() -> Self {
        Self::new()
    }
}

impl Home for RealHome {
    type Disk = RealDisk;

    fn open(&self) -> RealDisk {
        match RealDisk::open_owned(self.0.path()) {
            Ok(disk) => disk,
            Err(error) => panic!("{error}"),
        }
    }

    fn look(&self) -> (Scan, Plan) {
        let disk = match RealDisk::open_shared(self.0.path()) {
            Ok(disk) => disk,
            Err(error) => panic!("{error}"),
        };
        look(&disk)
    }
}

/// Scan and plan of a disk.
///
/// # Panics
/// If it cannot be looked at.
pub fn look<D: Disk>(disk: &D) -> (Scan, Plan) {
    match scan(disk) {
        Ok(scan) => {
            let plan = plan(&scan);
            (scan, plan)
        }
        Err(error) => panic!("the store cannot be looked at: {error}"),
    }
}
