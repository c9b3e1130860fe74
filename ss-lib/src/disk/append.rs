//! Pages on their way to a segment's file, in a buffer taken once.

use super::{
    chunk::{ClockChunk, LossChunk, RunHeader, SensorChunk},
    page::{CHUNK_ROOM_MIN, OpenPage, PAGE_BYTES, PageBuilder, PageInfo, SegmentSeed},
};

/// The first and the last key of the records in a page, if it has any.
pub(crate) type KeyRange = Option<(u64, u64)>;

/// Fills pages one behind the other. It does no I/O: whoever owns the file writes [`bytes`](Self::bytes).
#[derive(Debug)]
pub(crate) struct Appender {
    buffer: Box<[u8]>,
    /// Pages of the buffer that are sealed.
    built: usize,
    page: Option<OpenPage>,
    /// The keys of the records in each page of the buffer.
    keys: Box<[KeyRange]>,
    place: Place,
}

/// Where the buffer's first page will stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) seed: SegmentSeed,
    /// Its number in the segment.
    pub(crate) page: u32,
    /// What it says of itself; the pages behind it count on from its lsn.
    pub(crate) info: PageInfo,
}

impl Appender {
    pub(crate) fn new(pages: usize) -> Self {
        let seed = SegmentSeed::new(&[0; 16], 0, 0);
        Self {
            buffer: vec![0; pages * PAGE_BYTES].into_boxed_slice(),
            built: 0,
            page: None,
            keys: vec![None; pages].into_boxed_slice(),
            place: Place { seed, page: 0, info: PageInfo::default() },
        }
    }

    /// Bytes on the heap.
    pub(crate) const fn footprint_bytes(pages: usize) -> u64 {
        (pages * (PAGE_BYTES + size_of::<KeyRange>())) as u64
    }

    /// Begins anew at `place`; what was not written is forgotten.
    pub(crate) fn begin(&mut self, place: Place) {
        self.built = 0;
        self.page = None;
        self.place = place;
    }

    /// The number in the segment of the page that is being filled, or of the next one.
    pub(crate) fn page_number(&self) -> u32 {
        self.place.page + self.built as u32
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.built == 0 && self.page.is_none()
    }

    /// Whether a page is begun that has room.
    pub(crate) fn has_open_page(&self) -> bool {
        self.page.is_some()
    }

    /// Bytes that the page that is being filled has left; those of an empty one if none is begun.
    pub(crate) fn room(&self) -> usize {
        self.page.as_ref().map_or(CHUNK_ROOM_MIN, OpenPage::room)
    }

    /// Pages that are complete.
    pub(crate) fn built(&self) -> usize {
        self.built
    }

    /// Runs `f` on the page that is being filled, and if that says 0, on a new one. 0: the buffer is
    /// full, or not even an empty page can take it.
    fn put(&mut self, f: impl Fn(&mut PageBuilder<'_>) -> usize) -> usize {
        for _ in 0..2 {
            if self.built * PAGE_BYTES == self.buffer.len() {
                return 0;
            }
            let bytes = &mut self.buffer[self.built * PAGE_BYTES..][..PAGE_BYTES];
            let mut page = if let Some(open) = self.page.take() {
                PageBuilder::resume(bytes, open)
            } else {
                self.keys[self.built] = None;
                // No page is numbered when the numbers are used up.
                let Some(lsn) = self.place.info.lsn.checked_add(self.built as u64 + 1) else {
                    return 0;
                };
                let lsn = lsn - 1;
                PageBuilder::begin(bytes, PageInfo { lsn, ..self.place.info })
            };
            let put = f(&mut page);
            self.page = Some(page.suspend());
            if put > 0 {
                return put;
            }
            self.seal_page();
        }
        0
    }

    /// Appends records of one run, `payload` their bytes. Returns how many, the first ones, found room
    /// in one page; 0: the buffer is full.
    pub(crate) fn put_records(&mut self, header: &RunHeader, payload: &[u8]) -> usize {
        self.put_runs(header, &[], payload)
    }

    /// The same with further runs, which are taken whole or not at all.
    pub(crate) fn put_runs(&mut self, header: &RunHeader, runs: &[u8], payload: &[u8]) -> usize {
        let put = self.put(|page| page.push_runs(header, runs, payload));
        if put > 0 {
            let (first, _) = self.keys[self.built].unwrap_or((header.key, header.key));
            self.keys[self.built] = Some((first, header.key));
        }
        put
    }

    /// Appends any other chunk. Says whether there was room.
    pub(crate) fn put_chunk(&mut self, f: impl Fn(&mut PageBuilder<'_>) -> bool) -> bool {
        self.put(|page| usize::from(f(page))) > 0
    }

    /// Appends a chunk of the log itself. Says whether there was room.
    pub(crate) fn put_control(&mut self, chunk: &Control) -> bool {
        self.put_chunk(|page| match chunk {
            Control::Sensor(sensor) => page.push_sensor(sensor),
            Control::Loss(loss) => page.push_loss(loss),
            Control::Clock(clock) => page.push_clock(clock),
        })
    }

    /// Ends the page that is being filled.
    pub(crate) fn seal_page(&mut self) {
        if let Some(open) = self.page.take() {
            let bytes = &mut self.buffer[self.built * PAGE_BYTES..][..PAGE_BYTES];
            let number = self.place.page + self.built as u32;
            PageBuilder::resume(bytes, open).seal(self.place.seed, number);
            self.built += 1;
        }
    }

    /// Forgets the page that is being filled: what is in it is put again another time.
    pub(crate) fn drop_page(&mut self) {
        self.page = None;
    }

    /// The complete pages.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.built * PAGE_BYTES]
    }

    /// The keys in each complete page.
    pub(crate) fn keys(&self) -> &[KeyRange] {
        &self.keys[..self.built]
    }

    /// The buffer as memory for other uses while nothing waits in it; it must be given back.
    pub(crate) fn take_scratch(&mut self) -> Box<[u8]> {
        debug_assert!(self.is_empty(), "pages that wait would be lost");
        core::mem::take(&mut self.buffer)
    }

    /// Takes the buffer back.
    pub(crate) fn give_back_scratch(&mut self, buffer: Box<[u8]>) {
        self.buffer = buffer;
    }

    /// The complete pages were written: goes on behind them.
    pub(crate) fn advance(&mut self) {
        debug_assert!(self.page.is_none(), "the page that is being filled lies behind them");
        let built = self.built as u32;
        self.place.page += built;
        self.place.info.lsn += u64::from(built);
        self.built = 0;
    }
}

/// A chunk of the log itself, as checkpoints and commits write them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    Sensor(SensorChunk),
    Loss(LossChunk),
    Clock(ClockChunk),
}

#[cfg(test)]
mod tests;
