//! How a pool is cut into sectors, and what a store of a given shape costs in RAM.

use super::{sector::HEADER_BYTES, slots::SECTORS_MAX};
use core::{error::Error, fmt};

/// The smallest RAM sector, in bytes: a header and two events.
pub const SECTOR_BYTES_MIN: u32 = 32;
/// The largest RAM sector, in bytes.
pub const SECTOR_BYTES_MAX: u32 = 4096;

/// A pool cut into sectors, known to be usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    sector_bytes: u32,
    sectors: u32,
}

impl Geometry {
    /// Cuts `pool_bytes` into sectors of `sector_bytes` (a power of two, 32 to 4,096) for
    /// `sensors` sensors. Bytes behind the last whole sector are not used.
    pub const fn new(
        pool_bytes: u64,
        sector_bytes: u32,
        sensors: u32,
    ) -> Result<Self, GeometryError> {
        if !sector_bytes.is_power_of_two()
            || sector_bytes < SECTOR_BYTES_MIN
            || sector_bytes > SECTOR_BYTES_MAX
        {
            return Err(GeometryError::SectorBytes { sector_bytes });
        }
        let sectors = pool_bytes / sector_bytes as u64;
        if sectors > SECTORS_MAX as u64 {
            return Err(GeometryError::TooManySectors { pool_bytes, sector_bytes });
        }
        if sectors == 0 || sectors < sensors as u64 {
            return Err(GeometryError::TooManySensors { sensors, pool_bytes, sector_bytes });
        }
        Ok(Self { sector_bytes, sectors: sectors as u32 })
    }

    /// Cuts `pool_bytes` into the largest sectors that give every one of `sensors` sensors two,
    /// else one.
    pub const fn auto(pool_bytes: u64, sensors: u32) -> Result<Self, GeometryError> {
        let mut each = 2;
        while each > 0 {
            let mut sector_bytes = SECTOR_BYTES_MAX;
            while sector_bytes >= SECTOR_BYTES_MIN {
                let wanted = if sensors == 0 { 1 } else { sensors };
                let sectors = pool_bytes / sector_bytes as u64;
                if sectors >= wanted as u64 * each && sectors <= SECTORS_MAX as u64 {
                    return Self::new(pool_bytes, sector_bytes, sensors);
                }
                sector_bytes /= 2;
            }
            each -= 1;
        }
        Self::new(pool_bytes, SECTOR_BYTES_MIN, sensors)
    }

    /// Bytes of one sector, its header included.
    pub const fn sector_bytes(self) -> u32 {
        self.sector_bytes
    }

    /// Sectors in the pool.
    pub const fn sectors(self) -> u32 {
        self.sectors
    }

    /// Time-series records that one sector holds on its grid.
    pub const fn time_series_per_sector(self) -> u32 {
        (self.sector_bytes - HEADER_BYTES) / 4
    }

    /// Events that one sector holds.
    pub const fn events_per_sector(self) -> u32 {
        (self.sector_bytes - HEADER_BYTES) / 8
    }
}

/// Why a pool cannot be cut as asked. The message names the figures and the ways out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// Not a power of two from 32 to 4,096.
    SectorBytes {
        /// What was asked for.
        sector_bytes: u32,
    },
    /// Some sensor could have no sector at all.
    TooManySensors {
        /// The sensors to serve.
        sensors: u32,
        /// The pool's size.
        pool_bytes: u64,
        /// The size of its sectors.
        sector_bytes: u32,
    },
    /// More sectors than a link can name.
    TooManySectors {
        /// The pool's size.
        pool_bytes: u64,
        /// The size of its sectors.
        sector_bytes: u32,
    },
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SectorBytes { sector_bytes } => write!(
                f,
                "a RAM sector of {sector_bytes} B is not possible: use a power of two from \
                 {SECTOR_BYTES_MIN} to {SECTOR_BYTES_MAX} B, or auto"
            ),
            Self::TooManySensors { sensors, pool_bytes, sector_bytes } => {
                let sectors = pool_bytes / u64::from(sector_bytes);
                let wanted_bytes = u64::from(sensors.max(1)) * u64::from(sector_bytes);
                write!(
                    f,
                    "{sensors} sensors need a RAM sector each, but a pool of {pool_bytes} B has \
                     {sectors} sectors of {sector_bytes} B: give the pool {wanted_bytes} B or more"
                )?;
                if sectors == 0 {
                    return Ok(());
                }
                f.write_str(", ")?;
                let smallest_fits =
                    pool_bytes / u64::from(SECTOR_BYTES_MIN) >= u64::from(sensors.max(1));
                if sector_bytes > SECTOR_BYTES_MIN && smallest_fits {
                    write!(f, "use smaller sectors, or configure at most {sectors} sensors")
                } else {
                    write!(f, "or configure at most {sectors} sensors")
                }
            }
            Self::TooManySectors { pool_bytes, sector_bytes } => write!(
                f,
                "a pool of {pool_bytes} B has more than {SECTORS_MAX} sectors of {sector_bytes} B: \
                 use larger sectors, or a pool of at most {} B",
                u64::from(SECTORS_MAX) * u64::from(sector_bytes)
            ),
        }
    }
}

impl Error for GeometryError {}

#[cfg(test)]
mod tests {
    use super::{Geometry, GeometryError};

    #[test]
    fn auto_takes_the_largest_size_that_gives_two_sectors_each_else_one() {
        let cut =
            |pool, sensors| Geometry::auto(pool, sensors).map(|g| (g.sector_bytes, g.sectors));
        assert_eq!(cut(65_536, 8), Ok((4096, 16)));
        assert_eq!(cut(65_536, 9), Ok((2048, 32)));
        assert_eq!(cut(65_536, 1024), Ok((32, 2048)));
        assert_eq!(cut(65_536, 1025), Ok((32, 2048)));
        assert_eq!(cut(65_536, 2048), Ok((32, 2048)));
        assert_eq!(cut(8_192, 3), Ok((1024, 8)));
        assert_eq!(cut(4_096, 1), Ok((2048, 2)));
    }

    #[test]
    fn a_sensor_without_a_sector_is_an_error_with_figures_and_two_ways_out() {
        let error = Geometry::auto(65_536, 2049).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2049 sensors need a RAM sector each, but a pool of 65536 B has 2048 sectors of 32 B: \
             give the pool 65568 B or more, or configure at most 2048 sensors"
        );
        // Smaller sectors help as far as there are enough of the smallest.
        for (sensors, end) in [
            (
                129,
                "give the pool 33024 B or more, use smaller sectors, or configure at most 128 sensors",
            ),
            (1_024, "B or more, use smaller sectors, or configure at most 128 sensors"),
            (1_025, "give the pool 262400 B or more, or configure at most 128 sensors"),
        ] {
            let error = Geometry::new(32_768, 256, sensors).unwrap_err().to_string();
            assert!(error.ends_with(end), "{error}");
        }
    }

    #[test]
    fn sizes_that_are_no_power_of_two_or_out_of_range_are_refused() {
        for sector_bytes in [0, 1, 16, 31, 33, 48, 8192, u32::MAX] {
            assert_eq!(
                Geometry::new(1 << 20, sector_bytes, 1),
                Err(GeometryError::SectorBytes { sector_bytes })
            );
        }
        assert!(matches!(Geometry::new(1 << 40, 32, 1), Err(GeometryError::TooManySectors { .. })));
    }

    #[test]
    fn a_256_byte_sector_holds_60_time_series_records_or_30_events() {
        let geometry = Geometry::new(25_600, 256, 100).unwrap();
        assert_eq!(geometry.time_series_per_sector(), 60);
        assert_eq!(geometry.events_per_sector(), 30);
    }
}
