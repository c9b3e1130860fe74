//! Runs of one sensor that become one chunk.

use super::super::{
    chunk::{Form, RunCoder, RunHeader},
    page::CHUNK_ROOM_MIN,
};

/// Bytes of the codings of further runs in one chunk.
const RUN_BYTES: usize = 640;
/// Records' bytes that are joined: with their head and runs they fit into any page.
const JOINED_BYTES: usize = (CHUNK_ROOM_MIN - RUN_BYTES - 80) / 8 * 8;

/// A chunk that grows.
pub(super) struct Joined {
    header: Option<RunHeader>,
    payload: [u8; JOINED_BYTES],
    len: usize,
    codings: [u8; RUN_BYTES],
    /// The further runs: number of the record with which each begins, and its distance to the grid.
    runs: [(u32, i64); RUNS_MAX],
    run_count: usize,
    /// The time of the grid's next record, in ms.
    next_ms: u64,
}

/// Further runs of a chunk at most, and how many of them may lie any distance off the grid: a coding
/// takes 12 B, or 3 B if it is less than 64 ms.
const RUNS_MAX: usize = 130;
const LARGE_RUNS_MAX: usize = 20;
const _: () = assert!(LARGE_RUNS_MAX * 12 + (RUNS_MAX - LARGE_RUNS_MAX) * 3 + 3 <= RUN_BYTES);

impl Joined {
    pub(super) const fn new() -> Self {
        Self {
            header: None,
            payload: [0; JOINED_BYTES],
            len: 0,
            codings: [0; RUN_BYTES],
            runs: [(0, 0); RUNS_MAX],
            run_count: 0,
            next_ms: 0,
        }
    }

    /// Takes a run in, if it goes on exactly where the chunk ends and there is room.
    pub(super) fn join(&mut self, run: &RunHeader, payload: &[u8]) -> bool {
        if self.len + payload.len() > JOINED_BYTES {
            return false;
        }
        let Some(header) = self.header else {
            self.header = Some(*run);
            self.append(run, payload);
            return true;
        };
        let count = self.len / header.form.record_bytes();
        let same = RunHeader { first_seq: run.first_seq, base_ms: run.base_ms, skip: 0, ..header };
        if *run != same || header.first_seq + count as u64 != run.first_seq {
            return false;
        }
        match header.form {
            Form::Grid => {
                let off_grid_ms = run.base_ms.wrapping_sub(self.next_ms).cast_signed();
                if off_grid_ms != 0 {
                    let fits =
                        self.run_count < LARGE_RUNS_MAX || off_grid_ms.unsigned_abs() < 1 << 6;
                    if self.run_count == RUNS_MAX || !fits {
                        return false;
                    }
                    self.runs[self.run_count] = (count as u32, off_grid_ms);
                    self.run_count += 1;
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
        let mut coder = RunCoder::new(&mut self.codings);
        for &(begins, off_grid_ms) in &self.runs[..runs] {
            let has_room = coder.push(begins, off_grid_ms);
            debug_assert!(has_room, "runs were counted so that their codings fit");
        }
        Some((header, coder.finish(), &self.payload[..len]))
    }
}
