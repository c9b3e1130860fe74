//! The probe, and the chip behind it.

use super::{elf::Firmware, trouble::Trouble};
use probe_rs::{
    CoreType, Error, MemoryInterface, Permissions, Session,
    config::{Registry, RegistryError},
    flashing::{DownloadOptions, FlashProgress, ProgressEvent, ProgressOperation},
    probe::{
        DebugProbeSelector, Probe, WireProtocol,
        list::{Accessibility, Lister},
    },
};
use std::{net::SocketAddr, str::FromStr, time::Duration};

/// A probe that is attached to this machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) vendor: u16,
    pub(crate) product: u16,
    pub(crate) serial: Option<String>,
    pub(crate) may_open: bool,
}

impl Seen {
    /// How `--probe` names it.
    pub(crate) fn selector(&self) -> String {
        let Self { vendor, product, serial, .. } = self;
        let serial = serial.as_ref().map_or(String::new(), |serial| format!(":{serial}"));
        format!("{vendor:04x}:{product:04x}{serial}")
    }
}

/// All probes that are attached.
pub(crate) fn list() -> Vec<Seen> {
    let items = Lister::new().list_all_with_access();
    let seen = items.into_iter().map(|item| Seen {
        name: item.info.identifier.clone(),
        vendor: item.info.vendor_id,
        product: item.info.product_id,
        serial: item.info.serial_number.clone(),
        may_open: item.accessibility == Accessibility::Accessible,
    });
    seen.collect()
}

/// The probe to use, of those that are attached.
pub(crate) fn choose(seen: &[Seen], wanted: Option<&str>) -> Result<String, Trouble> {
    let fits = |probe: &&Seen| {
        wanted.is_none_or(|wanted| {
            let wanted = wanted.to_ascii_lowercase();
            let (long, short) =
                (probe.selector(), format!("{:04x}:{:04x}", probe.vendor, probe.product));
            wanted == long.to_ascii_lowercase() || wanted == short
        })
    };
    let fitting: Vec<_> = seen.iter().filter(fits).collect();
    match (&fitting[..], wanted) {
        ([], None) => Err(Trouble::NoProbe),
        ([], Some(wanted)) => Err(Trouble::NotThatProbe {
            wanted: wanted.to_owned(),
            seen: seen.iter().map(Seen::selector).collect(),
        }),
        ([one], _) if !one.may_open => {
            Err(Trouble::NoPermission { name: one.name.clone(), vendor: one.vendor })
        }
        ([one], _) => Ok(one.selector()),
        (several, _) => Err(Trouble::SeveralProbes {
            selectors: several.iter().map(|probe| probe.selector()).collect(),
        }),
    }
}

/// Opens the probe. One that is an address is opened without looking for it first.
pub(crate) fn open(wanted: Option<&str>) -> Result<Probe, Trouble> {
    let address = wanted.and_then(|text| text.splitn(3, ':').nth(2)?.parse::<SocketAddr>().ok());
    let selector = match (wanted, address) {
        (Some(wanted), Some(_)) => wanted.to_owned(),
        (Some(text), None) if DebugProbeSelector::from_str(text).is_err() => {
            return Err(Trouble::BadSelector { text: text.to_owned() });
        }
        _ => choose(&list(), wanted)?,
    };
    let parsed = DebugProbeSelector::from_str(&selector)
        .map_err(|_| Trouble::BadSelector { text: selector.clone() })?;
    let mut probe = Lister::new().open(parsed).map_err(|error| match address {
        Some(address) => Trouble::NothingListens { address: address.to_string() },
        None => Trouble::Probe { doing: "be opened", error: chain(&error) },
    })?;
    let chosen = probe.select_protocol(WireProtocol::Swd);
    chosen.map_err(|error| Trouble::Probe { doing: "speak SWD", error: chain(&error) })?;
    Ok(probe)
}

/// Attaches to the chip, and sees to it that it is that chip.
pub(crate) fn attach(
    mut probe: Probe,
    chip: &str,
    speed_khz: Option<u32>,
    firmware: &Firmware,
) -> Result<Session, Trouble> {
    let registry = Registry::from_builtin_families();
    let target = registry.get_target_by_name(chip).map_err(|error| match error {
        RegistryError::ChipNotUnique(name, fitting) => Trouble::AmbiguousChip { name, fitting },
        _ => Trouble::UnknownChip { name: chip.to_owned(), similar: similar(&registry, chip) },
    })?;
    let holds = |&(first, last): &(u32, u32)| {
        let (first, last) = (u64::from(first), u64::from(last));
        target.memory_map.iter().any(|region| {
            let range = region.address_range();
            range.contains(&first) && range.contains(&last)
        })
    };
    if let Some(&(address, _)) = firmware.used.iter().find(|used| !holds(used)) {
        return Err(Trouble::DoesNotFit { chip: target.name, address });
    }
    if let Some(khz) = speed_khz {
        let set = probe.set_speed(khz);
        set.map_err(|error| Trouble::Probe { doing: "set its speed", error: chain(&error) })?;
    }
    let wanted = target.cores.first().map(|core| core.core_type);
    let name = target.name.clone();
    let failed =
        |error: Error| Trouble::Probe { doing: "attach to the chip", error: chain(&error) };
    let mut session = probe.attach(target, Permissions::default()).map_err(failed)?;
    let part = session.core(0).and_then(|mut core| core.read_word_32(CPUID)).map_err(failed)?;
    let (found, architecture) = core_of(part);
    if let (Some(wanted), Some(architecture)) = (wanted, architecture)
        && wanted != architecture
    {
        return Err(Trouble::WrongChip { chip: name, wanted: name_of(wanted), found });
    }
    Ok(session)
}

/// Chips whose names begin as this one does, as far as any does.
fn similar(registry: &Registry, chip: &str) -> Vec<String> {
    let prefixes = (4..=chip.len()).rev().filter_map(|len| chip.get(..len));
    let found = prefixes.map(|prefix| chips(registry, prefix)).find(|found| !found.is_empty());
    found.unwrap_or_default()
}

/// The chips whose names contain `filter`.
pub(crate) fn chips(registry: &Registry, filter: &str) -> Vec<String> {
    let wanted = filter.to_ascii_lowercase();
    let variants = registry.families().iter().flat_map(|family| &family.variants);
    let mut names: Vec<_> = variants
        .map(|chip| chip.name.clone())
        .filter(|name| name.to_ascii_lowercase().contains(&wanted))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Where the core says what it is.
const CPUID: u64 = 0xE000_ED00;

fn core_of(cpuid: u32) -> (&'static str, Option<CoreType>) {
    match cpuid >> 4 & 0xFFF {
        0xC20 => ("Cortex-M0", Some(CoreType::Armv6m)),
        0xC60 => ("Cortex-M0+", Some(CoreType::Armv6m)),
        0xC23 => ("Cortex-M3", Some(CoreType::Armv7m)),
        0xC24 => ("Cortex-M4", Some(CoreType::Armv7em)),
        0xC27 => ("Cortex-M7", Some(CoreType::Armv7em)),
        0xD20 => ("Cortex-M23", Some(CoreType::Armv8m)),
        0xD21 => ("Cortex-M33", Some(CoreType::Armv8m)),
        _ => ("unknown", None),
    }
}

const fn name_of(core: CoreType) -> &'static str {
    match core {
        CoreType::Armv6m => "Cortex-M0 or M0+",
        CoreType::Armv7m => "Cortex-M3",
        CoreType::Armv7em => "Cortex-M4 or M7",
        CoreType::Armv8m => "Cortex-M23 or M33",
        _ => "core of another kind",
    }
}

/// Writes the firmware into the chip. `progress` is told what is done and how many bytes of it.
pub(crate) fn flash(
    session: &mut Session,
    firmware: &Firmware,
    mut progress: impl FnMut(&'static str, u64),
) -> Result<(), Trouble> {
    let failed = |error: String| Trouble::Probe { doing: "write the flash", error };
    let mut loader = session.target().flash_loader();
    for (address, bytes) in &firmware.segments {
        let added = loader.add_data(u64::from(*address), bytes);
        added.map_err(|error| failed(chain(&error)))?;
    }
    let mut options = DownloadOptions::new();
    options.verify = true;
    options.progress = FlashProgress::new(move |event| {
        if let ProgressEvent::Progress { operation, size, .. } = event {
            let name = match operation {
                ProgressOperation::Fill => "reading",
                ProgressOperation::Erase => "erasing",
                ProgressOperation::Program => "writing",
                ProgressOperation::Verify => "verifying",
            };
            progress(name, size);
        }
    });
    loader.commit(session, options).map_err(|error| failed(chain(&error)))
}

/// Resets the chip and lets the firmware begin. What the line's memory held before is made void.
pub(crate) fn restart(session: &mut Session, firmware: &Firmware) -> Result<(), Trouble> {
    let failed = |error: Error| Trouble::Probe { doing: "reset the chip", error: chain(&error) };
    let mut core = session.core(0).map_err(failed)?;
    core.reset_and_halt(Duration::from_secs(2)).map_err(failed)?;
    core.write_8(u64::from(firmware.rtt), &[0; 16]).map_err(failed)?;
    core.write_32(u64::from(firmware.crash), &[0]).map_err(failed)?;
    core.run().map_err(failed)
}

/// An error with what lies below it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let below = error.to_string();
        if !text.contains(&below) {
            text += ": ";
            text += &below;
        }
        source = error.source();
    }
    text.trim_end_matches('.').replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{Seen, choose};
    use crate::hw_run::trouble::Trouble;

    fn probe(serial: &str, may_open: bool) -> Seen {
        Seen {
            name: "STLink V2-1".to_owned(),
            vendor: 0x0483,
            product: 0x374B,
            serial: Some(serial.to_owned()),
            may_open,
        }
    }

    #[test]
    fn without_a_probe_the_next_step_is_to_plug_one_in_or_to_do_without() {
        let trouble = choose(&[], None).unwrap_err();
        assert_eq!(trouble, Trouble::NoProbe);
        let text = trouble.to_string();
        assert!(
            text.contains("no debug probe is attached") && text.contains("--virtual"),
            "{text}"
        );
    }

    #[test]
    fn the_only_probe_is_taken_and_may_be_named_with_or_without_its_serial_number() {
        let seen = [probe("066B", true)];
        for wanted in [None, Some("0483:374b"), Some("0483:374B:066B")] {
            assert_eq!(choose(&seen, wanted).as_deref(), Ok("0483:374b:066B"));
        }
    }

    #[test]
    fn of_several_probes_one_must_be_named() {
        let seen = [probe("1", true), probe("2", true)];
        let text = choose(&seen, None).unwrap_err().to_string();
        assert!(text.contains("2 debug probes"), "{text}");
        assert!(text.contains("0483:374b:1, 0483:374b:2") && text.contains("--probe"), "{text}");
        assert_eq!(choose(&seen, Some("0483:374b:2")).as_deref(), Ok("0483:374b:2"));
    }

    #[test]
    fn a_probe_without_permission_is_answered_with_the_udev_rule() {
        let text = choose(&[probe("1", false)], None).unwrap_err().to_string();
        assert!(text.contains("ATTR{idVendor}==\"0483\"") && text.contains("udevadm"), "{text}");
    }

    #[test]
    fn a_probe_that_is_not_there_is_named_beside_those_that_are() {
        let text = choose(&[probe("1", true)], Some("1366:0101")).unwrap_err().to_string();
        assert!(text.contains("1366:0101") && text.contains("0483:374b:1"), "{text}");
        let text = choose(&[], Some("1366:0101")).unwrap_err().to_string();
        assert!(text.contains("nor any other"), "{text}");
    }
}
