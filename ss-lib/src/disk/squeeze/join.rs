//! Runs of one sensor that become one chunk.

use super::super::{
    chunk::{Form, RunCoder, RunHeader},
    page::CHUNK_ROOM_MIN,
};

/// Bytes of the codings of further runs in one chunk.
const RUN_BYTES: usize = 1_024;
/// Further runs of a chunk at most.
const RUNS_MAX: usize = 256;
/// A chunk's head and its length in front take at most so much.
const HEAD_BYTES: usize = 64;
/// Records' bytes that are joined at most.
const JOINED_BYTES: usize = (CHUNK_ROOM_MIN - HEAD_BYTES) / 8 * 8;
/// What is left of a page is not worth a chunk if it is less.
const ROOM_MIN: usize = 2 * HEAD_BYTES;

/// A chunk that grows until it fills the page that it will stand in.
pub(super) struct Joined {
    header: Option<RunHeader>,
    /// Bytes of records and codings that the page has room for.
    limit: usize,
    payload: [u8; JOINED_BYTES],
    len: usize,
    codings: [u8; RUN_BYTES],
    /// The further runs: number of the record with which each begins, and its distance to the grid.
    runs: [(u32, i64); RUNS_MAX],
    run_count: usize,
    /// Bytes of their codings.
    codings_len: usize,
    /// The time of the grid's next record, in ms.
    next_ms: u64,
}

impl Joined {
    pub(super) const fn new() -> Self {
        Self {
            header: None,
            limit: 0,
            payload: [0; JOINED_BYTES],
            len: 0,
            codings: [0; RUN_BYTES],
            runs: [(0, 0); RUNS_MAX],
            run_count: 0,
            codings_len: 0,
            next_ms: 0,
        }
    }

    /// Takes a run in, if it goes on exactly where the chunk ends and there is room. A chunk that is begun
    /// by it gets the `room` of the page, or that of an empty one if little is left.
    pub(super) fn join(&mut self, run: &RunHeader, payload: &[u8], room: usize) -> bool {
        let Some(header) = self.header else {
            let room = if room < ROOM_MIN { CHUNK_ROOM_MIN } else { room.min(CHUNK_ROOM_MIN) };
            self.limit = room - HEAD_BYTES;
            if payload.len() > self.limit.min(JOINED_BYTES) {
                return false;
            }
            self.header = Some(*run);
            self.append(run, payload);
            return true;
        };
        let used = self.len + payload.len();
        if used > JOINED_BYTES || used + self.codings_len > self.limit {
            return false;
        }
        let count = self.len / header.form.record_bytes();
        let same = RunHeader { first_seq: run.first_seq, base_ms: run.base_ms, skip: 0, ..header };
        if *run != same || header.first_seq + count as u64 != run.first_seq {
            return false;
        }
        match header.form {
            Form::Grid => {
                let off_grid_ms = run.base_ms.wrapping_sub(self.next_ms).cast_signed();
                if off_grid_ms != 0 {
                    let last = self.run_count.checked_sub(1).map_or(0, |last| self.runs[last].0);
                    let coding = RunCoder::coding_len(count as u32 - last, off_grid_ms);
                    let codings = self.codings_len + coding;
                    let has_room = codings + RunCoder::COUNT_BYTES <= RUN_BYTES
                        && used + codings <= self.limit;
                    if self.run_count == RUNS_MAX || !has_room {
                        return false;
                    }
                    self.runs[self.run_count] = (count as u32, off_grid_ms);
                    self.run_count += 1;
                    self.codings_len = codings;
                }
                self.append(run, payload);
                true
            }
            Form::Stamped | Form::Event => self.append_rebased(&header, run, payload),
        }
    }

    fn append(&mut self, run: &RunHeader, payload: &[u8]) {
        self.payload[self.len..self.len + payload.len()].copy_from_slice(payload);
        self.len += payload.len();
        let records = (payload.len() / run.form.record_bytes()) as u64;
        self.next_ms = run.base_ms.wrapping_add(records * u64::from(run.period_ms));
    }

    /// Times are distances to the chunk's base, which is another one than the run's.
    fn append_rebased(&mut self, header: &RunHeader, run: &RunHeader, payload: &[u8]) -> bool {
        let shift_ms = run.base_ms.wrapping_sub(header.base_ms).cast_signed();
        let before = self.len;
        for record in payload.chunks_exact(8) {
            let delta = i32::from_le_bytes([record[0], record[1], record[2], record[3]]);
            let distance_ms = i64::from(delta).checked_add(shift_ms);
            let Some(Ok(delta)) = distance_ms.map(i32::try_from) else {
                self.len = before;
                return false;
            };
            self.payload[self.len..self.len + 4].copy_from_slice(&delta.to_le_bytes());
            self.payload[self.len + 4..self.len + 8].copy_from_slice(&record[4..]);
            self.len += 8;
        }
        true
    }

    /// The chunk as it is, its further runs coded; the next run begins another one.
    pub(super) fn take(&mut self) -> Option<(RunHeader, &[u8], &[u8])> {
        let header = self.header.take()?;
        let len = core::mem::take(&mut self.len);
        let runs = core::mem::take(&mut self.run_count);
        self.codings_len = 0;
        let mut coder = RunCoder::new(&mut self.codings);
        for &(begins, off_grid_ms) in &self.runs[..runs] {
            let has_room = coder.push(begins, off_grid_ms);
            debug_assert!(has_room, "runs were counted so that their codings fit");
        }
        Some((header, coder.finish(), &self.payload[..len]))
    }
}

#[cfg(test)]
mod tests;
