//! The walk that proves conservation and ownership from the structures themselves.

use super::{
    chain::{Chain, ChainFault, Owner},
    pool::PoolState,
    slots::Slots,
};
use crate::Sensor;
use core::{error::Error, fmt};

/// What a walk over the whole store found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One sensor's chain contradicts its cursors or counters.
    Chain {
        /// Whose chain.
        sensor: Sensor,
        /// What it breaks.
        fault: ChainFault,
    },
    /// The pool believes that a sensor could give another number of sectors than it could.
    Droppable {
        /// Whose chain.
        sensor: Sensor,
        /// What the pool believes.
        believed: u32,
        /// What the walk found.
        found: u32,
    },
    /// The chains' sectors and the free ones are not all the sectors, each once.
    Sectors {
        /// Sectors that the chains own.
        chained: u32,
        /// Sectors in the free list, by walking it.
        free: u32,
        /// Sectors that an add is just moving from one chain to another.
        in_hand: u32,
        /// Sectors in the pool.
        total: u32,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Chain { sensor, fault } => {
                write!(f, "the chain of sensor #{} breaks its invariant: {fault:?}", sensor.0)
            }
            Self::Droppable { sensor, believed, found } => write!(
                f,
                "sensor #{} has {found} sectors without pending records, the pool believes {believed}",
                sensor.0
            ),
            Self::Sectors { chained, free, in_hand, total } => write!(
                f,
                "{chained} sectors in chains, {free} free ones and {in_hand} in between are not the \
                 pool's {total}, each once"
            ),
        }
    }
}

impl Error for Fault {}

/// Walks every chain and the free list. `believed` is what the pool believes that a sensor could give.
pub(crate) fn walk<'c>(
    chains: impl Iterator<Item = &'c Chain>,
    pool: &PoolState,
    believed: impl Fn(Sensor) -> u32,
    slots: Slots<'_>,
    epoch: u32,
) -> Result<(), Fault> {
    let (free, mut fingerprint) = pool.walk_free(slots);
    let mut chained = 0;
    for (index, chain) in chains.enumerate() {
        let sensor = Sensor(index as u32);
        let believed = believed(sensor);
        let walked = chain
            .check(slots, Owner { sensor, epoch })
            .map_err(|fault| Fault::Chain { sensor, fault })?;
        if walked.droppable != believed {
            return Err(Fault::Droppable { sensor, believed, found: walked.droppable });
        }
        chained += walked.sectors;
        fingerprint = fingerprint.wrapping_add(walked.fingerprint);
    }
    let total = slots.sectors();
    let in_hand = pool.in_hand();
    // Which sectors are in hand is not known, so that only without any the fingerprints add up.
    let is_each_once = in_hand > 0 || fingerprint == slots.fingerprint();
    if chained + free + in_hand != total || free != pool.free_sectors() || !is_each_once {
        return Err(Fault::Sectors { chained, free, in_hand, total });
    }
    Ok(())
}
