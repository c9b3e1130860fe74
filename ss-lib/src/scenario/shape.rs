//! Values by integers only, so that every machine computes the same ones.

use super::Shape;
use rand::RngExt;
use rand_pcg::Pcg32;

/// A quarter of a sine: round(32767 × sin(i × 90° / 32)).
const QUARTER: [i32; 33] = [
    0, 1608, 3212, 4808, 6393, 7962, 9512, 11039, 12539, 14010, 15446, 16846, 18204, 19519, 20787,
    22005, 23170, 24279, 25329, 26319, 27245, 28105, 28898, 29621, 30273, 30852, 31356, 31785,
    32137, 32412, 32609, 32728, 32767,
];

impl Shape {
    /// The value before the first.
    pub(super) const fn initial(self) -> u32 {
        match self {
            Self::Ramp { from, step } => from.wrapping_sub(step),
            Self::RandomWalk { from, .. } => from,
            _ => 0,
        }
    }

    /// The value at virtual time `now_ms` after the value `last`.
    pub(super) fn next(self, last: u32, now_ms: u64, rng: &mut Pcg32) -> u32 {
        match self {
            Self::Constant { value } => value,
            Self::Ramp { step, .. } => last.wrapping_add(step),
            Self::RandomWalk { step, .. } => {
                let up = rng.random_range(0..=u64::from(step) * 2);
                last.wrapping_add(up as u32).wrapping_sub(step)
            }
            Self::Sine { mean, amplitude, cycle_ms } => {
                let phase = now_ms % u64::from(cycle_ms) * 128 / u64::from(cycle_ms);
                let wave = i64::from(sine(phase as usize));
                let offset = wave * i64::from(amplitude) / 32_767;
                // An amplitude is 32 bits, so the offset is at most 33 with its sign; values wrap.
                mean.wrapping_add(offset.cast_unsigned() as u32)
            }
            Self::Burst { low, high, every_ms, length_ms } => {
                if now_ms % u64::from(every_ms) < u64::from(length_ms) { high } else { low }
            }
        }
    }
}

/// 32767 × the sine of `phase` / 128 of a full turn.
const fn sine(phase: usize) -> i32 {
    match phase % 128 {
        p @ 0..=31 => QUARTER[p],
        p @ 32..=63 => QUARTER[64 - p],
        p @ 64..=95 => -QUARTER[p - 64],
        p => -QUARTER[128 - p],
    }
}

#[cfg(test)]
mod tests {
    use super::{Shape, sine};
    use rand_pcg::Pcg32;

    #[test]
    fn the_table_is_the_sine() {
        for phase in 0..128_u32 {
            let exact = (f64::from(phase) / 128.0 * core::f64::consts::TAU).sin() * 32_767.0;
            assert!((f64::from(sine(phase as usize)) - exact).abs() <= 0.5, "phase {phase}");
        }
    }

    #[test]
    fn shapes_give_what_they_say() {
        let mut rng = Pcg32::new(1, 1);
        let ramp = Shape::Ramp { from: 5, step: 3 };
        let first = ramp.next(ramp.initial(), 0, &mut rng);
        assert_eq!((first, ramp.next(first, 1, &mut rng)), (5, 8));

        let sine = Shape::Sine { mean: 1_000, amplitude: 500, cycle_ms: 128 };
        assert_eq!(
            [0, 32, 64, 96].map(|now| sine.next(0, now, &mut rng)),
            [1_000, 1_500, 1_000, 500]
        );

        let burst = Shape::Burst { low: 1, high: 9, every_ms: 10, length_ms: 2 };
        assert_eq!([0, 1, 2, 9, 10].map(|now| burst.next(0, now, &mut rng)), [9, 9, 1, 1, 9]);

        let walk = Shape::RandomWalk { from: 100, step: 2 };
        let mut value = walk.initial();
        for _ in 0..1_000 {
            let next = walk.next(value, 0, &mut rng);
            assert!(next.wrapping_sub(value).cast_signed().abs() <= 2);
            value = next;
        }
    }
}
