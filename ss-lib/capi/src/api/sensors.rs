//! Sensors: added, found, changed, switched on and off.

use super::{input, out};
use crate::{
    boundary::entry,
    engine::Engine,
    handle::with_store,
    status::ss_status,
    types::{kind_of, ss_sensor_config, ss_store},
};
use core::ffi::c_int;
use ss_lib::{Sensor, SensorKey};

/// Registers a sensor, active at once, and gives its number, which every other function takes. A store on
/// disk takes over a sensor that it knows from before: it keeps its number, its records and its numbering.
///
/// SS_EEXIST: registered already in this opening. SS_ETOOMANY: every place is taken. SS_EINVAL: no such
/// kind, a time series without a period, a reserved byte that is not 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_add(
    store: *mut ss_store,
    config: *const ss_sensor_config,
    sensor: *mut u32,
) -> c_int {
    entry(|| {
        let config = input!(config).native()?;
        let sensor = out!(sensor);
        let added = with_store!(store, |engine| Ok(Engine::register(engine, config)?))?;
        sensor.set(added.index() as u32);
        Ok(())
    })
}

/// The number of the sensor of this name, also if it left the configuration and still holds records.
///
/// SS_ENOTFOUND: there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_find(
    store: *mut ss_store,
    source: u8,
    id: u32,
    sensor: *mut u32,
) -> c_int {
    entry(|| {
        let sensor = out!(sensor);
        let key = SensorKey { source, id };
        let found = with_store!(store, |engine| Ok(Engine::find(engine, key)))?;
        sensor.set(found.ok_or(ss_status::SS_ENOTFOUND)?.index() as u32);
        Ok(())
    })
}

/// How many sensors the store knows: their numbers are those below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_count(store: *mut ss_store, sensors: *mut u32) -> c_int {
    entry(|| {
        let sensors = out!(sensors);
        sensors.set(with_store!(store, |engine| Ok(Engine::sensors(engine)))?);
        Ok(())
    })
}

/// The sensor's configuration now. `first_seq` is the number that its next record gets.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_config_get(
    store: *mut ss_store,
    sensor: u32,
    config: *mut ss_sensor_config,
) -> c_int {
    entry(|| {
        let config = out!(config);
        let sensor = Sensor::from_index(sensor);
        config.set(with_store!(store, |engine| Ok(Engine::sensor_config(engine, sensor)?))?.into());
        Ok(())
    })
}

/// Changes a sensor's kind (one of `ss_kind`) and period. What is stored keeps what it has.
///
/// SS_ESENSOR. SS_EINVAL: no such kind, or a time series without a period.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_reconfigure(
    store: *mut ss_store,
    sensor: u32,
    kind: u32,
    period_ms: u32,
) -> c_int {
    entry(|| {
        let (sensor, kind) = (Sensor::from_index(sensor), kind_of(kind)?);
        with_store!(store, |engine| Ok(Engine::reconfigure(engine, sensor, kind, period_ms)?))
    })
}

/// Lets the sensor add again.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_activate(store: *mut ss_store, sensor: u32) -> c_int {
    entry(|| {
        let sensor = Sensor::from_index(sensor);
        with_store!(store, |engine| Ok(Engine::set_active(engine, sensor, true)?))
    })
}

/// Refuses the sensor's adds from now on. What is stored stays, and can be consumed.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_deactivate(store: *mut ss_store, sensor: u32) -> c_int {
    entry(|| {
        let sensor = Sensor::from_index(sensor);
        with_store!(store, |engine| Ok(Engine::set_active(engine, sensor, false)?))
    })
}

/// Whether the sensor may add.
///
/// SS_ESENSOR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ss_sensor_is_active(
    store: *mut ss_store,
    sensor: u32,
    is_active: *mut bool,
) -> c_int {
    entry(|| {
        let is_active = out!(is_active);
        let sensor = Sensor::from_index(sensor);
        is_active.set(with_store!(store, |engine| Ok(Engine::is_active(engine, sensor)?))?);
        Ok(())
    })
}
