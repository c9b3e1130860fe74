//! What a process says of itself, a line each.

use super::load::SENSORS;
use crate::Levels;

/// What was said of one sensor last. Ends of ranges of record numbers, as in [`Levels`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// It will not add beyond.
    pub may_add_seq: u64,
    /// It will not answer beyond.
    pub may_ack_seq: u64,
    /// What the store said.
    pub levels: Levels,
}

impl Receipt {
    /// Up to here the cloud may have everything.
    pub(super) const fn answered(&self) -> u64 {
        let acked_seq = self.levels.acked_seq;
        if self.may_ack_seq > acked_seq { self.may_ack_seq } else { acked_seq }
    }
}

/// What a process said until it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Of each sensor.
    pub receipts: [Receipt; SENSORS],
    /// The newest opening that is known of.
    pub epoch: u32,
    /// This process has opened the store.
    pub has_opened: bool,
    /// It ended in order.
    pub has_ended: bool,
}

/// `open EPOCH`
pub(super) fn opened(epoch: u32) -> String {
    format!("open {epoch}\n")
}

/// `answer PLACE END`
pub(super) fn answers(place: usize, end_seq: u64) -> String {
    format!("answer {place} {end_seq}\n")
}

/// `levels PLACE MAY_ADD ADDED WRITTEN DURABLE ACKED ACKED_DURABLE`
pub(super) fn levels(place: usize, may_add_seq: u64, levels: &Levels) -> String {
    let Levels { added_seq, written_seq, durable_seq, acked_seq, acked_durable_seq } = levels;
    format!(
        "levels {place} {may_add_seq} {added_seq} {written_seq} {durable_seq} {acked_seq} \
         {acked_durable_seq}\n"
    )
}

/// `end`
pub(super) const ENDED: &str = "end\n";

impl Told {
    /// What the next process begins with.
    pub(super) const fn begun(self) -> Self {
        Self { has_opened: false, has_ended: false, ..self }
    }

    /// Adds what a process printed. Its last line may be cut; anything else that is none of the lines is
    /// given back.
    pub fn read<'a>(&mut self, output: &'a str) -> Result<(), &'a str> {
        let whole = &output[..output.rfind('\n').map_or(0, |end| end + 1)];
        for line in whole.lines() {
            self.line(line).ok_or(line)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut numbers = rest.split(' ').map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        match word {
            "open" => {
                self.epoch = u32::try_from(next()?).ok()?;
                self.has_opened = true;
            }
            "answer" => {
                let receipt = self.receipts.get_mut(usize::try_from(next()?).ok()?)?;
                receipt.may_ack_seq = receipt.may_ack_seq.max(next()?);
            }
            "levels" => {
                let receipt = self.receipts.get_mut(usize::try_from(next()?).ok()?)?;
                receipt.may_add_seq = next()?;
                receipt.levels = Levels {
                    added_seq: next()?,
                    written_seq: next()?,
                    durable_seq: next()?,
                    acked_seq: next()?,
                    acked_durable_seq: next()?,
                };
            }
            "end" => self.has_ended = true,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Told, answers, levels, opened};
    use crate::Levels;

    #[test]
    fn a_process_is_understood_up_to_its_last_whole_line() {
        let said = Levels {
            added_seq: 9,
            written_seq: 8,
            durable_seq: 7,
            acked_seq: 6,
            acked_durable_seq: u64::MAX,
        };
        let text = opened(4) + &levels(2, 100, &said) + &answers(2, 7) + "levels 2 100 10 10 1";
        let mut told = Told::default();
        assert_eq!(told.read(&text), Ok(()));
        assert!(told.has_opened && !told.has_ended && told.epoch == 4);
        let receipt = told.receipts[2];
        assert_eq!((receipt.may_add_seq, receipt.may_ack_seq, receipt.levels), (100, 7, said));
        assert_eq!(told.read("end\n"), Ok(()));
        assert!(told.has_ended);
        for nonsense in
            ["levels 8 1 1 1 1 1 1\n", "levels 1 1 1\n", "open x\n", "thread panicked\n"]
        {
            assert_eq!(told.read(nonsense), Err(nonsense.trim_end()));
        }
    }
}
