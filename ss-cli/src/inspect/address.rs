//! Addresses of pages and disk sectors on the command line.

use crate::{Failure, output::printable};
use ss_lib::disk::{SECTOR_PAGES, Scan, SegmentScan};
use std::ops::Range;

/// A segment's file as a user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SegmentAddress {
    Number(u64),
    File(String),
}

/// `SEGMENT:PAGE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageAddress {
    segment: SegmentAddress,
    page: u32,
}

/// `SEGMENT:N`, or `N` through all files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SectorAddress {
    segment: Option<SegmentAddress>,
    sector: u64,
}

fn parse_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn parse_segment(text: &str) -> Option<SegmentAddress> {
    match parse_number(text) {
        Some(number) => Some(SegmentAddress::Number(number)),
        None if text.contains('.') => Some(SegmentAddress::File(text.to_owned())),
        None => None,
    }
}

/// Reads `1:4`, `0x1:4` or `0000000000000001-00.seg:4`.
pub(super) fn parse_page(text: &str) -> Result<PageAddress, String> {
    let parts = text.rsplit_once(':');
    let address = parts.and_then(|(segment, page)| {
        Some(PageAddress { segment: parse_segment(segment)?, page: page.parse().ok()? })
    });
    address.ok_or_else(|| {
        format!(
            "`{text}` names no page: write SEGMENT:PAGE, as 1:4, 0x1:4 or \
             0000000000000001-00.seg:4"
        )
    })
}

/// Reads `12`, `1:0`, `0x1:0` or `0000000000000001-00.seg:0`.
pub(super) fn parse_sector(text: &str) -> Result<SectorAddress, String> {
    let address = match text.rsplit_once(':') {
        Some((segment, sector)) => parse_segment(segment).and_then(|segment| {
            Some(SectorAddress { segment: Some(segment), sector: sector.parse().ok()? })
        }),
        None => text.parse().ok().map(|sector| SectorAddress { segment: None, sector }),
    };
    address
        .ok_or_else(|| format!("`{text}` names no disk sector: write N or SEGMENT:N, as 12 or 1:0"))
}

/// Disk sectors of a file, a short last one included.
pub(super) fn sectors(segment: &SegmentScan) -> u64 {
    u64::from(segment.pages).div_ceil(SECTOR_PAGES as u64)
}

impl SegmentAddress {
    /// The file. A number is the log's file of that segment, else any file of it.
    fn find<'a>(&self, scan: &'a Scan) -> Result<&'a SegmentScan, Failure> {
        let found = match self {
            Self::Number(number) => {
                let of_number = || scan.segments.iter().filter(|it| it.segment == *number);
                of_number().find(|it| it.role.is_log()).or_else(|| of_number().next())
            }
            Self::File(name) => scan.segments.iter().find(|it| it.file.as_str() == name),
        };
        found.ok_or_else(|| {
            let name = match self {
                Self::Number(number) => number.to_string(),
                Self::File(name) => printable(name),
            };
            let there = match (scan.segments.first(), scan.segments.last()) {
                (Some(first), Some(last)) => {
                    format!("there are {} to {}", first.segment, last.segment)
                }
                _ => "there is none".to_owned(),
            };
            Failure::Usage(format!(
                "the store has no segment {name}: {there}; --segments lists each"
            ))
        })
    }
}

fn no_pages(segment: &SegmentScan, what: &str, last: u64) -> Failure {
    let file = printable(segment.file.as_str());
    Failure::Usage(format!("{file} has no {what}: its last one is {last}"))
}

impl PageAddress {
    pub(super) fn find<'a>(&self, scan: &'a Scan) -> Result<(&'a SegmentScan, u32), Failure> {
        let segment = self.segment.find(scan)?;
        if self.page >= segment.pages {
            let last = u64::from(segment.pages.saturating_sub(1));
            return Err(no_pages(segment, &format!("page {}", self.page), last));
        }
        Ok((segment, self.page))
    }
}

impl SectorAddress {
    pub(super) fn find<'a>(
        &self,
        scan: &'a Scan,
    ) -> Result<(&'a SegmentScan, Range<u32>), Failure> {
        let (segment, sector) = match &self.segment {
            Some(segment) => (segment.find(scan)?, self.sector),
            None => through_all(scan, self.sector)?,
        };
        let last = sectors(segment).saturating_sub(1);
        let first_page = sector.saturating_mul(SECTOR_PAGES as u64);
        match u32::try_from(first_page) {
            Ok(first) if first < segment.pages => {
                let end = first.saturating_add(SECTOR_PAGES as u32).min(segment.pages);
                Ok((segment, first..end))
            }
            _ => Err(no_pages(segment, &format!("disk sector {sector}"), last)),
        }
    }
}

fn through_all(scan: &Scan, sector: u64) -> Result<(&SegmentScan, u64), Failure> {
    let mut left = sector;
    let mut all = 0;
    for segment in &scan.segments {
        let sectors = sectors(segment);
        if left < sectors {
            return Ok((segment, left));
        }
        left -= sectors;
        all += sectors;
    }
    Err(Failure::Usage(match all {
        0 => "the store has no disk sector".to_owned(),
        _ => format!("the store has no disk sector {sector}: its last one is {}", all - 1),
    }))
}

#[cfg(test)]
mod tests {
    use super::{PageAddress, SectorAddress, SegmentAddress, parse_page, parse_sector};

    #[test]
    fn addresses_are_read() {
        let page = |segment, page| Ok(PageAddress { segment, page });
        let number = SegmentAddress::Number;
        assert_eq!(parse_page("1:4"), page(number(1), 4));
        assert_eq!(parse_page("0xff:4"), page(number(255), 4));
        let file = "0000000000000001-00.seg";
        assert_eq!(parse_page(&format!("{file}:0")), page(SegmentAddress::File(file.into()), 0));
        assert_eq!(parse_sector("7"), Ok(SectorAddress { segment: None, sector: 7 }));
        let sector = SectorAddress { segment: Some(number(1)), sector: 0 };
        assert_eq!(parse_sector("1:0"), Ok(sector));
        for wrong in ["", "4", "a:1", "1:", ":1", "1:-1", "1:4294967296"] {
            assert!(parse_page(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "x", "1:", ":1", "-1"] {
            assert!(parse_sector(wrong).is_err(), "{wrong}");
        }
    }
}
