//! Points in time for a person and for a machine: RFC 3339 where the clock was UTC or is known by now.

use ss_lib::{
    ClockKind,
    disk::{ClockOffset, SensorTime},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first millisecond that RFC 3339 has no year for: 10000-01-01T00:00:00Z.
const END_MS: u64 = 253_402_300_800_000;

/// `2023-11-14T22:13:20.000Z`. `None`: it has no year of four digits.
pub(crate) fn rfc3339(ms: u64) -> Option<String> {
    let time = system_time(ms)?;
    Some(humantime::format_rfc3339_millis(time).to_string())
}

/// The same for a person: without a fraction that says nothing.
pub(crate) fn utc(ms: u64) -> String {
    match system_time(ms) {
        Some(time) if ms.is_multiple_of(1_000) => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        Some(time) => humantime::format_rfc3339_millis(time).to_string(),
        None => format!("{ms} ms after 1970"),
    }
}

/// The time of a record, as far as it can be told.
pub(crate) fn of_record(time: SensorTime, utc_ms: Option<u64>) -> String {
    match (utc_ms, time.clock) {
        (Some(ms), _) => utc(ms),
        (None, ClockKind::Caller) => format!("{} ms by its caller", time.ms),
        (None, _) => format!("{} ms of opening {}", time.ms, time.epoch),
    }
}

/// The time in ms since 1970, if its clock is UTC or was related to it.
pub(crate) fn utc_ms(time: SensorTime, clocks: &[ClockOffset]) -> Option<u64> {
    match time.clock {
        ClockKind::Utc => Some(time.ms),
        ClockKind::Caller => None,
        ClockKind::Monotonic => {
            let offset = clocks.iter().find(|clock| clock.epoch == time.epoch)?;
            time.ms.checked_add_signed(offset.offset_ms)
        }
    }
}

/// Now, in ms since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a time of the command line, in ms since 1970.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    // A date alone is its beginning.
    let whole = if text.len() == "2023-11-14".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    let time = humantime::parse_rfc3339_weak(&whole).ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_millis()).ok()).ok_or_else(|| {
        format!(
            "`{text}` is no time: write 2023-11-14T22:13:20Z, 2023-11-14 (both UTC), or \
             milliseconds since 1970"
        )
    })
}

fn system_time(ms: u64) -> Option<SystemTime> {
    if ms >= END_MS {
        return None;
    }
    UNIX_EPOCH.checked_add(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::{END_MS, of_record, parse, rfc3339, utc, utc_ms};
    use ss_lib::{
        ClockKind,
        disk::{ClockOffset, SensorTime},
    };

    #[test]
    fn times_are_written_and_read_back() {
        assert_eq!(utc(1_700_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(utc(1_700_000_000_250), "2023-11-14T22:13:20.250Z");
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        for ms in [0, 1, 1_700_000_000_250, END_MS - 1] {
            assert_eq!(parse(&rfc3339(ms).unwrap()), Ok(ms));
        }
        assert_eq!(parse("2023-11-14"), Ok(1_699_920_000_000));
        assert_eq!(parse("1700000000000"), Ok(1_700_000_000_000));
        assert!(parse("yesterday").unwrap_err().contains("2023-11-14"));
    }

    #[test]
    fn a_records_time_is_told_as_far_as_it_is_known() {
        let time = |ms, clock| SensorTime { ms, clock, epoch: 2 };
        let clocks = [ClockOffset { epoch: 2, offset_ms: 1_700_000_000_000 }];
        let told = |time, clocks| of_record(time, utc_ms(time, clocks));
        let monotonic = time(1_500, ClockKind::Monotonic);
        assert_eq!(told(monotonic, &clocks), "2023-11-14T22:13:21.500Z");
        assert_eq!(told(monotonic, &[]), "1500 ms of opening 2");
        assert_eq!(told(time(7, ClockKind::Caller), &clocks), "7 ms by its caller");
        assert_eq!(told(time(0, ClockKind::Utc), &[]), "1970-01-01T00:00:00Z");
        let before_1970 = [ClockOffset { epoch: 2, offset_ms: i64::MIN }];
        assert_eq!(told(monotonic, &before_1970), "1500 ms of opening 2");
    }

    #[test]
    fn times_beyond_the_calendar_are_told_in_ms() {
        assert_eq!(rfc3339(END_MS), None);
        assert_eq!(rfc3339(u64::MAX), None);
        assert_eq!(utc(u64::MAX), "18446744073709551615 ms after 1970");
    }
}
