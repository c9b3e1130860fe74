//! Writes whole stores as a gateway would: spills, cursors, losses, seals, squeezes, openings. It keeps
//! beside it what a reader must find.

use super::{
    chunks::{checkpoint_end_body, clock_body, footer_body, kind_word, loss_fields, push_index},
    memory::MemoryDisk,
    page::{PAGE_BYTES, Page, Place, signed, varint},
};
use ss_lib::{DropCause, Kind, SensorKey, crc32c_append, disk::Disk};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Pages of a segment in the golden stores: the fewest.
pub const SEGMENT_PAGES: u32 = 16;
/// When the stores begin.
const START_MS: u64 = 1_700_000_000_000;

/// A record as it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    pub seq: u64,
    pub epoch: u32,
    pub time_ms: u64,
    pub value: u32,
}

/// A sensor as the writer knows it.
#[derive(Clone, Debug)]
pub struct SensorModel {
    pub kind: Kind,
    pub period_ms: u32,
    pub is_active: bool,
    pub head: u64,
    pub hole: (u64, u64),
    pub counts: [u64; 6],
    pub records: Vec<Added>,
    written: u64,
    first_segment: u64,
    is_dirty: bool,
}

/// A run of a sensor's records as it stands in a page.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) key: SensorKey,
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) page: u32,
}

pub struct StoreWriter {
    pub disk: MemoryDisk,
    pub store_id: [u8; 16],
    pub epoch: u32,
    pub sensors: BTreeMap<SensorKey, SensorModel>,
    pub losses: Vec<(SensorKey, u64, u32, DropCause, u64)>,
    pub segment: u64,
    order: Vec<SensorKey>,
    clocks: Vec<(u32, i64)>,
    lsn: u64,
    durable_lsn: u64,
    sequence: u64,
    page: u32,
    runs: BTreeMap<u64, Vec<Run>>,
    new_losses: Vec<(SensorKey, u64, u32, DropCause, u64)>,
    new_clocks: Vec<(u32, i64)>,
}

fn name(segment: u64, generation: u8) -> String {
    format!("{segment:016x}-{generation:02x}.seg")
}

impl SensorModel {
    pub fn end(&self) -> u64 {
        self.written.max(self.head)
    }

    pub fn is_held(&self, seq: u64) -> bool {
        seq >= self.head && seq < self.end() && !(self.hole.0..self.hole.1).contains(&seq)
    }

    /// Records that a reader must find.
    pub fn held(&self) -> impl Iterator<Item = &Added> {
        self.records.iter().filter(|record| self.is_held(record.seq))
    }
}

impl StoreWriter {
    /// A new store whose numbers begin at these.
    pub fn new(store_id: [u8; 16], segment: u64, lsn: u64, epoch: u32) -> Self {
        let mut store = Self {
            disk: MemoryDisk::default(),
            store_id,
            epoch,
            sensors: BTreeMap::new(),
            losses: Vec::new(),
            segment,
            order: Vec::new(),
            clocks: Vec::new(),
            lsn,
            durable_lsn: lsn,
            sequence: 0,
            page: 0,
            runs: BTreeMap::new(),
            new_losses: Vec::new(),
            new_clocks: Vec::new(),
        };
        store.write_superblock(false);
        store
    }

    pub fn register(&mut self, key: SensorKey, period_ms: Option<u32>, first_seq: u64) {
        let model = SensorModel {
            kind: if period_ms.is_some() { Kind::TimeSeries } else { Kind::Event },
            period_ms: period_ms.unwrap_or(0),
            is_active: true,
            head: first_seq,
            hole: (first_seq, first_seq),
            counts: [0; 6],
            records: Vec::new(),
            written: first_seq,
            first_segment: self.segment,
            is_dirty: true,
        };
        self.sensors.insert(key, model);
        self.order.push(key);
    }

    /// Writes the first segment's checkpoint.
    pub fn begin(&mut self) {
        self.checkpoint();
    }

    /// Adds records in RAM; the next spill writes them.
    pub fn add(&mut self, key: SensorKey, count: u64) {
        let epoch = self.epoch;
        let sensor = self.sensors.get_mut(&key).unwrap();
        for _ in 0..count {
            let seq = sensor.records.last().map_or(sensor.head, |last| last.seq + 1);
            let index = sensor.records.len() as u64;
            let time_ms = match sensor.kind {
                Kind::TimeSeries => START_MS + index * u64::from(sensor.period_ms),
                // Out of order by rights: it is the caller's.
                Kind::Event => START_MS + index * 1_000 - (index % 3) * 1_700,
            };
            let value = (seq as u32).wrapping_mul(0x9E37_79B9) ^ key.id;
            sensor.records.push(Added { seq, epoch, time_ms, value });
        }
    }

    /// Writes what was added, and what changed besides.
    pub fn spill(&mut self) {
        let keys: Vec<SensorKey> = self.sensors.keys().copied().collect();
        let mut page = self.begin_page();
        for &key in &keys {
            loop {
                let sensor = &self.sensors[&key];
                let first = sensor.end();
                let end = sensor.records.last().map_or(first, |last| last.seq + 1);
                if first >= end {
                    break;
                }
                let count = self.push_records(&mut page, key, first, end);
                if count == 0 {
                    page = self.write_page(page);
                    continue;
                }
                let (segment, number) = (self.segment, self.page);
                let run = Run { key, first, end: first + count, page: number };
                self.runs.entry(segment).or_default().push(run);
                self.sensors.get_mut(&key).unwrap().written = first + count;
            }
        }
        for &key in &keys {
            if std::mem::take(&mut self.sensors.get_mut(&key).unwrap().is_dirty) {
                let (tag, fields) = self.sensor_fields(key);
                if !page.keyed(tag, key, &fields) {
                    page = self.write_page(page);
                    assert!(page.keyed(tag, key, &fields));
                }
            }
        }
        for (key, first, count, cause, at_ms) in std::mem::take(&mut self.new_losses) {
            let (tag, fields) = loss_fields(first, count, cause, at_ms);
            assert!(page.keyed(tag, key, &fields), "a test's few losses fit");
            self.losses.push((key, first, count, cause, at_ms));
        }
        for (epoch, offset_ms) in std::mem::take(&mut self.new_clocks) {
            assert!(page.framed(&clock_body(epoch, offset_ms)));
            self.clocks.push((epoch, offset_ms));
        }
        self.write_page(page);
        if self.page + 4 >= SEGMENT_PAGES {
            self.roll();
        }
    }

    /// Seals the segment and begins the next.
    pub fn roll(&mut self) {
        self.seal();
        self.segment += 1;
        self.checkpoint();
    }

    /// Everything that was written is durable.
    pub fn commit(&mut self) {
        self.durable_lsn = self.lsn;
    }

    /// The cloud took the oldest records that are held.
    pub fn ack(&mut self, key: SensorKey, count: u64) {
        let sensor = self.sensors.get_mut(&key).unwrap();
        sensor.head += count;
        if sensor.head >= sensor.hole.0 {
            sensor.head = sensor.head.max(sensor.hole.1);
        }
        sensor.is_dirty = true;
    }

    /// The oldest records that are held go, for a cause.
    pub fn drop_oldest(&mut self, key: SensorKey, count: u32, cause: DropCause) {
        let sensor = self.sensors.get_mut(&key).unwrap();
        let first = sensor.head;
        sensor.head += u64::from(count);
        sensor.note(cause, count);
        self.new_losses.push((key, first, count, cause, START_MS));
    }

    /// Records behind others that are pending go.
    pub fn drop_hole(&mut self, key: SensorKey, first: u64, count: u32, cause: DropCause) {
        let sensor = self.sensors.get_mut(&key).unwrap();
        sensor.hole = (first, first + u64::from(count));
        sensor.note(cause, count);
        self.new_losses.push((key, first, count, cause, START_MS));
    }

    /// An opening that does not know of the last records: their numbers are given again.
    pub fn reopen_without_last(&mut self, key: SensorKey, count: u64) {
        self.sensors.get_mut(&key).unwrap().written -= count;
        self.reopen();
    }

    pub fn set_clock(&mut self, offset_ms: i64) {
        self.new_clocks.push((self.epoch, offset_ms));
    }

    pub fn remove_from_configuration(&mut self, key: SensorKey) {
        let sensor = self.sensors.get_mut(&key).unwrap();
        (sensor.is_active, sensor.is_dirty) = (false, true);
    }

    /// An opening: the next epoch, and numbers beyond all that may have been cut.
    pub fn reopen(&mut self) {
        self.epoch += 1;
        self.lsn += 16;
        // What was only in RAM is gone and never existed.
        for sensor in self.sensors.values_mut() {
            let end = sensor.end();
            sensor.records.retain(|record| record.seq < end);
        }
        self.write_superblock(false);
    }

    pub fn shut_down(&mut self) {
        self.spill();
        self.commit();
        self.write_superblock(true);
    }

    /// Removes a segment that holds nothing any more.
    pub fn unlink(&mut self, segment: u64) {
        self.disk.remove(&name(segment, 0));
    }

    /// Writes a segment again, its live records sorted by sensor.
    pub fn squeeze(&mut self, segment: u64, keeps_source: bool) {
        let runs = self.runs[&segment].clone();
        let generation = 1;
        let mut pages: Vec<Vec<u8>> = Vec::new();
        let first_lsn = self.first_lsn(segment);
        let place = |page| Place { store_id: self.store_id, segment, generation, page };
        let new_page = |number: usize| {
            Page::new(
                first_lsn + number as u64,
                self.durable_lsn.min(first_lsn),
                START_MS,
                self.epoch,
            )
        };
        let mut page = new_page(0);
        assert!(page.framed(&self.head_body(segment, generation)));
        assert!(page.framed(&checkpoint_end_body(0)));
        pages.push(page.seal(place(0)));
        let mut page = new_page(1);
        let mut index: Vec<Run> = Vec::new();
        for &key in self.sensors.keys() {
            for run in runs.iter().filter(|run| run.key == key) {
                let mut first = run.first;
                while first < run.end {
                    if !self.sensors[&key].is_held(first) {
                        first += 1;
                        continue;
                    }
                    let live = (first..run.end).take_while(|&seq| self.sensors[&key].is_held(seq));
                    let end = first + live.count() as u64;
                    let count = self.push_records_skipping(&mut page, key, first, end);
                    if count == 0 {
                        pages.push(page.seal(place(pages.len() as u32)));
                        page = new_page(pages.len());
                        continue;
                    }
                    let number = pages.len() as u32;
                    index.push(Run { key, first, end: first + count, page: number });
                    first += count;
                }
            }
        }
        pages.push(page.seal(place(pages.len() as u32)));
        let index_page = pages.len();
        let mut page = new_page(index_page);
        push_index(&mut page, &index);
        pages.push(page.seal(place(index_page as u32)));
        let mut page = new_page(index_page + 1);
        page.framed(&footer_body(index_page as u32, &index));
        pages.push(page.seal(place(index_page as u32 + 1)));
        self.disk.edit(&name(segment, generation), |file| *file = pages.concat());
        if !keeps_source {
            self.disk.remove(&name(segment, 0));
        }
    }

    /// What a reader must find, as the golden stores' expectations have it, when these pages (segment,
    /// page) are gone.
    pub fn expectation(&self, gone: &[(u64, u32)]) -> String {
        let lost = self.records_in(gone);
        let mut text = String::new();
        for (key, sensor) in &self.sensors {
            let (head, end) = (sensor.head, sensor.end());
            let state = if sensor.is_active { "active" } else { "inactive" };
            writeln!(text, "sensor {key} {} {state} {head} {end}", kind_word(sensor.kind)).unwrap();
            for record in sensor.held() {
                if lost.contains(&(*key, record.seq)) {
                    writeln!(text, "{key} {} lost", record.seq).unwrap();
                    continue;
                }
                let Added { seq, epoch, time_ms, value } = record;
                writeln!(text, "{key} {seq} {epoch} {time_ms} {value}").unwrap();
            }
        }
        for (key, first, count, cause, _) in &self.losses {
            writeln!(text, "loss {key} {first} {count} {}", cause.name()).unwrap();
        }
        text
    }

    /// The held records that lie in these pages of unsqueezed segments.
    pub fn records_in(&self, pages: &[(u64, u32)]) -> BTreeSet<(SensorKey, u64)> {
        let mut records = BTreeSet::new();
        for (segment, page) in pages {
            for run in self.runs.get(segment).into_iter().flatten() {
                if run.page == *page {
                    let sensor = &self.sensors[&run.key];
                    let held = (run.first..run.end).filter(|&seq| sensor.is_held(seq));
                    records.extend(held.map(|seq| (run.key, seq)));
                }
            }
        }
        records
    }

    /// Whether records were written to this segment.
    pub fn has_records(&self, segment: u64) -> bool {
        self.runs.contains_key(&segment)
    }

    fn first_lsn(&self, segment: u64) -> u64 {
        let file = self.disk.files()[&name(segment, 0)][8..16].to_vec();
        u64::from_le_bytes(file.try_into().unwrap())
    }

    fn begin_page(&self) -> Page {
        Page::new(self.lsn, self.durable_lsn, START_MS, self.epoch)
    }

    /// Writes the page behind the last one, and begins the next.
    fn write_page(&mut self, page: Page) -> Page {
        let place = Place {
            store_id: self.store_id,
            segment: self.segment,
            generation: 0,
            page: self.page,
        };
        let bytes = page.seal(place);
        let (name, at) = (name(self.segment, 0), self.page as usize * PAGE_BYTES);
        self.disk.edit(&name, |file| {
            assert_eq!(file.len(), at, "pages are appended");
            file.extend(&bytes);
        });
        self.page += 1;
        self.lsn += 1;
        self.begin_page()
    }

    fn checkpoint(&mut self) {
        self.page = 0;
        let mut page = self.begin_page();
        assert!(page.framed(&self.head_body(self.segment, 0)));
        for key in self.order.clone() {
            self.sensors.get_mut(&key).unwrap().is_dirty = false;
            let (tag, fields) = self.sensor_fields(key);
            if !page.keyed(tag, key, &fields) {
                page = self.write_page(page);
                assert!(page.keyed(tag, key, &fields));
            }
        }
        for &(key, first, count, cause, at_ms) in &self.losses {
            let (tag, fields) = loss_fields(first, count, cause, at_ms);
            assert!(page.keyed(tag, key, &fields));
        }
        for &(epoch, offset_ms) in &self.clocks {
            assert!(page.framed(&clock_body(epoch, offset_ms)));
        }
        assert!(page.framed(&checkpoint_end_body(self.order.len() as u64)));
        self.write_page(page);
    }

    fn seal(&mut self) {
        let runs = self.runs.get(&self.segment).cloned().unwrap_or_default();
        let mut index = runs;
        index.sort_by_key(|run| (run.key, run.first));
        let index_page = self.page;
        let mut page = self.begin_page();
        push_index(&mut page, &index);
        let mut page = self.write_page(page);
        assert!(page.framed(&footer_body(index_page, &index)));
        self.write_page(page);
        self.commit();
    }

    fn push_records(&self, page: &mut Page, key: SensorKey, first: u64, end: u64) -> u64 {
        self.push_run(page, key, first, end, 0)
    }

    fn push_records_skipping(&self, page: &mut Page, key: SensorKey, first: u64, end: u64) -> u64 {
        let sensor = &self.sensors[&key];
        let skip = (0..first).rev().take_while(|&seq| !sensor.is_held(seq)).take(4_096).count();
        self.push_run(page, key, first, end, skip as u64)
    }

    /// Appends records of one epoch to the page, as many as fit. Returns how many.
    fn push_run(&self, page: &mut Page, key: SensorKey, first: u64, end: u64, skip: u64) -> u64 {
        let sensor = &self.sensors[&key];
        let at = sensor.records.partition_point(|record| record.seq < first);
        let epoch = sensor.records[at].epoch;
        let records = sensor.records[at..].iter();
        let records = records.take_while(|record| record.epoch == epoch && record.seq < end);
        let is_event = sensor.kind == Kind::Event;
        let bytes_each = if is_event { 8 } else { 4 };
        let fitting = page.room().saturating_sub(64) / bytes_each;
        let records: Vec<Added> = records.copied().take(fitting).collect();
        if records.is_empty() {
            return 0;
        }
        let base_ms = records[0].time_ms;
        let ext = u64::from(skip > 0) | u64::from(epoch != page.epoch) << 1;
        let form_clock = if is_event { 0xA0 } else { 0x40 };
        let mut fields = Vec::new();
        if ext != 0 {
            varint(&mut fields, ext);
        }
        varint(&mut fields, records[0].seq);
        varint(&mut fields, records.len() as u64);
        signed(&mut fields, base_ms.wrapping_sub(page.base_ms).cast_signed());
        if !is_event {
            varint(&mut fields, u64::from(sensor.period_ms));
        }
        if skip > 0 {
            varint(&mut fields, skip);
        }
        if epoch != page.epoch {
            varint(&mut fields, u64::from(epoch));
        }
        for record in &records {
            if is_event {
                let distance = record.time_ms.wrapping_sub(base_ms) as u32;
                fields.extend(distance.to_le_bytes());
            }
            fields.extend(record.value.to_le_bytes());
        }
        let tag = form_clock | if ext == 0 { 1 } else { 2 };
        assert!(page.keyed(tag, key, &fields));
        records.len() as u64
    }

    fn head_body(&self, segment: u64, generation: u8) -> Vec<u8> {
        let mut body = vec![6];
        body.extend(self.store_id);
        body.extend(segment.to_le_bytes());
        body.push(generation);
        varint(&mut body, u64::from(SEGMENT_PAGES));
        body
    }

    fn sensor_fields(&self, key: SensorKey) -> (u8, Vec<u8>) {
        let sensor = &self.sensors[&key];
        let (head, end) = (sensor.head, sensor.end());
        let has_hole = sensor.hole.0 < sensor.hole.1 && sensor.hole.1 > head;
        let has_counts = sensor.counts != [0; 6];
        let mut tag = 3;
        for (is_set, bit) in [
            (sensor.kind == Kind::Event, 0x10),
            (sensor.is_active, 0x20),
            (has_hole, 0x40),
            (has_counts, 0x80),
        ] {
            tag |= if is_set { bit } else { 0 };
        }
        let mut fields = Vec::new();
        varint(&mut fields, u64::from(sensor.period_ms));
        varint(&mut fields, head);
        varint(&mut fields, end - head);
        varint(&mut fields, if has_hole { sensor.hole.1 - sensor.hole.0 } else { 0 });
        varint(&mut fields, sensor.first_segment);
        if has_hole {
            varint(&mut fields, sensor.hole.0 - head);
            varint(&mut fields, sensor.hole.1 - sensor.hole.0);
        }
        if has_counts {
            sensor.counts.iter().for_each(|&count| varint(&mut fields, count));
        }
        (tag, fields)
    }

    fn write_superblock(&mut self, is_clean: bool) {
        self.sequence += 1;
        let mut slot = vec![0; PAGE_BYTES];
        slot[..8].copy_from_slice(b"SSTORE\r\n");
        slot[8] = 1;
        slot[9] = u8::from(is_clean);
        slot[12..16].copy_from_slice(&self.epoch.to_le_bytes());
        slot[16..32].copy_from_slice(&self.store_id);
        slot[32..36].copy_from_slice(&SEGMENT_PAGES.to_le_bytes());
        slot[36..40].copy_from_slice(&4_096_u32.to_le_bytes());
        slot[40..48].copy_from_slice(&self.sequence.to_le_bytes());
        slot[48..56].copy_from_slice(&START_MS.to_le_bytes());
        slot[56..64].copy_from_slice(&START_MS.to_le_bytes());
        let crc = crc32c_append(0, &slot[..PAGE_BYTES - 4]);
        slot[PAGE_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        let at = (self.sequence & 1) as usize * PAGE_BYTES;
        self.disk.edit("superblock", |file| {
            file.resize(2 * PAGE_BYTES, 0);
            file[at..at + PAGE_BYTES].copy_from_slice(&slot);
        });
    }

    /// How many pages the newest segment has.
    pub fn pages(&self) -> u32 {
        self.page
    }

    /// The newest segment's file.
    pub fn newest_file(&self) -> String {
        name(self.segment, 0)
    }

    /// Bytes on the disk.
    pub fn bytes(&self) -> u64 {
        let mut sum = 0;
        self.disk.list(&mut |_, bytes| sum += bytes).unwrap();
        sum
    }
}

impl SensorModel {
    fn note(&mut self, cause: DropCause, count: u32) {
        let place = match cause {
            DropCause::Rejected => 1,
            DropCause::Recycled => 2,
            DropCause::Corrupt => 3,
            DropCause::Quota => 4,
            DropCause::DiskMax => 5,
        };
        self.counts[place] += u64::from(count);
        self.is_dirty = true;
    }
}
