//! The values of the scenario language, with their units.

use super::super::{PPM, expect::Bound};
use crate::{ClockKind, Timestamp};
use core::{fmt, marker::PhantomData, str::FromStr, time::Duration};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// A scalar that is written as a number, as a string with its unit, or as either.
trait Scalar: Sized {
    const EXPECTED: &'static str;

    fn from_text(_: &str) -> Option<Result<Self, String>> {
        None
    }

    fn from_integer(_: i64) -> Option<Result<Self, String>> {
        None
    }

    fn from_float(_: f64) -> Option<Result<Self, String>> {
        None
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<T: Scalar> Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text)
            .unwrap_or_else(|| Err(format!("`{text}` is a string, expected {}", T::EXPECTED)))
            .map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::from_integer(number)
            .unwrap_or_else(|| Err(format!("`{number}` has no unit, expected {}", T::EXPECTED)))
            .map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        let number = i64::try_from(number)
            .map_err(|_| E::custom(format!("{number} is too large, expected {}", T::EXPECTED)))?;
        self.visit_i64(number)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        T::from_float(number)
            .unwrap_or_else(|| Err(format!("`{number}` is not possible, expected {}", T::EXPECTED)))
            .map_err(E::custom)
    }
}

macro_rules! scalar {
    ($($name:ty),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ScalarVisitor(PhantomData))
            }
        }
    )+};
}

scalar!(
    Count,
    Millis,
    SignedMillis,
    Bytes,
    Centibytes,
    SectorSize,
    Chance,
    Value,
    Instant,
    ClockStart,
    Number,
    DurabilitySpec
);

/// Parses a duration such as `90s`, `1h 30m` or `250ms` into ms. Whole milliseconds only.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    Millis::parse(text).map(|millis| millis.0)
}

/// A number of things.
#[derive(Clone, Copy)]
pub(super) struct Count(pub(super) u64);

impl Scalar for Count {
    const EXPECTED: &'static str = "a whole number from 0";

    fn from_integer(number: i64) -> Option<Result<Self, String>> {
        Some(u64::try_from(number).map(Self).map_err(|_| format!("{number} is below 0")))
    }
}

/// A duration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Millis(pub(super) u64);

impl Millis {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = Self::EXPECTED;
        let duration = humantime::parse_duration(text).map_err(|error| match error {
            humantime::DurationError::NumberOverflow => {
                format!("`{text}` overflows, expected {expected}")
            }
            error => format!("`{text}` is no duration ({error}), expected {expected}"),
        })?;
        if duration.subsec_nanos() % 1_000_000 != 0 {
            return Err(format!("`{text}` is finer than 1 ms, expected {expected}"));
        }
        u64::try_from(duration.as_millis())
            .map(Self)
            .map_err(|_| format!("`{text}` overflows a 64-bit count of ms, expected {expected}"))
    }
}

impl Scalar for Millis {
    const EXPECTED: &'static str = r#"a duration such as "250ms", "10s" or "1h 30m""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        Some(Self::parse(text))
    }
}

/// A duration forward or back.
#[derive(Clone, Copy)]
pub(super) struct SignedMillis(pub(super) i64);

impl Scalar for SignedMillis {
    const EXPECTED: &'static str = r#"a duration with its sign, such as "+2s" or "-10m""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        let (is_back, length) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        Some(Millis::parse(length).and_then(|Millis(ms)| {
            let ms = i64::try_from(ms).map_err(|_| format!("`{text}` is too long"))?;
            Ok(Self(if is_back { -ms } else { ms }))
        }))
    }
}

/// A size.
#[derive(Clone, Copy)]
pub(super) struct Bytes(pub(super) u64);

impl Bytes {
    fn parse(text: &str, expected: &str) -> Result<Self, String> {
        bytesize::ByteSize::from_str(text)
            .map(|size| Self(size.as_u64()))
            .map_err(|_| format!("`{text}` is no size, expected {expected}"))
    }
}

impl Scalar for Bytes {
    const EXPECTED: &'static str = r#"a size such as 65536 (bytes) or "64KiB""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        Some(Self::parse(text, Self::EXPECTED))
    }

    fn from_integer(number: i64) -> Option<Result<Self, String>> {
        Some(u64::try_from(number).map(Self).map_err(|_| format!("{number} B is below 0")))
    }
}

/// Bytes with two decimal places.
#[derive(Clone, Copy)]
pub(super) struct Centibytes(u64);

impl Scalar for Centibytes {
    const EXPECTED: &'static str = "a number of bytes such as 17 or 8.5";

    fn from_integer(number: i64) -> Option<Result<Self, String>> {
        let hundredths = u64::try_from(number).ok().and_then(|bytes| bytes.checked_mul(100));
        Some(hundredths.map(Self).ok_or_else(|| format!("{number} is no number of bytes")))
    }

    fn from_float(number: f64) -> Option<Result<Self, String>> {
        Some(if (0.0..=1e12).contains(&number) {
            // In range, and rounded to the hundredths that are kept.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Ok(Self((number * 100.0).round() as u64))
        } else {
            Err(format!("{number} is no number of bytes"))
        })
    }
}

/// A whole number of up to 64 bits: TOML's own integers end at 2^63 - 1, so a string is one as well.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) u64);

impl Scalar for Number {
    const EXPECTED: &'static str =
        r#"a whole number from 0, above 2^63 as a string: "18446744073709551000""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        let digits = text.replace('_', "");
        let wrong = |_| format!("`{text}` is no number of 64 bits, expected {}", Self::EXPECTED);
        Some(digits.parse().map(Self).map_err(wrong))
    }

    fn from_integer(number: i64) -> Option<Result<Self, String>> {
        Some(u64::try_from(number).map(Self).map_err(|_| format!("{number} is below 0")))
    }
}

/// When a write becomes durable.
#[derive(Clone, Copy)]
pub(super) enum DurabilitySpec {
    Interval(Millis),
    EverySpill,
    Os,
}

impl Scalar for DurabilitySpec {
    const EXPECTED: &'static str =
        r#"an interval such as "1s", or "every-spill", or "os" (no promise over a power cut)"#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        Some(match text {
            "every-spill" => Ok(Self::EverySpill),
            "os" => Ok(Self::Os),
            _ => Millis::parse(text)
                .map(Self::Interval)
                .map_err(|_| format!("`{text}` is no durability, expected {}", Self::EXPECTED)),
        })
    }
}

/// A RAM sector's size.
#[derive(Clone, Copy)]
pub(super) enum SectorSize {
    Auto,
    Bytes(u64),
}

impl Scalar for SectorSize {
    const EXPECTED: &'static str = r#""auto", or a power of two from 32 to 4096 (bytes)"#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        Some(if text == "auto" {
            Ok(Self::Auto)
        } else {
            Bytes::parse(text, Self::EXPECTED).map(|Bytes(bytes)| Self::Bytes(bytes))
        })
    }

    fn from_integer(number: i64) -> Option<Result<Self, String>> {
        Some(u64::try_from(number).map(Self::Bytes).map_err(|_| format!("{number} B is below 0")))
    }
}

/// A chance, in parts per million.
#[derive(Clone, Copy, Default)]
pub(super) struct Chance(pub(super) u32);

impl Scalar for Chance {
    const EXPECTED: &'static str = r#"a chance such as "12.5%" or 0.125, at most 1"#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match percent {
            Some(percent) => Self::from_float(percent / 100.0),
            None => Some(Err(format!("`{text}` is no chance, expected {}", Self::EXPECTED))),
        }
    }

    fn from_integer(number: i64) -> Option<Result<Self, String>> {
        Some(match number {
            0 => Ok(Self(0)),
            1 => Ok(Self(PPM)),
            _ => Err(format!("{number} is no chance, expected {}", Self::EXPECTED)),
        })
    }

    fn from_float(number: f64) -> Option<Result<Self, String>> {
        Some(if (0.0..=1.0).contains(&number) {
            // In range, so the conversion is exact to one part in a million.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            match (number * f64::from(PPM)).round() as u32 {
                0 if number > 0.0 => Err(format!("{number} is below one part in a million")),
                ppm => Ok(Self(ppm)),
            }
        } else {
            Err(format!("{number} is no chance, expected {}", Self::EXPECTED))
        })
    }
}

/// A record's value.
#[derive(Clone, Copy)]
pub(super) struct Value(pub(super) u32);

impl Scalar for Value {
    const EXPECTED: &'static str = "a whole number of 32 bits: -2147483648 to 4294967295";

    fn from_integer(number: i64) -> Option<Result<Self, String>> {
        let bits = u32::try_from(number)
            .or_else(|_| i32::try_from(number).map(i32::cast_unsigned))
            .map_err(|_| format!("{number} does not fit, expected {}", Self::EXPECTED));
        Some(bits.map(Self))
    }
}

/// A time of day, in ms since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy)]
pub(super) struct Instant(pub(super) u64);

impl Scalar for Instant {
    const EXPECTED: &'static str = r#"a time such as "2026-01-01T00:00:00Z""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        let since_1970 = humantime::parse_rfc3339(text)
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since: Duration| u64::try_from(since.as_millis()).ok());
        Some(
            since_1970.map(Self).ok_or_else(|| {
                format!("`{text}` is no time since 1970, expected {}", Self::EXPECTED)
            }),
        )
    }
}

/// What the device's clock shows when the run begins.
#[derive(Clone, Copy)]
pub(super) struct ClockStart(pub(super) Timestamp);

impl Default for ClockStart {
    fn default() -> Self {
        // 2026-01-01T00:00:00Z: any fixed time would do, so that runs are the same.
        Self(Timestamp::utc(1_767_225_600_000))
    }
}

impl Scalar for ClockStart {
    const EXPECTED: &'static str = r#""monotonic", or a time such as "2026-01-01T00:00:00Z""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        if text == "monotonic" {
            return Some(Ok(Self(Timestamp { ms: 0, clock: ClockKind::Monotonic })));
        }
        let at = Instant::from_text(text)?;
        Some(
            at.map(|Instant(ms)| Self(Timestamp::utc(ms)))
                .map_err(|_| format!("`{text}` is no clock, expected {}", Self::EXPECTED)),
        )
    }
}

/// One period, or the first and the last sensor's.
#[derive(Clone, Copy)]
pub(super) struct PeriodSpec {
    pub(super) from: Millis,
    pub(super) to: Millis,
}

impl<'de> Deserialize<'de> for PeriodSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Ends {
            from: Millis,
            to: Millis,
        }

        struct PeriodVisitor;

        impl<'de> Visitor<'de> for PeriodVisitor {
            type Value = PeriodSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, r#"{}, or {{ from = "1s", to = "60s" }}"#, Millis::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PeriodSpec, E> {
                let period = Millis::parse(text).map_err(E::custom)?;
                Ok(PeriodSpec { from: period, to: period })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PeriodSpec, A::Error> {
                let Ends { from, to } = Ends::deserialize(MapAccessDeserializer::new(map))?;
                Ok(PeriodSpec { from, to })
            }
        }

        deserializer.deserialize_any(PeriodVisitor)
    }
}

/// A figure's right values: one, or `{ min = …, max = … }` with either end left out.
#[derive(Clone, Copy)]
pub(super) struct Range<T> {
    pub(super) bound: Bound,
    unit: PhantomData<T>,
}

/// A unit of figures.
pub(super) trait Amount {
    fn amount(self) -> u64;
}

impl Amount for Count {
    fn amount(self) -> u64 {
        self.0
    }
}

impl Amount for Millis {
    fn amount(self) -> u64 {
        self.0
    }
}

impl Amount for Centibytes {
    fn amount(self) -> u64 {
        self.0
    }
}

impl Amount for Bytes {
    fn amount(self) -> u64 {
        self.0
    }
}

impl<'de, T: Scalar + Amount + Deserialize<'de>> Deserialize<'de> for Range<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Ends<T> {
            min: Option<T>,
            max: Option<T>,
        }

        struct RangeVisitor<T>(PhantomData<T>);

        impl<T: Scalar + Amount> RangeVisitor<T> {
            fn exactly(amount: u64) -> Range<T> {
                Range { bound: Bound { min: amount, max: amount }, unit: PhantomData }
            }
        }

        impl<'de, T: Scalar + Amount + Deserialize<'de>> Visitor<'de> for RangeVisitor<T> {
            type Value = Range<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or {{ min = …, max = … }} of such", T::EXPECTED)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Range<T>, E> {
                ScalarVisitor::<T>(PhantomData)
                    .visit_i64(number)
                    .map(|it| Self::exactly(it.amount()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Range<T>, E> {
                ScalarVisitor::<T>(PhantomData)
                    .visit_f64(number)
                    .map(|it| Self::exactly(it.amount()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Range<T>, E> {
                ScalarVisitor::<T>(PhantomData).visit_str(text).map(|it| Self::exactly(it.amount()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Range<T>, A::Error> {
                let ends = Ends::<T>::deserialize(MapAccessDeserializer::new(map))?;
                let (min, max) = (ends.min.map(T::amount), ends.max.map(T::amount));
                if min.is_none() && max.is_none() {
                    return Err(de::Error::custom("give min, max, or both"));
                }
                let bound = Bound { min: min.unwrap_or(0), max: max.unwrap_or(u64::MAX) };
                if bound.min > bound.max {
                    return Err(de::Error::custom("min is above max: no value could be right"));
                }
                Ok(Range { bound, unit: PhantomData })
            }
        }

        deserializer.deserialize_any(RangeVisitor(PhantomData))
    }
}
