//! Pages that take the places of bad ones, and ends that go.

use super::{
    super::{
        PAGE_BYTES,
        chunk::Head,
        io::{Disk, FileName, Operation, write_all_at},
        page::{PageBuilder, PageInfo, SegmentSeed},
        scan::{Identity, Scan},
    },
    RepairError, fail,
};

/// Where empty pages go.
pub(super) struct Place {
    pub(super) file: FileName,
    pub(super) segment: u64,
    pub(super) generation: u8,
    pub(super) first_page: u32,
    pub(super) pages: u32,
    pub(super) first_lsn: u64,
}

/// Writes empty pages over bad ones; a segment's first page says again which segment it is.
pub(super) fn replace<D: Disk>(
    disk: &D,
    scan: &Scan,
    identity: &Identity,
    place: &Place,
) -> Result<(), RepairError> {
    let name = place.file.as_str();
    let file = disk.open_writable(name).map_err(fail(Operation::Open, name))?;
    let seed = SegmentSeed::new(&identity.store_id, place.segment, place.generation);
    let mut bytes = vec![0; PAGE_BYTES];
    for index in 0..place.pages {
        let number = place.first_page + index;
        let lsn = place.first_lsn.checked_add(u64::from(index));
        let lsn = lsn.ok_or(RepairError::NumbersExhausted)?;
        // It says nothing about what was durable.
        let info = PageInfo { lsn, durable_lsn: 0, base_ms: 0, epoch: scan.epoch };
        let mut page = PageBuilder::begin(&mut bytes, info);
        if number == 0 {
            page.push_head(&Head {
                store_id: identity.store_id,
                segment: place.segment,
                generation: place.generation,
                segment_pages: identity.segment_pages,
            });
        }
        page.seal(seed, number);
        write_all_at(disk, &file, &bytes, u64::from(number) * PAGE_BYTES as u64)
            .map_err(|(_, error)| fail(Operation::Write, name)(error))?;
    }
    disk.sync(&file).map_err(fail(Operation::Sync, name))?;
    Ok(())
}

/// Ends the file in front of the page `from_page`.
pub(super) fn cut<D: Disk>(disk: &D, file: FileName, from_page: u32) -> Result<(), RepairError> {
    let name = file.as_str();
    let file = disk.open_writable(name).map_err(fail(Operation::Open, name))?;
    disk.set_len(&file, u64::from(from_page) * PAGE_BYTES as u64)
        .map_err(fail(Operation::SetLen, name))?;
    disk.sync(&file).map_err(fail(Operation::Sync, name))?;
    Ok(())
}
