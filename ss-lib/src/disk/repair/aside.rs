//! `lost+found/`: what a repair takes out, each with a note of where it came from.

use super::{
    super::{
        PAGE_BYTES, SECTOR_BYTES,
        io::{Disk, DiskError, FileName, Operation, read_exact_at, write_all_at},
    },
    LOST_AND_FOUND, fail, sync_dir,
};
use std::{
    io,
    time::{Duration, UNIX_EPOCH},
};

/// Names that are tried for one file before the directory is called full.
const NAMES_MAX: u32 = 10_000;

/// Makes the directory, durably.
pub(super) fn make_directory<D: Disk>(disk: &D) -> Result<(), DiskError> {
    disk.make_dir(LOST_AND_FOUND).map_err(fail(Operation::Create, LOST_AND_FOUND))?;
    sync_dir(disk)
}

/// A name in the directory that no file has.
fn free_name<D: Disk>(disk: &D, stem: &str) -> Result<FileName, DiskError> {
    for number in 0..NAMES_MAX {
        let name = match number {
            0 => FileName::new(&format!("{LOST_AND_FOUND}/{stem}")),
            _ => FileName::new(&format!("{LOST_AND_FOUND}/{stem}.{number}")),
        };
        match disk.open(name.as_str()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(name),
            Err(error) => return Err(fail(Operation::Open, name.as_str())(error)),
            Ok(_) => {}
        }
    }
    Err(fail(Operation::Create, LOST_AND_FOUND)(io::ErrorKind::AlreadyExists.into()))
}

fn sync_directories<D: Disk>(disk: &D) -> Result<(), DiskError> {
    disk.sync_subdir(LOST_AND_FOUND).map_err(fail(Operation::SyncDir, LOST_AND_FOUND))?;
    sync_dir(disk)
}

fn write_note<D: Disk>(disk: &D, of: FileName, text: &str) -> Result<(), DiskError> {
    let stem = of.as_str().trim_start_matches(LOST_AND_FOUND).trim_start_matches('/');
    let name = free_name(disk, &format!("{stem}.txt"))?;
    let file = disk.create(name.as_str()).map_err(fail(Operation::Create, name.as_str()))?;
    write_all_at(disk, &file, text.as_bytes(), 0)
        .map_err(|(_, error)| fail(Operation::Write, name.as_str())(error))?;
    disk.sync(&file).map_err(fail(Operation::Sync, name.as_str()))
}

/// `2023-11-14T22:13:20Z`, or what there is no such form of.
fn utc(ms: u64) -> String {
    // What lies behind the year 9999 has no form.
    match UNIX_EPOCH.checked_add(Duration::from_millis(ms)).filter(|_| ms < 253_402_300_800_000) {
        Some(time) => humantime::format_rfc3339_seconds(time).to_string(),
        None => format!("{ms} ms after 1970"),
    }
}

/// Moves a whole file into the directory. The note is written first: a file without one would not say
/// why it is there.
pub(super) fn set_aside<D: Disk>(
    disk: &D,
    file: FileName,
    why: &str,
    now_ms: u64,
) -> Result<(), DiskError> {
    make_directory(disk)?;
    let to = free_name(disk, file.as_str())?;
    write_note(disk, to, &format!("{why}.\nMoved here by a repair at {}.\n", utc(now_ms)))?;
    disk.rename(file.as_str(), to.as_str()).map_err(fail(Operation::Rename, file.as_str()))?;
    sync_directories(disk)
}

/// Copies pages into a file of the directory and makes it durable. What the disk does not read is
/// zeros in the copy.
pub(super) fn copy_pages<D: Disk>(
    disk: &D,
    from: FileName,
    first_page: u32,
    pages: u32,
    why: &str,
    now_ms: u64,
) -> Result<(), DiskError> {
    make_directory(disk)?;
    let name = free_name(disk, &format!("{from}.page-{first_page}"))?;
    let fail_read = fail(Operation::Read, from.as_str());
    let source = disk.open(from.as_str()).map_err(fail(Operation::Open, from.as_str()))?;
    let len = disk.len(&source).map_err(&fail_read)?;
    let copy = disk.create(name.as_str()).map_err(fail(Operation::Create, name.as_str()))?;
    let begin = u64::from(first_page) * PAGE_BYTES as u64;
    let end = (begin + u64::from(pages) * PAGE_BYTES as u64).min(len);
    let mut buffer = vec![0; SECTOR_BYTES];
    let mut at = begin;
    while at < end {
        let bytes = &mut buffer[..(end - at).min(PAGE_BYTES as u64) as usize];
        if read_exact_at(disk, &source, bytes, at).is_err() {
            bytes.fill(0);
        }
        write_all_at(disk, &copy, bytes, at - begin)
            .map_err(|(_, error)| fail(Operation::Write, name.as_str())(error))?;
        at += bytes.len() as u64;
    }
    disk.sync(&copy).map_err(fail(Operation::Sync, name.as_str()))?;
    let note = format!(
        "{pages} pages of {from}, from page {first_page} on: {why}.\n\
         Copied here by a repair at {}.\n",
        utc(now_ms)
    );
    write_note(disk, name, &note)?;
    sync_directories(disk)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn a_time_is_written_as_people_do_up_to_the_year_9999() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(1_700_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(utc(253_402_300_799_999), "9999-12-31T23:59:59Z");
        assert_eq!(utc(253_402_300_800_000), "253402300800000 ms after 1970");
        assert_eq!(utc(u64::MAX), "18446744073709551615 ms after 1970");
    }
}
