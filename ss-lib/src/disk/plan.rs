//! What a scan means: whether the store is sound, and what a repair would do. A pure function.

mod action;
mod verdict;

pub(super) use action::count;
pub use action::{Action, SetAside};
pub use verdict::{Finding, MissingSegments, Severity, Unusable, Verdict};

use super::{
    io::FileName,
    scan::{
        CutReason, LostPlace, LostRange, MISPLACED_SUFFIX, PageClass, Role, Scan, SegmentScan,
        SlotScan,
    },
    superblock::SUPERBLOCK_FILE,
};
use std::collections::BTreeSet;

/// What a repair would do, and why.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The store's state in a word: what `verify` answers.
    pub verdict: Verdict,
    /// What a repair does, in this order.
    pub actions: Vec<Action>,
    /// What was found, a sentence each, damage first.
    pub findings: Vec<Finding>,
    /// What is lost and not in the ledger yet: a repair enters it.
    pub losses: Vec<LostRange>,
    /// Records in them, and in further ranges that are not listed.
    pub records_lost: u64,
    /// Segments that should be there: records are lost with them.
    pub missing: Vec<MissingSegments>,
}

/// Decides what a scan means.
pub fn plan(scan: &Scan) -> Plan {
    let listed = scan.lost.iter().fold(0_u64, |sum, lost| sum.saturating_add(lost.count));
    let mut plan = Plan {
        verdict: Verdict::Sound,
        actions: Vec::new(),
        findings: Vec::new(),
        losses: scan.lost.clone(),
        records_lost: listed.saturating_add(scan.lost_unlisted),
        missing: missing(scan),
    };
    let unusable = match (scan.future, scan.identity) {
        (Some(page), _) => Some(Unusable::FutureVersion(page)),
        (None, None) => Some(Unusable::NoReadablePage),
        (None, Some(_)) => None,
    };
    if let Some(unusable) = unusable {
        plan.find(Severity::Damage, unusable.to_string());
        plan.verdict = Verdict::Unusable(unusable);
        return plan;
    }
    plan.files(scan);
    plan.ledger(scan);
    plan.pages(scan);
    plan.tails(scan);
    plan.superblock(scan);
    plan.notes(scan);
    plan.findings.sort_by_key(|finding| finding.severity != Severity::Damage);
    if plan.findings.iter().any(|finding| finding.severity == Severity::Damage) {
        plan.verdict = Verdict::Damaged;
    }
    plan
}

fn missing(scan: &Scan) -> Vec<MissingSegments> {
    let mut missing: Vec<MissingSegments> = Vec::new();
    for lost in &scan.lost {
        let LostPlace::Segments { first, count } = lost.place else { continue };
        match missing.iter_mut().find(|entry| entry.first == first && entry.count == count) {
            Some(entry) => entry.records_lost = entry.records_lost.saturating_add(lost.count),
            None => missing.push(MissingSegments { first, count, records_lost: lost.count }),
        }
    }
    missing.sort_unstable_by_key(|entry| entry.first);
    missing
}

/// The name that the file has once the plan's renames are done.
fn final_name(segment: &SegmentScan) -> FileName {
    segment.misplaced.unwrap_or(segment.file)
}

impl Plan {
    fn find(&mut self, severity: Severity, text: String) {
        self.findings.push(Finding { severity, text });
    }

    /// Whole files: those that are not part of the log, and those under a wrong name.
    fn files(&mut self, scan: &Scan) {
        let newest = scan.segments.last().map(|segment| segment.segment);
        for segment in &scan.segments {
            let file = segment.file;
            let (why, severity) = match segment.role {
                Role::Log => continue,
                Role::SqueezeCut => (SetAside::SqueezeCut, Severity::Note),
                Role::SqueezeSource => (SetAside::SqueezeSource, Severity::Note),
                Role::CreationCut => (SetAside::CreationCut, Severity::Note),
                Role::Duplicate => (SetAside::Duplicate, Severity::Damage),
                Role::OtherStore(_) => (SetAside::OtherStore, Severity::Damage),
                // A creation that was cut so early that nothing of it can be read.
                Role::Unreadable
                    if Some(segment.segment) == newest
                        && segment.pages <= super::SECTOR_PAGES as u32
                        && (scan.state_segment.is_some() || scan.segments.len() == 1)
                        && self.records_lost == 0 =>
                {
                    (SetAside::Unreadable, Severity::Note)
                }
                Role::Unreadable => (SetAside::Unreadable, Severity::Damage),
            };
            self.find(severity, format!("{file} {}", why.text()));
            self.actions.push(Action::SetAside { file, why });
        }
        for file in misnumbered(scan) {
            let why = SetAside::Misnumbered;
            self.find(Severity::Damage, format!("{file} {}", why.text()));
            self.actions.push(Action::SetAside { file, why });
        }
        for (file, name) in misplaced(scan) {
            self.find(Severity::Damage, format!("{file} holds what should be in {name}"));
        }
        self.actions.extend(renames(scan));
    }

    /// A new segment whose checkpoint says what is known now.
    fn ledger(&mut self, scan: &Scan) {
        let undefined = scan.sensors.iter().filter(|sensor| !sensor.is_defined).count() as u64;
        let unbalanced = scan.sensors.iter().filter(|sensor| !sensor.is_conserved).count() as u64;
        if self.records_lost > 0 {
            let sensors = scan.sensors.iter().filter(|sensor| sensor.lost > 0).count() as u64;
            let text = format!(
                "lost and not in the ledger: {} of {}",
                count(self.records_lost, "record"),
                count(sensors, "sensor")
            );
            self.find(Severity::Damage, text);
        }
        if scan.is_checkpoint_damaged {
            let text = "the newest checkpoint cannot be read in full: the sensors' cursors are those \
                        of an earlier one, moved on by what the log says after it, and records that were \
                        erased since may come again";
            self.find(Severity::Damage, text.to_owned());
        }
        if undefined > 0 {
            let text = format!("known from their records alone: {}", count(undefined, "sensor"));
            self.find(Severity::Damage, text);
        }
        if unbalanced > 0 {
            let text = format!("counts that do not add up: {}", count(unbalanced, "sensor"));
            self.find(Severity::Damage, text);
        }
        if self.records_lost > 0 || scan.is_checkpoint_damaged || undefined + unbalanced > 0 {
            let newest = scan.segments.iter().map(|segment| segment.segment).max();
            self.actions.push(Action::WriteCheckpoint {
                segment: newest.map_or(0, |newest| newest.saturating_add(1)),
                losses: scan.lost.len() as u64,
                records: self.records_lost,
            });
        }
    }

    /// Bad pages in the midst of the log.
    fn pages(&mut self, scan: &Scan) {
        let aside: BTreeSet<FileName> = misnumbered(scan).collect();
        for run in scan.bad_pages.iter().filter(|run| run.is_damage) {
            let Some(segment) = scan.segments.iter().find(|segment| segment.file == run.file)
            else {
                continue;
            };
            if segment.role != Role::Log || aside.contains(&run.file) {
                continue;
            }
            let last = run.first_page + run.pages - 1;
            let pages = match run.pages {
                1 => format!("page {}", run.first_page),
                _ => format!("pages {} to {last}", run.first_page),
            };
            let text =
                format!("{} {pages}: {}; {}", run.file, class_text(run.class), run.durable.text());
            self.find(Severity::Damage, text);
            let is_cut = segment.tail_cut.is_some_and(|cut| run.first_page >= cut.from_page);
            if let (false, Some(first_lsn)) = (is_cut, run.fits_lsn) {
                self.actions.push(Action::ReplacePages {
                    file: final_name(segment),
                    segment: run.segment,
                    generation: run.generation,
                    first_page: run.first_page,
                    pages: run.pages,
                    first_lsn,
                    class: run.class,
                });
            }
        }
    }

    /// Ends that go.
    fn tails(&mut self, scan: &Scan) {
        let aside: BTreeSet<FileName> = misnumbered(scan).collect();
        for segment in scan.log().filter(|segment| !aside.contains(&segment.file)) {
            let Some(cut) = segment.tail_cut else { continue };
            let pages = segment.pages.saturating_sub(cut.from_page);
            let file = final_name(segment);
            let severity = match cut.why {
                CutReason::IndexBad => Severity::Damage,
                CutReason::Torn | CutReason::Stale | CutReason::SealCut => Severity::Note,
            };
            let from = cut.from_page;
            self.find(severity, format!("{file} from page {from} on: {}", cut.why.text()));
            self.actions.push(Action::Cut { file, from_page: from, pages, why: cut.why });
        }
    }

    fn superblock(&mut self, scan: &Scan) {
        let Some(superblock) = scan.superblock else {
            let text = if scan.foreign_superblock.is_some() {
                let (file, why) = (FileName::new(SUPERBLOCK_FILE), SetAside::OtherStore);
                self.actions.push(Action::SetAside { file, why });
                "the superblock belongs to another store; the segments' first pages say which store it is"
            } else {
                "the superblock is lost; the segments' first pages say which store it is"
            };
            self.find(Severity::Damage, text.to_owned());
            self.actions.extend([0, 1].map(|slot| Action::WriteSuperblock { slot }));
            return;
        };
        let is_old = scan.epoch > superblock.epoch;
        if is_old {
            let text = format!(
                "the superblock names opening {}, and pages are of opening {}: its newest slot is lost",
                superblock.epoch, scan.epoch
            );
            self.find(Severity::Damage, text);
        }
        let missing = scan.pages_missing_at_end();
        if missing > 0 {
            let text = format!(
                "the store was closed in order, and of what it wrote before {} at the end of the log \
                 cannot be found: what was in there is not known, and what was erased may come again",
                count(missing, "page")
            );
            self.find(Severity::Damage, text);
        }
        let valid = (superblock.sequence & 1) as u8;
        let other = scan.slots[usize::from(1 - valid)];
        let is_bad = match other {
            SlotScan::Valid(_) => false,
            SlotScan::Bad | SlotScan::Future(_) => true,
            // The first write of a store's life leaves the other slot as it is.
            SlotScan::Empty | SlotScan::Missing => superblock.sequence > 1,
        };
        if is_bad {
            let text = format!("slot {} of the superblock cannot be read", 1 - valid);
            self.find(Severity::Note, text);
        }
        if is_bad || is_old || missing > 0 {
            self.actions.push(Action::WriteSuperblock { slot: 1 - valid });
        }
    }

    fn notes(&mut self, scan: &Scan) {
        for file in &scan.foreign {
            let text = format!("{:?} is none of the store's files; it is left alone", file.name);
            self.find(Severity::Note, text);
        }
        if scan.sensors_beyond_limit > 0 {
            let text = format!(
                "{} of sensors beyond the first {}: not counted",
                count(scan.sensors_beyond_limit, "chunk"),
                super::scan::SENSORS_MAX
            );
            self.find(Severity::Note, text);
        }
        for segment in scan.log().filter(|segment| segment.is_longer_than_read()) {
            let text = format!(
                "{} is longer than any segment: nothing behind its first {} is read",
                segment.file,
                count(u64::from(segment.pages), "page")
            );
            self.find(Severity::Note, text);
        }
        if scan.sensors.is_empty() {
            let text = match scan.superblock {
                Some(superblock) if superblock.is_clean => {
                    "no sensor was ever written to this store"
                }
                _ if scan.segments.is_empty() => {
                    "there is no segment: either nothing was ever written, or all of it is gone"
                }
                _ => "no sensor is found in this store",
            };
            self.find(Severity::Note, text.to_owned());
        }
    }
}

/// Files with a bad page in whose place no number fits: whoever wrote them was not this engine.
fn misnumbered(scan: &Scan) -> impl Iterator<Item = FileName> {
    let mut last = None;
    let files =
        scan.segments.iter().filter(|segment| segment.role == Role::Log).filter(|segment| {
            let cut = segment.tail_cut.map_or(u32::MAX, |cut| cut.from_page);
            scan.bad_pages.iter().any(|run| {
                run.file == segment.file
                    && run.is_damage
                    && run.fits_lsn.is_none()
                    && run.first_page < cut
            })
        });
    files.map(|segment| segment.file).filter(move |&file| last.replace(file) != Some(file))
}

/// Segments under a wrong name, and the name that is theirs.
fn misplaced(scan: &Scan) -> impl Iterator<Item = (FileName, FileName)> {
    let aside: BTreeSet<FileName> = misnumbered(scan).collect();
    scan.log()
        .filter(move |segment| !aside.contains(&segment.file))
        .filter_map(|segment| segment.misplaced.map(|name| (segment.file, name)))
}

/// Renames that bring every misplaced segment to its name, each possible when its turn comes.
fn renames(scan: &Scan) -> Vec<Action> {
    let aside: BTreeSet<FileName> = misnumbered(scan).collect();
    let mut taken: BTreeSet<FileName> =
        scan.log().map(|segment| segment.file).filter(|file| !aside.contains(file)).collect();
    let mut waiting: Vec<(FileName, FileName)> = misplaced(scan).collect();
    let mut actions = Vec::new();
    while !waiting.is_empty() {
        if let Some(place) = waiting.iter().position(|(_, to)| !taken.contains(to)) {
            let (from, to) = waiting.swap_remove(place);
            taken.remove(&from);
            taken.insert(to);
            actions.push(Action::GiveName { from, to });
        } else {
            // A ring: one of them makes room.
            let from = waiting[0].0;
            let to = FileName::new(&format!("{from}{MISPLACED_SUFFIX}"));
            taken.remove(&from);
            taken.insert(to);
            waiting[0].0 = to;
            actions.push(Action::GiveName { from, to });
        }
    }
    actions
}

fn class_text(class: PageClass) -> String {
    use super::page::PageFault;
    match class {
        PageClass::Corrupt(PageFault::Checksum) => "corrupt, wrong checksum".to_owned(),
        PageClass::Corrupt(PageFault::Magic) => "corrupt, no page at all".to_owned(),
        PageClass::Corrupt(PageFault::Empty) => "corrupt, all zeros".to_owned(),
        PageClass::Corrupt(PageFault::Content) => "right checksum, impossible content".to_owned(),
        class => class.name().to_owned(),
    }
}
