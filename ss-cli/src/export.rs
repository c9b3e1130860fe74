//! `ss export`: a store's records as CSV or JSON Lines, streamed.

mod file;
pub(crate) mod row;

use crate::{
    Answer, Failure, interrupt, output, sensor_key,
    store::{self, Store},
    text::{count, shell_word},
    time,
};
use clap::ValueEnum;
use ss_lib::{
    SensorKey,
    disk::{Exported, RecordFilter, Records, Verdict},
};
use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

/// Write a store's records as CSV or JSON Lines
///
/// It changes nothing, takes no lock, may run beside the process that owns the store, and needs the
/// same memory for any number of records. A sensor's records come in the order of their numbers; those
/// of several sensors are interleaved as they were written.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The store: its directory
    store: PathBuf,
    /// Only this sensor, as 2/500; may be given several times
    #[arg(long, value_name = "SOURCE/ID", value_parser = sensor_key::parse)]
    sensor: Vec<SensorKey>,
    /// Only from this time on: 2023-11-14T22:13:20Z, 2023-11-14, or ms since 1970
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<u64>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Option<u64>,
    /// Also what was uploaded or dropped and is still on disk
    #[arg(long)]
    everything: bool,
    /// How to write a record
    #[arg(long, value_name = "FORMAT")]
    format: Format,
    /// The file to write, in place of standard output; it gets its name when it is whole
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

const AFTER_HELP: &str = "\
Examples:
  ss export ss-lib/testdata/format-v1/clean --format csv
  ss export ss-lib/testdata/format-v1/clean --format jsonl --sensor 0/7 --from 2023-11-14T22:14:00Z

Columns, and keys of each JSON object (more may come behind them, none is ever renamed):
  source, id   the sensor
  seq          the record's number; (epoch, seq) never names two records of a sensor
  epoch        the opening of the store in which the record was added
  kind         time-series or event
  value        0 to 4294967295
  time         RFC 3339, UTC, to the ms; empty (null) if it cannot be known
  clock        what time_ms was read from: utc, monotonic, or caller
  time_ms      utc: ms since 1970. monotonic: ms since that epoch began. caller: an event's own
               timestamp, kept exactly

A monotonic time gets its UTC once the store learned how that epoch's clock relates to it. --from
and --to compare UTC, take a caller's timestamp as ms since 1970, and leave out what has neither.

Exit code 0: everything that is held was written. 1: damage, told on standard error, after
everything that can be read was written; or Ctrl-C. 2: wrong usage. 3: the store cannot be used, or
the result could not be written.";

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated, with a line of names first
    Csv,
    /// One JSON object a line
    Jsonl,
}

/// Records that are taken from the store at once.
const RECORDS_AT_ONCE: usize = 1_024;

/// How the writing ended.
struct Written {
    records: u64,
    is_whole: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    if let (Some(from), Some(to)) = (arguments.from, arguments.to)
        && from >= to
    {
        let (from, to) = (time::utc(from), time::utc(to));
        return Err(Failure::Usage(format!(
            "--from {from} is not before --to {to}: exchange them"
        )));
    }
    let target = match &arguments.output {
        Some(path) => Some(file::Target::new(path, &arguments.store, arguments.force)?),
        None => None,
    };
    let store = Store::look(&arguments.store)?;
    store.answer()?;
    for &key in &arguments.sensor {
        sensor_key::find(&store.scan, key)?;
    }
    interrupt::listen();
    let written = match target {
        Some(mut target) => {
            let written = write(&store, arguments, target.file());
            let written = written.and_then(|it| it.map_err(|error| target.failure(&error)))?;
            if written.is_whole {
                target.name_it()?;
            }
            written
        }
        None => match write(&store, arguments, io::stdout().lock())? {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Answer::Yes),
            written => written.map_err(Failure::Output)?,
        },
    };
    if !written.is_whole {
        let what = match &arguments.output {
            Some(path) => format!("{} was not written", store::name(path)),
            None => "the output is not whole".to_owned(),
        };
        output::complain(&format!(
            "interrupted after {}: {what}",
            count(written.records, "record")
        ));
        return Ok(Answer::No);
    }
    Ok(judge(&store, arguments, written.records))
}

/// Writes every record that can be read. The inner error is the output's.
fn write(
    store: &Store,
    arguments: &Arguments,
    out: impl Write,
) -> Result<io::Result<Written>, Failure> {
    let filter = RecordFilter {
        keys: arguments.sensor.clone(),
        from_ms: arguments.from,
        until_ms: arguments.to,
        is_everything: arguments.everything,
    };
    let mut records = Records::new(&store.disk, &store.scan, filter);
    let mut some = vec![Exported::default(); RECORDS_AT_ONCE];
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let mut written = Written { records: 0, is_whole: true };
    if let Err(error) = row::header(arguments.format, &mut out) {
        return Ok(Err(error));
    }
    loop {
        if interrupt::is_requested() {
            written.is_whole = false;
            break;
        }
        let count =
            records.next_records(&mut some).map_err(|error| store::cannot(&store.path, &error))?;
        if count == 0 {
            break;
        }
        for exported in &some[..count] {
            if let Err(error) = row::record(arguments.format, exported, &mut out) {
                return Ok(Err(error));
            }
        }
        written.records += count as u64;
    }
    Ok(out.flush().map(|()| written))
}

/// Tells on standard error of records that should be in the output and are not.
fn judge(store: &Store, arguments: &Arguments, written: u64) -> Answer {
    let keys = &arguments.sensor;
    let sensors =
        || store.scan.sensors.iter().filter(|it| keys.is_empty() || keys.contains(&it.key));
    let of_which = if keys.is_empty() { "" } else { " of these sensors" };
    let mut answer = Answer::Yes;
    if store.plan.verdict != Verdict::Sound {
        let which = match sensors().map(|it| it.lost).fold(0, u64::saturating_add) {
            0 => format!("no record{of_which} is lost with it"),
            lost => format!(
                "{}{of_which} lost, of any time; all others were written. Which they are: ss inspect \
                 {} --losses",
                count(lost, "record"),
                shell_word(&store.path.display().to_string())
            ),
        };
        output::complain(&format!("{}: damaged; {which}", store.name()));
        answer = Answer::No;
    }
    // An owner erases what was uploaded, and rewrites what it keeps.
    let held = sensors().map(|it| it.held).fold(0, u64::saturating_add);
    let is_all = arguments.from.is_none() && arguments.to.is_none();
    if is_all && written < held {
        output::complain(&format!(
            "{}: {} went away while they were read: the store's owner erased or moved them. Export \
             again if they are needed",
            store.name(),
            count(held - written, "record")
        ));
        answer = Answer::No;
    }
    answer
}
