//! A sensor's name on the command line: SOURCE/ID, and what to say of one that the store has not.

use crate::Failure;
use ss_lib::{
    SensorKey,
    disk::{Scan, SensorScan},
};

/// Sensors that are named in place of one that is not there.
const CANDIDATES: usize = 5;

/// Reads `2/500`.
pub(crate) fn parse(text: &str) -> Result<SensorKey, String> {
    let key = text.split_once('/').and_then(|(source, id)| {
        Some(SensorKey { source: source.parse().ok()?, id: id.parse().ok()? })
    });
    key.ok_or_else(|| {
        format!(
            "`{text}` names no sensor: write SOURCE/ID with a source up to 255 and an id up to \
             4294967295, as in 2/500"
        )
    })
}

/// The sensor of that name.
pub(crate) fn find(scan: &Scan, key: SensorKey) -> Result<&SensorScan, Failure> {
    scan.sensor(key).ok_or_else(|| {
        let near = candidates(scan, key);
        Failure::Usage(if near.is_empty() {
            format!("the store has no sensor {key}, nor any other")
        } else {
            format!(
                "the store has no sensor {key}; near it are {}; --sensors of ss inspect lists all {}",
                near.join(", "),
                scan.sensors.len()
            )
        })
    })
}

/// Sensors of the same id first: a wrong source is the likeliest slip. Then those whose ids are near.
fn candidates(scan: &Scan, key: SensorKey) -> Vec<String> {
    let mut near: Vec<SensorKey> = scan.sensors.iter().map(|sensor| sensor.key).collect();
    near.sort_by_key(|other| {
        let (id, source) = (other.id.abs_diff(key.id), other.source.abs_diff(key.source));
        (id != 0, source, id)
    });
    near.iter().take(CANDIDATES).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use ss_lib::SensorKey;

    #[test]
    fn names_are_read() {
        assert_eq!(parse("2/500"), Ok(SensorKey { source: 2, id: 500 }));
        assert_eq!(parse("255/4294967295"), Ok(SensorKey { source: 255, id: u32::MAX }));
        for wrong in ["", "7", "/", "256/1", "1/4294967296", "1/-1", "1/2/3", "a/b"] {
            assert!(parse(wrong).unwrap_err().contains("SOURCE/ID"), "{wrong}");
        }
    }
}
