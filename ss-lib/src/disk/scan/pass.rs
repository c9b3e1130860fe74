//! One segment's pages in order: which of them are part of the log, and what is wrong with the others.

use super::{
    super::{
        chunk::Chunk,
        page::{PageFault, PageView},
    },
    BadPages, Cut, CutReason, Durable, Fault, FuturePage, PageClass, Role, Scan, SegmentScan,
    account::Account,
    survey,
};

/// One segment's pass.
pub(super) struct Pass<'a> {
    account: &'a mut Account,
    scan: &'a mut Scan,
    index: usize,
    /// Bad runs of which it is not known yet whether a page of the log follows.
    pending: Vec<BadPages>,
    index_from: Option<u32>,
    sensors_seen: u64,
    /// A checkpoint's end was read, whatever it says: it was written in full.
    saw_checkpoint_end: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn new(account: &'a mut Account, scan: &'a mut Scan, index: usize) -> Self {
        Self {
            account,
            scan,
            index,
            pending: Vec::new(),
            index_from: None,
            sensors_seen: 0,
            saw_checkpoint_end: false,
        }
    }

    pub(super) fn page(&mut self, segment: &mut SegmentScan, number: u32, page: &PageView<'_>) {
        let lsn = page.info.lsn;
        self.settle(segment, Some((number, lsn)));
        if segment.pages_valid == 0 {
            segment.first_lsn = lsn;
            segment.durable_lsn_before = page.info.durable_lsn;
        }
        segment.pages_valid += 1;
        segment.last_lsn = lsn;
        self.scan.newest_lsn = self.scan.newest_lsn.max(lsn);
        self.scan.epoch = self.scan.epoch.max(page.info.epoch);
        if segment.role != Role::Log {
            for chunk in page.chunks().flatten() {
                if let Chunk::Records(records) = chunk {
                    segment.records += u64::from(records.count);
                }
            }
            return;
        }
        self.scan.durable_lsn = self.scan.durable_lsn.max(page.info.durable_lsn);
        for chunk in page.chunks().flatten() {
            self.saw_checkpoint_end |= matches!(chunk, Chunk::CheckpointEnd { .. });
            match chunk {
                Chunk::Records(records) => {
                    let (bad, at) = (&self.scan.bad_pages, (self.index, number));
                    self.account.records(segment, bad, at, &records);
                    self.index_from = None;
                }
                Chunk::Sensor(_) => self.sensors_seen += 1,
                Chunk::CheckpointEnd { sensors } if segment.checkpoint_pages == 0 => {
                    segment.has_checkpoint = segment.has_head
                        && segment.pages_valid == number + 1
                        && sensors == self.sensors_seen;
                    if segment.has_checkpoint {
                        segment.checkpoint_pages = number + 1;
                    }
                }
                Chunk::Index(_) => {
                    self.index_from.get_or_insert(number);
                }
                Chunk::Footer(footer) => {
                    let first = footer.fields.index_page.min(number);
                    self.index_from = Some(first);
                    segment.is_sealed = survey::is_footer(page, number)
                        && number + 1 == segment.pages
                        && !self.has_bad_from(segment, first);
                }
                _ => {}
            }
        }
    }

    fn has_bad_from(&self, segment: &SegmentScan, page: u32) -> bool {
        self.scan
            .bad_pages
            .iter()
            .rev()
            .take_while(|run| run.file == segment.file)
            .any(|run| run.first_page + run.pages > page)
    }

    pub(super) fn fault(&mut self, segment: &SegmentScan, number: u32, fault: Fault) {
        let class = match fault {
            Fault::Page(PageFault::Empty) => PageClass::Empty,
            Fault::Page(PageFault::FutureVersion(version)) => {
                let page = FuturePage { file: segment.file, page: number, version };
                self.scan.future.get_or_insert(page);
                PageClass::FutureVersion(version)
            }
            Fault::Page(fault) => PageClass::Corrupt(fault),
            Fault::Checksum(_) => PageClass::Corrupt(PageFault::Checksum),
            Fault::Short | Fault::BehindEnd => PageClass::Torn,
            Fault::Stale => PageClass::Stale,
            Fault::Unreadable => PageClass::Unreadable,
        };
        if let Some(run) = self.pending.last_mut().filter(|run| run.class == class) {
            run.pages += 1;
            return;
        }
        let before = self.pending.iter().map(|run| u64::from(run.pages)).sum::<u64>();
        self.pending.push(BadPages {
            file: segment.file,
            segment: segment.segment,
            generation: segment.generation,
            first_page: number,
            pages: 1,
            class,
            durable: Durable::Unknown,
            fits_lsn: None,
            is_damage: false,
            lsn_after: if segment.pages_valid == 0 {
                before
            } else {
                segment.last_lsn.saturating_add(before)
            },
            lsn_until: None,
        });
    }

    /// Decides on the runs that wait: a page of the log follows, or the segment ends.
    fn settle(&mut self, segment: &mut SegmentScan, next: Option<(u32, u64)>) {
        for mut run in std::mem::take(&mut self.pending) {
            if let Some((number, lsn)) = next {
                let last = number - (run.first_page + run.pages - 1);
                run.lsn_until = lsn.checked_sub(u64::from(last));
                let pages = u64::from(number - run.first_page);
                let first = if segment.pages_valid == 0 {
                    lsn.checked_sub(pages)
                } else {
                    run.lsn_after
                        .checked_add(1)
                        .filter(|&first| first.checked_add(pages).is_some_and(|end| end <= lsn))
                };
                run.fits_lsn = first;
                run.is_damage = true;
                if matches!(run.class, PageClass::Empty) {
                    run.class = PageClass::Corrupt(PageFault::Empty);
                }
            }
            match run.class {
                PageClass::Empty => segment.pages_empty += run.pages,
                PageClass::Torn => segment.pages_torn += run.pages,
                PageClass::Stale => segment.pages_stale += run.pages,
                _ => segment.pages_corrupt += run.pages,
            }
            // What is not of the log explains no loss in it, and is not mended.
            if segment.role == Role::Log {
                self.account.bad_places.push((self.index, run.first_page));
                self.scan.bad_pages.push(run);
            }
        }
    }

    pub(super) fn end(&mut self, segment: &mut SegmentScan) {
        let tail_from = self.pending.first().map(|run| run.first_page);
        let has_index = self.index_from.is_some() && !segment.is_sealed;
        if has_index {
            // An index without its footer, or with a bad page in it.
            let from_page = self.index_from.unwrap_or(segment.pages);
            let why = CutReason::IndexBad;
            segment.tail_cut = Some(Cut { from_page, why });
        } else if let Some(from_page) = tail_from {
            let is_stale = self.pending.iter().any(|run| run.class == PageClass::Stale);
            let why = if is_stale { CutReason::Stale } else { CutReason::Torn };
            if segment.pages_valid > 0 {
                segment.tail_cut = Some(Cut { from_page, why });
            }
        }
        for run in &mut self.pending {
            match run.class {
                PageClass::Unreadable => run.is_damage = true,
                PageClass::Corrupt(_) if has_index => run.is_damage = true,
                PageClass::Corrupt(_) if segment.pages_valid > 0 => run.class = PageClass::Torn,
                _ => {}
            }
        }
        self.settle(segment, None);
        if segment.pages_valid == 0 && segment.role == Role::Log && segment.pages > 0 {
            segment.role = Role::Unreadable;
            segment.misplaced = None;
        }
        let end = self.index_from.unwrap_or(segment.pages_valid).min(segment.pages);
        segment.index_pages = self.index_from.map_or(0, |from| segment.pages - from);
        segment.data_pages = end.saturating_sub(segment.checkpoint_pages);
        let holds_nothing = !segment.has_checkpoint
            && segment.records == 0
            && (self.index > self.account.state_index || self.scan.state_segment.is_none());
        if holds_nothing
            && matches!(segment.role, Role::Log)
            && self.index + 1 == self.scan.segments.len()
            && (self.scan.state_segment.is_some() || (self.index == 0 && !self.saw_checkpoint_end))
        {
            segment.role = Role::CreationCut;
            segment.misplaced = None;
        }
    }
}

/// An index without its footer is a cut seal where the segment behind it was begun while that index was not
/// durable: the sync that ends a seal had failed.
pub(super) fn finish_failed_seals(scan: &mut Scan) {
    let mut durable_lsn = u64::MAX;
    for segment in scan.segments.iter_mut().rev().filter(|segment| segment.role == Role::Log) {
        let has_failed = !segment.has_footer
            && segment.generation == 0
            && segment.pages_valid == segment.pages
            && durable_lsn <= segment.last_lsn;
        if let Some(Cut { why: why @ CutReason::IndexBad, .. }) = &mut segment.tail_cut
            && has_failed
        {
            *why = CutReason::SealCut;
        }
        durable_lsn = segment.durable_lsn_before;
    }
}

/// An index without its footer is a cut seal in the newest segment, and damage in any other.
pub(super) fn finish_newest(scan: &mut Scan) {
    let newest = scan.segments.iter_mut().rev().find(|segment| segment.role == Role::Log);
    let Some(newest) = newest.filter(|newest| !newest.has_footer) else { return };
    if let Some(Cut { why: why @ CutReason::IndexBad, from_page }) = &mut newest.tail_cut {
        let behind = |run: &&mut BadPages| {
            run.file == newest.file && run.first_page >= *from_page && run.lsn_until.is_none()
        };
        for run in scan.bad_pages.iter_mut().filter(behind) {
            if let PageClass::Corrupt(_) = run.class {
                (run.class, run.is_damage) = (PageClass::Torn, false);
                newest.pages_corrupt -= run.pages;
                newest.pages_torn += run.pages;
            }
        }
        *why = CutReason::SealCut;
    }
}

/// What is known only when every page was read: how far the log had been durable.
pub(super) fn finish_bad_pages(scan: &mut Scan) {
    let durable = scan.durable_lsn;
    for run in &mut scan.bad_pages {
        run.durable = match run.lsn_until {
            Some(until) if until < durable => Durable::Yes,
            _ if run.lsn_after.saturating_add(1) >= durable => Durable::No,
            Some(_) => Durable::Unknown,
            None => Durable::Yes,
        };
    }
}
