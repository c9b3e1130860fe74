//! Holds a store that was left against what its process said.

use super::{
    load::{Load, SENSORS, add, record, register, sensor_config},
    receipt::{Receipt, Told},
};
use crate::{
    DropCause, Kind, Record, Sensor, SensorKey,
    disk::{
        DiskError, Exported, RealDisk, RecordFilter, Records, RepairOptions, Scan, ScanError,
        Verdict, plan, repair, scan,
    },
    gateway::{Gateway, OpenError},
};
use std::{fmt, path::Path};

/// What must be there, by how the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// It was killed: what was written.
    Written,
    /// The power was cut: what was durable, and nothing else has gaps.
    Durable,
    /// The disk dropped what it could not write, and said so when it was synced: what was durable. What
    /// never was may be gone wherever it stood, and is listed; a repair enters it into the ledger.
    Synced,
}

/// A promise that was not kept, or a store that cannot be used.
#[derive(Debug)]
pub enum Breach {
    /// The store cannot be opened.
    Open(OpenError),
    /// It cannot be looked at.
    Look(ScanError),
    /// It cannot be read or written.
    Disk(DiskError),
    /// What is wrong, in a sentence.
    Promise(String),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "the store cannot be opened again: {error}"),
            Self::Look(error) => write!(f, "the store cannot be looked at: {error}"),
            Self::Disk(error) => write!(f, "the store cannot be used: {error}"),
            Self::Promise(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Breach {}

/// What a judgement found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What the next process is held to: everything that is there now.
    pub told: Told,
    /// Records that were read and held against what they must be, each twice.
    pub records: u64,
    /// Records that were added, never written, and are gone as they may be.
    pub lost_in_ram: u64,
    /// Batches that were answered, not durably, and come again as they may.
    pub back_again: u64,
}

/// Records of a sensor that are left for the next process at most.
const LEFT_MAX: usize = 1_000;
const BATCH_RECORDS: usize = 500;
/// Records of each sensor that a judge adds.
const ADDED: u64 = 5;

/// What the store holds of a sensor.
struct Held {
    /// Numbers and openings, in order.
    records: Vec<(u64, u32)>,
    /// The number that the next record gets.
    end_seq: u64,
}

impl Held {
    fn first_seq(&self) -> u64 {
        self.records.first().map_or(self.end_seq, |(seq, _)| *seq)
    }

    /// From here on every number is held. What was answered before it was ever written leaves gaps before
    /// that, and what is around them comes again until that answer, too, is durable.
    fn solid_from(&self) -> u64 {
        let held = self.records.iter().rev().zip(1..);
        let solid = held.take_while(|((seq, _), back)| seq + back == self.end_seq);
        self.end_seq - solid.count() as u64
    }
}

/// Judges the store in `path` by what was told, uses it for a moment, and leaves it as a kill would.
pub fn judge(path: &Path, told: &Told, floor: Floor, seed: u64) -> Result<Judgement, Breach> {
    let disk = RealDisk::open_shared(path).map_err(Breach::Disk)?;
    let (looked, held) = match scan(&disk) {
        // It was never opened.
        Err(ScanError::NotAStore) if told.epoch == 0 => {
            return Ok(Judgement { told: told.begun(), ..Judgement::default() });
        }
        looked => {
            let looked = looked.map_err(Breach::Look)?;
            let looked = if floor == Floor::Synced { mend(path, looked, told)? } else { looked };
            look(&disk, looked, told)?
        }
    };
    drop(disk);
    let mut judgement = Judgement::default();
    for (place, held) in held.iter().enumerate() {
        hold(place, held, &told.receipts[place], told, floor, &mut judgement)?;
        judgement.records += held.records.len() as u64;
    }
    let mut gateway = Gateway::open_dir(path, &Load::new(seed).config()).map_err(Breach::Open)?;
    if gateway.epoch() <= looked.epoch.max(told.epoch) {
        return promise(format!(
            "opening {} follows {} and {}",
            gateway.epoch(),
            looked.epoch,
            told.epoch
        ));
    }
    let lost = looked.ledger.iter().filter(|it| it.cause == DropCause::Corrupt);
    let lost = lost.map(|it| u64::from(it.count)).sum();
    own(&mut gateway, &held, lost, &mut judgement)?;
    Ok(judgement)
}

/// What a torture that goes on is held to: a store that is there already counts as it is.
pub(super) fn left_behind(path: &Path, seed: u64) -> Result<Told, Breach> {
    let disk = RealDisk::open_shared(path).map_err(Breach::Disk)?;
    let looked = match scan(&disk) {
        Err(ScanError::NotAStore) => return Ok(Told::default()),
        looked => looked.map_err(Breach::Look)?,
    };
    let mut told = Told { epoch: looked.epoch, ..Told::default() };
    for (place, receipt) in told.receipts.iter_mut().enumerate() {
        let end = looked.sensor(sensor_config(place).key).map_or(0, |sensor| sensor.end_seq);
        (receipt.may_add_seq, receipt.may_ack_seq) = (end, end);
    }
    Ok(judge(path, &told, Floor::Durable, seed)?.told)
}

fn promise<T>(text: String) -> Result<T, Breach> {
    Err(Breach::Promise(text))
}

/// Enters what a failing disk dropped into the ledger. Nothing that was durable may be part of it.
fn mend(path: &Path, looked: Scan, told: &Told) -> Result<Scan, Breach> {
    let planned = plan(&looked);
    if planned.verdict == Verdict::Sound {
        return Ok(looked);
    }
    for lost in &planned.losses {
        let place = (0..SENSORS).find(|place| sensor_config(*place).key == lost.key);
        let receipt = place.map(|place| told.receipts[place]).unwrap_or_default();
        let durable = receipt.levels.durable_seq;
        if lost.first_seq < durable && lost.end_seq() > receipt.answered() {
            return promise(format!("{lost:?} is lost, and was durable: {receipt:?}"));
        }
    }
    let owned = RealDisk::open_owned(path).map_err(Breach::Disk)?;
    let repaired = repair(&owned, &RepairOptions { now_ms: 0 });
    let repaired = repaired.map_err(|error| Breach::Promise(format!("no repair: {error}")))?;
    Ok(repaired.scan)
}

/// Reads the store as `ss inspect` and `ss export` do.
fn look(disk: &RealDisk, looked: Scan, told: &Told) -> Result<(Scan, [Held; SENSORS]), Breach> {
    let planned = plan(&looked);
    if planned.verdict != Verdict::Sound || planned.records_lost > 0 {
        let findings: Vec<_> = planned.findings.iter().map(|it| it.text.as_str()).collect();
        return promise(format!("the store is not sound: {}", findings.join("; ")));
    }
    let keys: [SensorKey; SENSORS] = core::array::from_fn(|place| sensor_config(place).key);
    let end = |place: usize| looked.sensor(keys[place]).map_or(0, |sensor| sensor.end_seq);
    let mut held: [Held; SENSORS] =
        core::array::from_fn(|place| Held { records: Vec::new(), end_seq: end(place) });
    let mut records = Records::new(disk, &looked, RecordFilter::default());
    let mut out = [Exported::default(); 256];
    loop {
        let count = records.next_records(&mut out).map_err(Breach::Disk)?;
        if count == 0 {
            break;
        }
        for Exported { key, record: found, .. } in &out[..count] {
            let Some(place) = keys.iter().position(|known| known == key) else {
                return promise(format!("a sensor {key} is there that nobody registered"));
            };
            let records = &mut held[place].records;
            if let Some((last, _)) = records.last().filter(|(last, _)| *last >= found.seq) {
                return promise(format!("sensor {key}: {} follows {last}", found.seq));
            }
            records.push((found.seq, found.epoch));
            is_true(place, found, looked.epoch.max(told.epoch))?;
        }
    }
    Ok((looked, held))
}

/// The record is the one that its opening gave this number.
fn is_true(place: usize, found: &Record, epoch_max: u32) -> Result<(), Breach> {
    let wanted = record(place, found.epoch, found.seq);
    if *found != wanted || found.epoch == 0 || found.epoch > epoch_max {
        return promise(format!("sensor {place}: {found:?} was never added: {wanted:?} was"));
    }
    Ok(())
}

fn hold(
    place: usize,
    held: &Held,
    receipt: &Receipt,
    told: &Told,
    floor: Floor,
    judgement: &mut Judgement,
) -> Result<(), Breach> {
    let (first, solid, end) = (held.first_seq(), held.solid_from(), held.end_seq);
    let levels = &receipt.levels;
    let must = match floor {
        Floor::Written => levels.written_seq.max(levels.durable_seq),
        Floor::Durable | Floor::Synced => levels.durable_seq,
    };
    let wrong = |what: String| {
        promise(format!(
            "sensor {place} holds {first}..{end}, from {solid} on without gaps, {what}; it was told \
             {receipt:?}"
        ))
    };
    // An answered record that a failing disk dropped is no loss, and then its number says nothing.
    if end < must && floor != Floor::Synced {
        return wrong(format!("and {must} is missing"));
    }
    let answered = receipt.answered();
    let has_lost = match floor {
        Floor::Written | Floor::Durable => solid > answered,
        Floor::Synced => {
            let must = held.records.iter().filter(|(seq, _)| (answered..must).contains(seq));
            (must.count() as u64) < levels.durable_seq.saturating_sub(answered)
        }
    };
    if has_lost {
        return wrong("and what is missing before that was never answered".to_owned());
    }
    if first < levels.acked_durable_seq.min(end) {
        return wrong("and its first record was answered durably: it came back".to_owned());
    }
    // A process that never came to say anything has added nothing.
    if end > receipt.may_add_seq.max(levels.added_seq) {
        return wrong("and its last one was never announced".to_owned());
    }
    if told.has_ended
        && (first, solid, end) != (levels.acked_seq, levels.acked_seq, levels.added_seq)
    {
        return wrong("and the process ended in order".to_owned());
    }
    judgement.lost_in_ram += levels.added_seq.saturating_sub(end);
    judgement.back_again += u64::from(first < levels.acked_seq);
    Ok(())
}

/// Reads the store as its owner, takes some of it, adds to it, and says where it stands.
fn own(
    gateway: &mut Gateway,
    held: &[Held; SENSORS],
    lost: u64,
    judgement: &mut Judgement,
) -> Result<(), Breach> {
    let fault = |error: &dyn fmt::Display| Breach::Promise(format!("the open store: {error}"));
    let sensors = register(gateway).map_err(|error| fault(&error))?;
    gateway.check().map_err(|error| fault(&error))?;
    let mut dropped = 0;
    for ((place, held), &sensor) in held.iter().enumerate().zip(&sensors) {
        let stats = gateway.stats(sensor).map_err(|error| fault(&error))?;
        let is_whole = stats.retained() == held.records.len() as u64
            && stats.added == held.end_seq
            && stats.is_conserved()
            && stats.dropped() == stats.dropped_corrupt;
        dropped += stats.dropped();
        if !is_whole {
            let range = held.first_seq()..held.end_seq;
            return promise(format!(
                "sensor {place}: {range:?} is there, opened it says {stats:?}"
            ));
        }
        take(gateway, sensor, place, held)?;
        for _ in 0..ADDED {
            let seq = gateway.sensor_config(sensor).map_err(|error| fault(&error))?.first_seq;
            add(gateway, sensor, place, seq).map_err(|error| fault(&error))?;
        }
    }
    if dropped != lost {
        return promise(format!("{dropped} records are counted as lost, and {lost} are listed"));
    }
    gateway.sync().map_err(Breach::Disk)?;
    gateway.check().map_err(|error| fault(&error))?;
    judgement.told.epoch = gateway.epoch();
    for ((receipt, &sensor), held) in judgement.told.receipts.iter_mut().zip(&sensors).zip(held) {
        let levels = gateway.levels(sensor).map_err(|error| fault(&error))?;
        let (added, acked) = (levels.added_seq, levels.acked_seq);
        if (levels.durable_seq, levels.acked_durable_seq) != (added, acked) {
            return promise(format!("synced, and yet {levels:?}"));
        }
        *receipt =
            Receipt { may_add_seq: added, may_ack_seq: acked.max(held.solid_from()), levels };
    }
    Ok(())
}

/// Takes a sensor's first batch, and more while there is too much; each must be what was seen.
fn take(gateway: &mut Gateway, sensor: Sensor, place: usize, held: &Held) -> Result<(), Breach> {
    let wrong = |what: String| promise(format!("sensor {place}: {what}"));
    let mut out = [Record::default(); BATCH_RECORDS];
    let mut left = held.records.iter();
    loop {
        let token = match gateway.consume(sensor, &mut out) {
            Ok(Some(token)) => token,
            Ok(None) if left.len() == 0 => return Ok(()),
            handed_out => return wrong(format!("{} are left, and {handed_out:?}", left.len())),
        };
        for found in &out[..token.count() as usize] {
            let seen = left.next().map(|&(seq, epoch)| record(place, epoch, seq));
            if seen != Some(*found) {
                return wrong(format!("{found:?} is handed out, seen was {seen:?}"));
            }
        }
        // A time series' last batch comes again, an event's is answered.
        let has_much = left.len() > LEFT_MAX;
        let is_taken = has_much || sensor_config(place).kind == Kind::Event;
        let answered = if is_taken { gateway.ack(token) } else { gateway.nack(token) };
        if answered.is_err() {
            return wrong(format!("{token:?} is stale"));
        }
        if !has_much {
            return Ok(());
        }
    }
}
