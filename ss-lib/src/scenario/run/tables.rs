//! What a driver works in on a host, where there is an allocator.

use crate::{
    Record,
    scenario::{DriverMemory, REPLIES_PER_SENSOR, Reply, SensorRun, text::Scenario},
};

/// A driver's memory, as large as the scenario needs it.
pub(in super::super) struct DriverTables {
    pub(super) sensors: Vec<SensorRun>,
    due: Vec<u64>,
    replies: Vec<Reply>,
    batch: Vec<Record>,
    peeked: Vec<Record>,
}

impl DriverTables {
    pub(in super::super) fn new(scenario: &Scenario) -> Self {
        let sensors = scenario.sensors() as usize;
        let uploader = scenario.description().uploader;
        let batch_records = uploader.map_or(1, |uploader| uploader.batch_records as usize);
        Self {
            sensors: vec![SensorRun::default(); sensors],
            due: vec![0; sensors],
            replies: vec![Reply::default(); sensors * REPLIES_PER_SENSOR],
            batch: vec![Record::default(); batch_records],
            peeked: vec![Record::default(); batch_records],
        }
    }

    pub(in super::super) fn memory(&mut self) -> DriverMemory<'_> {
        DriverMemory {
            sensors: &mut self.sensors,
            due: &mut self.due,
            replies: &mut self.replies,
            batch: &mut self.batch,
            peeked: &mut self.peeked,
        }
    }
}
