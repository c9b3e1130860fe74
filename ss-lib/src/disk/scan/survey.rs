//! Asks every file which segment of which store it is, and decides which of several files of one
//! segment counts.

use super::{
    super::{
        chunk::{Chunk, ChunkReader, Head},
        io::{Disk, DiskError, FileName, Operation, read_exact_at},
        page::{MAGIC, MAGIC_AT, PAGE_BYTES, PageFault, PageView, SegmentSeed},
        superblock::{SUPERBLOCK_FILE, Slot, Superblock},
        {FILE_PAGES_MAX, SEGMENT_PAGES_MAX, SEGMENT_PAGES_MIN},
    },
    Fault, ForeignFile, FuturePage, Identity, IdentitySource, PageReader, Role, Scan, ScanError,
    SegmentScan, SlotScan,
};
use std::{collections::BTreeMap, io};

/// Files of a store that a scan does not read.
const OTHER_FILES: [&str; 2] = [super::super::real::LOCK_FILE, "reserve"];
/// How segments' names end.
const SEGMENT_SUFFIX: &str = ".seg";
/// What a repair puts behind a segment's name while two files change names.
pub(crate) const MISPLACED_SUFFIX: &str = ".misplaced";

#[derive(Clone)]
struct File {
    name: FileName,
    bytes: u64,
    named: Option<(u64, u8)>,
    head: Option<Head>,
    /// The page behind the head is no page of the segment that the head names.
    is_head_alone: bool,
}

/// Lists the files and gives each segment its role, as far as first and last pages say it.
pub(super) fn survey<D: Disk>(disk: &D) -> Result<Scan, ScanError> {
    let mut scan = Scan::default();
    let mut files = Vec::new();
    let mut has_superblock = false;
    let listed = disk.list(&mut |name, bytes| {
        if name == SUPERBLOCK_FILE {
            has_superblock = true;
        } else if !OTHER_FILES.contains(&name) {
            let named = FileName::segment(name);
            let short = FileName::new(name);
            let looks_like_one = name.ends_with(SEGMENT_SUFFIX) || name.ends_with(MISPLACED_SUFFIX);
            if named.is_some() || (looks_like_one && short.as_str() == name) {
                files.push(File { name: short, bytes, named, head: None, is_head_alone: true });
            } else {
                scan.foreign.push(ForeignFile { name: name.to_owned(), bytes });
            }
        }
    });
    listed.map_err(|error| DiskError::new(Operation::List, ".", error))?;
    if has_superblock {
        read_slots(disk, &mut scan)?;
    }
    let mut reader = PageReader::new(disk);
    for file in &mut files {
        file.head = read_head(&mut reader, file)?;
        file.is_head_alone = is_head_alone(&mut reader, file)?;
    }
    // A creation that was cut leaves a superblock that was never written: the next opening begins anew.
    let is_written =
        scan.slots.iter().any(|slot| !matches!(slot, SlotScan::Missing | SlotScan::Empty));
    if !is_written && files.iter().all(|file| file.named.is_none() && file.head.is_none()) {
        return Err(ScanError::NotAStore);
    }
    files.sort_unstable_by_key(|file| file.name);
    forget_strange_heads(&mut reader, &scan, &mut files)?;
    suspect_superblock(&mut scan, &files);
    if scan.foreign_superblock.is_some() {
        forget_strange_heads(&mut reader, &scan, &mut files)?;
    }
    scan.identity = identify(&scan, &files);
    place(&mut scan, &files);
    if let Some(identity) = scan.identity {
        for index in 0..scan.segments.len() {
            let (is_footer, future) = last_page(&mut reader, &scan.segments[index], &identity)?;
            let segment = &mut scan.segments[index];
            segment.has_footer = is_footer;
            scan.future = scan.future.or(future);
            // A power cut while the footer was written: its bytes came, and the file's size ran ahead of
            // them. What stands behind a footer is nothing.
            let has_rest = !segment.bytes.is_multiple_of(PAGE_BYTES as u64);
            if !is_footer && has_rest && segment.pages > 1 {
                let whole = SegmentScan { pages: segment.pages - 1, ..*segment };
                if last_page(&mut reader, &whole, &identity)?.0 {
                    *segment = SegmentScan { has_footer: true, ..whole };
                }
            }
        }
    }
    choose_generations(&mut scan.segments);
    scan.foreign.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(scan)
}

fn read_slots<D: Disk>(disk: &D, scan: &mut Scan) -> Result<(), DiskError> {
    let fail = |operation| move |error| DiskError::new(operation, SUPERBLOCK_FILE, error);
    let file = disk.open(SUPERBLOCK_FILE).map_err(fail(Operation::Open))?;
    for (number, slot) in scan.slots.iter_mut().enumerate() {
        let mut bytes = [0; PAGE_BYTES];
        let offset = (number * PAGE_BYTES) as u64;
        *slot = match read_exact_at(disk, &file, &mut bytes, offset) {
            Ok(()) => match Slot::decode(&bytes) {
                // A slot in the other's place is not the one that was written there.
                Slot::Valid(superblock) if superblock.offset() != offset => SlotScan::Bad,
                Slot::Valid(superblock) => SlotScan::Valid(superblock),
                Slot::Empty => SlotScan::Empty,
                Slot::Bad => SlotScan::Bad,
                Slot::Future(version) => {
                    let page = number as u32;
                    scan.future =
                        Some(FuturePage { file: FileName::new(SUPERBLOCK_FILE), page, version });
                    SlotScan::Future(version)
                }
            },
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => SlotScan::Missing,
            Err(_) => SlotScan::Bad,
        };
    }
    let valid = scan.slots.iter().filter_map(|slot| match slot {
        SlotScan::Valid(superblock) => Some(*superblock),
        _ => None,
    });
    scan.superblock = valid.max_by_key(|superblock: &Superblock| superblock.sequence);
    scan.epoch = scan.superblock.map_or(0, |superblock| superblock.epoch);
    Ok(())
}

/// What the first page says of itself, if its checksum is right for just that.
fn read_head<D: Disk>(
    reader: &mut PageReader<'_, D>,
    file: &File,
) -> Result<Option<Head>, DiskError> {
    let opened = reader.open(file.name)?;
    let Ok(page) = reader.page(&opened, 0) else { return Ok(None) };
    Ok(head_of(page))
}

pub(crate) fn head_of(page: &[u8; PAGE_BYTES]) -> Option<Head> {
    if page[MAGIC_AT] != MAGIC {
        return None;
    }
    let Chunk::Head(claimed) = PageView::parse_unchecked(page)?.chunks().next()?.ok()? else {
        return None;
    };
    let seed = SegmentSeed::new(&claimed.store_id, claimed.segment, claimed.generation);
    PageView::check(page, seed, 0).is_ok().then_some(claimed)
}

/// One superblock against every first page that can be read: then it is the superblock that came from
/// elsewhere, and not all of the segments.
fn suspect_superblock(scan: &mut Scan, files: &[File]) {
    let Some(superblock) = scan.superblock else { return };
    let mut heads = files.iter().filter_map(|file| file.head).peekable();
    if heads.peek().is_some() && heads.all(|head| head.store_id != superblock.store_id) {
        scan.foreign_superblock = scan.superblock.take();
        scan.slots = [SlotScan::Missing; 2];
        scan.epoch = 0;
    }
}

fn forget_strange_heads<D: Disk>(
    reader: &mut PageReader<'_, D>,
    scan: &Scan,
    files: &mut [File],
) -> Result<(), DiskError> {
    let Some(identity) = identify(scan, files) else { return Ok(()) };
    for file in files {
        if has_strange_head(reader, file, &identity)? {
            file.head = None;
        }
    }
    Ok(())
}

/// Whether the first page is another file's, and one behind it is right for this file's own name: a write
/// that went astray cost this file its first page, and nothing else of it.
fn has_strange_head<D: Disk>(
    reader: &mut PageReader<'_, D>,
    file: &File,
    identity: &Identity,
) -> Result<bool, DiskError> {
    let (Some(head), Some((segment, generation))) = (file.head, file.named) else {
        return Ok(false);
    };
    let claimed = (head.store_id, head.segment, head.generation);
    if claimed == (identity.store_id, segment, generation) {
        return Ok(false);
    }
    let opened = reader.open(file.name)?;
    let seed = SegmentSeed::new(&identity.store_id, segment, generation);
    let pages = file.bytes.div_ceil(PAGE_BYTES as u64).min(u64::from(FILE_PAGES_MAX)) as u32;
    Ok((1..pages).any(|number| {
        reader.page(&opened, number).is_ok_and(|page| PageView::check(page, seed, number).is_ok())
    }))
}

/// The superblock says it; without one the store that most segments belong to.
fn identify(scan: &Scan, files: &[File]) -> Option<Identity> {
    if let Some(superblock) = scan.superblock {
        return Some(Identity {
            store_id: superblock.store_id,
            segment_pages: superblock.segment_pages,
            from: IdentitySource::Superblock,
        });
    }
    let mut votes: BTreeMap<([u8; 16], u32), usize> = BTreeMap::new();
    for head in files.iter().filter_map(|file| file.head) {
        if (SEGMENT_PAGES_MIN..=SEGMENT_PAGES_MAX).contains(&head.segment_pages) {
            *votes.entry((head.store_id, head.segment_pages)).or_default() += 1;
        }
    }
    let ((store_id, segment_pages), _) = votes.into_iter().max_by_key(|(_, votes)| *votes)?;
    Some(Identity { store_id, segment_pages, from: IdentitySource::Head })
}

/// Which file holds which segment. The right name with a sound first page goes before another name
/// with one, and that before a name alone.
fn place(scan: &mut Scan, files: &[File]) {
    let store_id = scan.identity.map(|identity| identity.store_id);
    let mut ranked: Vec<(u8, SegmentScan)> = Vec::new();
    for file in files {
        let file = &without_stale_head(file, files);
        let pages = file.bytes.div_ceil(PAGE_BYTES as u64).min(u64::from(FILE_PAGES_MAX)) as u32;
        let mut segment = SegmentScan {
            file: file.name,
            bytes: file.bytes,
            pages,
            has_head: file.head.is_some(),
            ..SegmentScan::default()
        };
        let rank = match (file.head, file.named) {
            (Some(head), _) if Some(head.store_id) != store_id => {
                segment.role = Role::OtherStore(head.store_id);
                (segment.segment, segment.generation) =
                    file.named.unwrap_or((head.segment, head.generation));
                3
            }
            (Some(head), named) => {
                (segment.segment, segment.generation) = (head.segment, head.generation);
                let is_here = named == Some((head.segment, head.generation));
                if !is_here {
                    let name = FileName::of_segment(head.segment, head.generation);
                    segment.misplaced = Some(name);
                }
                u8::from(!is_here)
            }
            (None, Some(named)) => {
                (segment.segment, segment.generation) = named;
                2
            }
            (None, None) => {
                let name = file.name.as_str().to_owned();
                scan.foreign.push(ForeignFile { name, bytes: file.bytes });
                continue;
            }
        };
        ranked.push((rank, segment));
    }
    ranked.sort_by_key(|(rank, segment)| (segment.segment, segment.generation, *rank));
    let mut last: Option<(u64, u8)> = None;
    for (rank, mut segment) in ranked {
        let place = (segment.segment, segment.generation);
        if rank < 3 {
            if last == Some(place) {
                segment.role = Role::Duplicate;
                segment.misplaced = None;
            }
            last = Some(place);
        }
        scan.segments.push(segment);
    }
}

/// A file that was just created when the power was cut, and whose first block holds the head of another
/// segment from before: the newest segment, or a squeeze beside its source.
fn without_stale_head(file: &File, files: &[File]) -> File {
    let mut file = file.clone();
    let (Some(head), Some((number, generation))) = (file.head, file.named) else { return file };
    let mut others =
        files.iter().filter(|other| other.name != file.name).filter_map(|other| other.named);
    // A block that another file has now cannot have become this one's.
    let is_gone = files.iter().all(|other| other.named != Some((head.segment, head.generation)));
    let is_new = match generation {
        0 => {
            is_gone
                && head.segment < number
                && files.len() > 1
                && others.all(|(other, _)| other < number)
        }
        _ => others.any(|(other, before)| other == number && before < generation),
    };
    if is_new && file.is_head_alone && (head.segment, head.generation) != (number, generation) {
        file.head = None;
    }
    file
}

/// Whether the page behind the head is none, neither of the segment that the head names nor of the one
/// that the file is named after.
fn is_head_alone<D: Disk>(reader: &mut PageReader<'_, D>, file: &File) -> Result<bool, DiskError> {
    let Some(head) = file.head.filter(|_| file.bytes >= 2 * PAGE_BYTES as u64) else {
        return Ok(true);
    };
    let opened = reader.open(file.name)?;
    let Ok(page) = reader.page(&opened, 1) else { return Ok(true) };
    let own = file.named.unwrap_or((head.segment, head.generation));
    let mut places = [(head.segment, head.generation), own].into_iter();
    Ok(!places.any(|(segment, generation)| {
        PageView::check(page, SegmentSeed::new(&head.store_id, segment, generation), 1).is_ok()
    }))
}

fn last_page<D: Disk>(
    reader: &mut PageReader<'_, D>,
    segment: &SegmentScan,
    identity: &Identity,
) -> Result<(bool, Option<FuturePage>), DiskError> {
    if segment.pages == 0 || segment.role != Role::Log {
        return Ok((false, None));
    }
    let number = segment.pages - 1;
    let opened = reader.open(segment.file)?;
    let seed = SegmentSeed::new(&identity.store_id, segment.segment, segment.generation);
    let page = match reader.page(&opened, number) {
        Ok(page) => PageView::check(page, seed, number).map_err(Fault::Page),
        Err(fault) => Err(fault),
    };
    Ok(match page {
        Ok(page) => (is_footer(&page, number), None),
        Err(Fault::Page(PageFault::FutureVersion(version))) => {
            (false, Some(FuturePage { file: segment.file, page: number, version }))
        }
        Err(_) => (false, None),
    })
}

/// Whether the page is a footer that is right for a segment which ends with it.
pub(super) fn is_footer(page: &PageView<'_>, number: u32) -> bool {
    let mut chunks: ChunkReader<'_> = page.chunks();
    match (chunks.next(), chunks.next()) {
        (Some(Ok(Chunk::Footer(footer))), None) => {
            footer.fields.index_page.checked_add(footer.fields.index_pages) == Some(number)
        }
        _ => false,
    }
}

/// Of several generations of a segment the highest complete one counts; if none is complete the
/// lowest, which all others were made from.
fn choose_generations(segments: &mut [SegmentScan]) {
    let mut from = 0;
    while from < segments.len() {
        let id = segments[from].segment;
        let until =
            from + segments[from..].iter().take_while(|segment| segment.segment == id).count();
        let group = &mut segments[from..until];
        from = until;
        let candidates =
            || group.iter().enumerate().filter(|(_, segment)| segment.role == Role::Log);
        let complete = candidates()
            .filter(|(_, segment)| segment.has_head && segment.has_footer)
            .map(|(place, _)| place)
            .next_back();
        // Also without its first page the source has what a squeeze that was cut has not.
        let lowest = candidates().map(|(place, _)| place).next();
        let Some(winner) = complete.or(lowest) else { continue };
        for (place, segment) in group.iter_mut().enumerate() {
            if segment.role == Role::Log && place != winner {
                segment.role = if place > winner { Role::SqueezeCut } else { Role::SqueezeSource };
                segment.misplaced = None;
            }
        }
    }
}
