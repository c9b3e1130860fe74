//! Reads a segment page by page, 64 KiB at a time, and says of each whether it is part of the log.

use super::{
    super::{
        SECTOR_BYTES,
        io::{Disk, DiskError, FileName, Operation, read_exact_at},
        page::{PAGE_BYTES, PageFault, PageView, SegmentSeed},
    },
    SegmentScan,
};
use std::io;

/// Why a page is not part of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Page(PageFault),
    /// Its checksum is wrong; the number in the log that it says it has.
    Checksum(u64),
    /// The file ends inside of it.
    Short,
    /// Its number is not above the last one's.
    Stale,
    /// The disk does not read it.
    Unreadable,
    /// The log ends in front of it: a page before it is bad, and none of them was ever durable.
    BehindEnd,
}

impl Fault {
    /// The number in the log that the page says it has, if it says any.
    pub(crate) const fn claimed_lsn(&self) -> Option<u64> {
        match self {
            Self::Checksum(lsn) => Some(*lsn),
            _ => None,
        }
    }
}

/// Reads pages through one buffer.
pub(crate) struct PageReader<'d, D: Disk> {
    pub(crate) disk: &'d D,
    buffer: Vec<u8>,
}

impl<'d, D: Disk> PageReader<'d, D> {
    pub(crate) fn new(disk: &'d D) -> Self {
        Self { disk, buffer: vec![0; SECTOR_BYTES] }
    }

    pub(crate) fn open(&self, file: FileName) -> Result<D::File, DiskError> {
        let opened = self.disk.open(file.as_str());
        opened.map_err(|error| DiskError::new(Operation::Open, file, error))
    }

    /// Fills the buffer with whole pages from page `first` on. Returns how many bytes were read.
    fn fill(&mut self, file: &D::File, first: u32, bytes: u64) -> io::Result<usize> {
        let offset = u64::from(first) * PAGE_BYTES as u64;
        let len = bytes.saturating_sub(offset).min(SECTOR_BYTES as u64) as usize;
        read_exact_at(self.disk, file, &mut self.buffer[..len], offset)?;
        Ok(len)
    }

    /// One page. `None`: the file ends inside of it, or the disk does not read it.
    pub(crate) fn page(&mut self, file: &D::File, number: u32) -> Result<&[u8; PAGE_BYTES], Fault> {
        let offset = u64::from(number) * PAGE_BYTES as u64;
        let read = read_exact_at(self.disk, file, &mut self.buffer[..PAGE_BYTES], offset);
        match read {
            Ok(()) => as_page(&self.buffer[..PAGE_BYTES]).ok_or(Fault::Short),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Fault::Short),
            Err(_) => Err(Fault::Unreadable),
        }
    }
}

fn as_page(bytes: &[u8]) -> Option<&[u8; PAGE_BYTES]> {
    bytes.try_into().ok()
}

/// Goes over one segment's pages in order.
pub(crate) struct SegmentWalk<D: Disk> {
    file: D::File,
    seed: SegmentSeed,
    pages: u32,
    log_end: u32,
    bytes: u64,
    number: u32,
    last_lsn: Option<u64>,
    /// Bytes in the reader's buffer, from page `buffer_page` on. `None`: some page of these cannot be
    /// read, so that they are read one by one.
    buffered: Option<usize>,
    buffer_page: u32,
}

const BUFFER_PAGES: u32 = (SECTOR_BYTES / PAGE_BYTES) as u32;

impl<D: Disk> SegmentWalk<D> {
    pub(crate) fn open(
        reader: &PageReader<'_, D>,
        segment: &SegmentScan,
        seed: SegmentSeed,
    ) -> Result<Self, DiskError> {
        Ok(Self {
            file: reader.open(segment.file)?,
            seed,
            pages: segment.pages,
            log_end: segment.log_end.unwrap_or(u32::MAX),
            bytes: segment.bytes,
            number: 0,
            last_lsn: None,
            buffered: None,
            buffer_page: 0,
        })
    }

    /// The next page: its place, and the page if it is part of the log, else what is wrong. The reader
    /// must be used for no other segment meanwhile.
    pub(crate) fn next_page<'r>(
        &mut self,
        reader: &'r mut PageReader<'_, D>,
    ) -> Option<(u32, Result<PageView<'r>, Fault>)> {
        let number = self.number;
        if number >= self.pages {
            return None;
        }
        self.number += 1;
        if number.is_multiple_of(BUFFER_PAGES) {
            self.buffer_page = number;
            self.buffered = reader.fill(&self.file, number, self.bytes).ok();
        }
        let page = match self.buffered {
            Some(end) => {
                let at = (number - self.buffer_page) as usize * PAGE_BYTES;
                as_page(&reader.buffer[at.min(end)..(at + PAGE_BYTES).min(end)]).ok_or(Fault::Short)
            }
            None => reader.page(&self.file, number),
        };
        Some((number, page.and_then(|page| self.judge(page, number))))
    }

    fn judge<'r>(
        &mut self,
        page: &'r [u8; PAGE_BYTES],
        number: u32,
    ) -> Result<PageView<'r>, Fault> {
        let view = PageView::check(page, self.seed, number).map_err(|fault| match fault {
            PageFault::Checksum => Fault::Checksum(PageView::claimed_lsn(page)),
            fault => Fault::Page(fault),
        })?;
        if self.last_lsn.is_some_and(|last| view.info.lsn <= last) {
            return Err(Fault::Stale);
        }
        if number >= self.log_end {
            return Err(Fault::BehindEnd);
        }
        if !view.is_whole() {
            return Err(Fault::Page(PageFault::Content));
        }
        self.last_lsn = Some(view.info.lsn);
        Ok(view)
    }
}

/// Tells each page of the segment to `each`, which says whether to go on.
pub(crate) fn walk_segment<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    seed: SegmentSeed,
    each: &mut dyn FnMut(u32, Result<PageView<'_>, Fault>) -> bool,
) -> Result<(), DiskError> {
    let mut walk = SegmentWalk::open(reader, segment, seed)?;
    while let Some((number, page)) = walk.next_page(reader) {
        if !each(number, page) {
            break;
        }
    }
    Ok(())
}
