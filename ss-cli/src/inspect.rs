//! `ss inspect`: looks into a store and changes nothing.

mod address;
mod json;
mod losses;
mod overview;
mod pages;
mod records;
mod segments;
mod sensors;
mod strip;

use crate::{
    Answer, Failure,
    output::{self, Style},
    sensor_key,
    store::Store,
};
pub(crate) use json::{Finding, Lost, Missing, place};
pub(crate) use losses::{NOT_IN_LEDGER, losses_table};

use address::{PageAddress, SectorAddress};
use clap::ValueEnum;
use serde::Serialize;
use ss_lib::SensorKey;
use std::path::PathBuf;

/// Look into a store: health, sensors, segments, losses, records
///
/// It changes nothing, takes no lock, and may run beside the process that owns the store. It shows what
/// is on disk: records that the owner holds in RAM alone are not there. Without an option it shows the
/// whole store in one screen.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group = clap::ArgGroup::new("view").multiple(false))]
pub(crate) struct Arguments {
    /// The store: its directory
    store: PathBuf,
    /// List every sensor
    #[arg(long, group = "view")]
    sensors: bool,
    /// With --sensors: their order
    #[arg(long, value_name = "ORDER", default_value = "key", requires = "sensors")]
    sort: Order,
    /// With --sensors: only those of this source
    #[arg(long, value_name = "N", requires = "sensors")]
    source: Option<u8>,
    /// With --sensors: only those of this id, whatever their source
    #[arg(long, value_name = "N", requires = "sensors")]
    id: Option<u32>,
    /// Show one sensor, as 2/500; with --losses or --records only what is of it
    #[arg(long, value_name = "SOURCE/ID", value_parser = sensor_key::parse)]
    #[arg(conflicts_with_all = ["sensors", "segments", "sector", "page"])]
    sensor: Option<SensorKey>,
    /// List every segment's file
    #[arg(long, group = "view")]
    segments: bool,
    /// Decode one disk sector (16 pages), as N or SEGMENT:N
    #[arg(long, value_name = "[SEGMENT:]N", value_parser = address::parse_sector, group = "view")]
    sector: Option<SectorAddress>,
    /// Decode one page, as SEGMENT:PAGE
    #[arg(long, value_name = "SEGMENT:PAGE", value_parser = address::parse_page, group = "view")]
    page: Option<PageAddress>,
    /// With --sector or --page: the bytes as well
    #[arg(long)]
    hex: bool,
    /// List every range of records that was lost
    #[arg(long, group = "view")]
    losses: bool,
    /// List records that are held, oldest first
    #[arg(long, group = "view")]
    records: bool,
    /// With --records: how many at most
    #[arg(long, value_name = "N", default_value_t = 100, requires = "records")]
    limit: u64,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  ss inspect ss-lib/testdata/format-v1/clean
  ss inspect ss-lib/testdata/format-v1/clean --sensors --sort backlog
  ss inspect ss-lib/testdata/format-v1/clean --page 1:0

Exit code 0: sound. 1: damaged. 2: wrong usage. 3: the store cannot be used. See --help for the
addresses of pages and for the JSON.";

const AFTER_LONG_HELP: &str = "\
Examples:
  ss inspect ss-lib/testdata/format-v1/clean
  ss inspect ss-lib/testdata/format-v1/clean --sensors --sort backlog
  ss inspect ss-lib/testdata/format-v1/clean --sensor 0/7 --records --limit 5
  ss inspect ss-lib/testdata/format-v1/clean --page 1:0 --hex
  ss inspect ss-lib/testdata/format-v1/clean --segments --json

Addresses. SEGMENT is a segment's number (decimal, or hexadecimal behind 0x) or its file's name,
which also names files that are not part of the log. PAGE counts the file's pages of 4 KiB from 0.
N counts disk sectors of 16 pages: behind SEGMENT: within its file; alone through all files in the
order of --segments, which shows each file's first one.

Exit codes, whatever is shown:
  0  the store is sound
  1  it is damaged
  2  wrong usage; a sensor or page that the store has not
  3  it cannot be used: no store, not readable, or written by a newer program

Each view has a JSON object (schema 1; keys may be added, never renamed). All begin with schema,
view, store (the path), verdict (sound, damaged, unusable). SENSOR is a text as 2/500; TIME is
{time, clock, time_ms, epoch} as in ss export, or null. Behind that:
  overview   store_id, format, segment_pages, epoch, created_ms, opened_ms (null: not known),
             is_clean (the opening ended in order), owner_pid (null: none is seen);
             findings[]: severity (damage, note), text;
             totals: sensors, sensors_active, sensors_with_backlog, segments, pages, pages_bad,
             pages_torn, bytes;
             records: added = erased + held + lost + dropped.{recycled, corrupt, quota,
             disk_max}; lost: not in the ledger yet; rejected is part of erased; refused is
             counted apart; conserved: whether it adds up. Sums end at 2^64 - 1;
             backlog[] (as in sensors, the largest first); losses[] (the newest of the ledger);
             plan: actions[], lost[], missing_segments[], records_lost
  sensors    sensors[]: sensor, kind, period_ms, active, defined, head_seq, end_seq, held, lost,
             added, erased, rejected, refused, dropped, conserved, first_segment, oldest, newest
             (TIME)
  sensor     sensor (as above), lost[], ledger[] of it
  segments   segments[]: file, segment, generation, role, state, first_sector, bytes, pages,
             pages_valid, pages_empty, pages_torn, pages_corrupt, pages_stale, records,
             records_live, first_lsn, last_lsn, sealed, checkpoint_pages, data_pages,
             index_pages, cut_from_page, misplaced (the name it should have);
             bad_pages[]; missing_segments[]; foreign[]
  losses     lost[]: sensor, first_seq, last_seq, records, place;
             ledger[]: sensor, first_seq, last_seq, records, cause, at_ms
  records    records[] (as in ss export), more (whether there are more than --limit)
  pages      pages[]: file, segment, generation, page, class, lsn, durable_lsn, epoch, base_ms
             (null if the header cannot be read), used, crc, chunks[]: offset, len, kind, sensor,
             text; hex (with --hex, else null)";

/// The order of sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    /// By source and id
    Key,
    /// Those that hold most records first
    Backlog,
    /// Those that lost most records first
    Losses,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    if arguments.hex && arguments.sector.is_none() && arguments.page.is_none() {
        return Err(Failure::Usage(
            "--hex shows a page's bytes: say which, with --page SEGMENT:PAGE \
            or --sector N"
                .to_owned(),
        ));
    }
    let store = Store::look(&arguments.store)?;
    let view = View { store: &store, style: Style::of_stdout(), is_json: arguments.json };
    let sensor = match arguments.sensor {
        Some(key) => Some(sensor_key::find(&store.scan, key)?),
        None => None,
    };
    if arguments.sensors {
        let chosen =
            sensors::Choice { order: arguments.sort, source: arguments.source, id: arguments.id };
        sensors::list(&view, &chosen)?;
    } else if arguments.segments {
        segments::list(&view)?;
    } else if arguments.losses {
        losses::list(&view, arguments.sensor)?;
    } else if arguments.records {
        records::list(&view, arguments.sensor, arguments.limit)?;
    } else if let Some(address) = &arguments.page {
        let (file, page) = address.find(&store.scan)?;
        pages::show(&view, file, page..page + 1, arguments.hex)?;
    } else if let Some(address) = &arguments.sector {
        let (file, pages) = address.find(&store.scan)?;
        pages::show(&view, file, pages, arguments.hex)?;
    } else if let Some(sensor) = sensor {
        sensors::show(&view, sensor)?;
    } else {
        overview::show(&view)?;
    }
    store.answer()
}

/// What is shown, and how.
struct View<'a> {
    store: &'a Store,
    style: Style,
    is_json: bool,
}

impl View<'_> {
    /// Prints the text, or as JSON the view's keys behind those that every view has.
    fn print<T: Serialize>(
        &self,
        name: &'static str,
        json: impl FnOnce() -> T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let printed = if self.is_json {
            output::print_json(&json::Envelope::new(self.store, name, json()), Answer::Yes)
        } else {
            output::print(&text(), Answer::Yes)
        };
        printed.map(|_| ())
    }
}
