//! Which process has a store open, without getting in its way: to try its lock, even for a moment,
//! could make an owner that is just starting believe that the store is in use.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// The process that the system lists as holder of the lock. `None`: nobody, or it cannot be told.
pub(super) fn of(store: &Path) -> Option<u32> {
    let lock = fs::symlink_metadata(store.join("lock")).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    holder(&locks, lock.dev(), lock.ino())
}

/// Looks for `1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF`: major and minor number of the
/// device in hexadecimal, inode in decimal.
fn holder(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = numbers(device);
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_held = words.get(1) == Some(&"FLOCK") && words.get(5) == Some(&place.as_str());
        if is_held { words.get(4)?.parse().ok() } else { None }
    })
}

/// A device's numbers as glibc's makedev(3) packs them.
const fn numbers(device: u64) -> (u64, u64) {
    let major = (device >> 8 & 0xFFF) | (device >> 32 & !0xFFF);
    let minor = (device & 0xFF) | (device >> 12 & 0xFFF_FF00);
    (major, minor)
}

#[cfg(test)]
mod tests {
    use super::holder;

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fd:01:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 12 fd:01:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 13 fd:01:77 0 EOF\n";
        assert_eq!(holder(locks, 0xFD01, 77), Some(13));
        assert_eq!(holder(locks, 0xFD01, 78), None);
        assert_eq!(holder(locks, 0xFD02, 77), None);
    }
}
