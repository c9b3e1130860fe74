//! File systems that go with the test.

use crate::support::{run, tool};
use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Where images lie: in RAM, so that the machine's own disk is not what is measured.
const IMAGES: &str = "/dev/shm";

/// A mounted file system.
pub struct Mount {
    dir: tempfile::TempDir,
    is_mounted: bool,
    /// A setting of the device, and what it was.
    changed: Option<(PathBuf, String)>,
}

impl Mount {
    /// A tmpfs of so many KiB.
    pub fn tmpfs(kib: u64) -> Self {
        let mount = Self { dir: tempfile::tempdir().unwrap(), is_mounted: true, changed: None };
        let options = format!("size={kib}k");
        tool(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs", mount.text()]);
        mount
    }

    /// Gives a tmpfs another size.
    pub fn resize(&self, kib: u64) {
        tool(&["mount", "-o", &format!("remount,size={kib}k"), self.text()]);
    }

    /// The file system of an image.
    pub fn image(image: &Image) -> Self {
        let mut mount =
            Self { dir: tempfile::tempdir().unwrap(), is_mounted: false, changed: None };
        mount.mount(image);
        mount
    }

    /// Mounts the image again.
    pub fn mount(&mut self, image: &Image) {
        tool(&["mount", "-o", "loop", image.path.to_str().unwrap(), self.text()]);
        self.is_mounted = true;
    }

    /// Lets the device take one block of 4 KiB with each request.
    pub fn write_single_blocks(&mut self) {
        let device = tool(&["findmnt", "-n", "-o", "SOURCE", self.text()]);
        let name = device.trim().rsplit('/').next().unwrap().to_owned();
        let setting = PathBuf::from(format!("/sys/block/{name}/queue/max_sectors_kb"));
        let before = std::fs::read_to_string(&setting).unwrap();
        std::fs::write(&setting, "4").unwrap();
        self.changed = Some((setting, before));
    }

    /// Unmounts; what was killed a moment ago may still hold it.
    pub fn unmount(&mut self) {
        self.is_mounted = false;
        if let Some((setting, before)) = self.changed.take() {
            std::fs::write(setting, before).unwrap();
        }
        for _ in 0..100 {
            if run(&["umount".into(), OsString::from(self.path())]).status.success() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{} cannot be unmounted", self.text());
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn text(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    /// What is in use of a tmpfs.
    pub fn used_kib(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize / 1_024
    }

    /// Bytes that can still be written.
    pub fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted {
            drop(run(&["umount".into(), "--lazy".into(), OsString::from(self.path())]));
        }
    }
}

/// A file with a file system in it.
pub struct Image {
    path: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

impl Image {
    /// A new file system of this kind.
    pub fn new(kind: &str) -> Self {
        let dir = tempfile::tempdir_in(IMAGES).unwrap();
        let path = dir.path().join("image");
        Self::make(kind, path, 320 << 20, Some(dir))
    }

    /// A new ext4 in a file elsewhere, which takes space only as it is written.
    pub fn ext4_at(path: PathBuf, bytes: u64) -> Self {
        Self::make("ext4", path, bytes, None)
    }

    fn make(kind: &str, path: PathBuf, bytes: u64, dir: Option<tempfile::TempDir>) -> Self {
        File::create(&path).unwrap().set_len(bytes).unwrap();
        let name = path.to_str().unwrap();
        match kind {
            "xfs" => tool(&["mkfs.xfs", "-q", "-f", name]),
            _ => tool(&[
                "mkfs.ext4",
                "-q",
                "-F",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
                name,
            ]),
        };
        Self { path, _dir: dir }
    }

    /// Lets every block take its space.
    pub fn fill(&self) {
        let bytes = std::fs::read(&self.path).unwrap();
        std::fs::write(&self.path, bytes).unwrap();
    }

    /// Lets fsck mend what a failing disk left.
    pub fn check(&self) {
        let ran = run(&["e2fsck".into(), "-f".into(), "-y".into(), OsString::from(&self.path)]);
        // 1: errors were corrected.
        assert!(matches!(ran.status.code(), Some(0 | 1)), "{} {}", ran.said, ran.stderr);
    }
}
