//! Files whose names a kill left without a sync of their directory.

use super::support::{add, check_wherever_it_is_cut, fail_next, levels, open};
use ss_lib::disk::sim::{Call, Image, SimDisk};

/// A kill came between the sync of a new segment's checkpoint and that of its directory. The next opening went on
/// in it, and a power cut took its name, with all that had been called durable.
#[test]
fn a_segment_that_an_opening_goes_on_with_has_a_durable_name() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 20);
    // What the gateway does about a failure is what a kill does not leave it the time for.
    fail_next(&disk, Call::SyncDir);
    fail_next(&disk, Call::Unlink);
    assert!(gateway.sync().is_err());
    assert!(!disk.has_due(Call::SyncDir) && !disk.has_due(Call::Unlink));
    drop(gateway);
    disk.heal();
    let (mut gateway, sensors) = open(&disk);
    add(&mut gateway, &sensors, 20);
    gateway.sync().unwrap();
    let end = levels(&gateway, &sensors)[0].durable_seq;
    assert!(end >= 20);
    drop(gateway);
    check_wherever_it_is_cut(&disk, end);
}

/// A kill came between the sync of a squeezed file's footer and that of its directory. The next opening took the
/// squeezed one and erased its source, and a power cut took the name of the squeezed one.
#[test]
fn a_squeezed_segment_has_a_durable_name_before_its_source_goes() {
    let disk = SimDisk::crashable_from(&Image::default());
    let (mut gateway, sensors) = open(&disk);
    let (mut end, mut now_ms) = (0, 0);
    while gateway.disk().segments < 5 {
        add(&mut gateway, &sensors, 100);
        end += 100;
        gateway.sync().unwrap();
    }
    let has_squeezed = || disk.image().list().any(|(name, _)| name.ends_with("-01.seg"));
    for _ in 0..200 {
        fail_next(&disk, Call::SyncDir);
        if has_squeezed() {
            fail_next(&disk, Call::Unlink);
        }
        now_ms += 100;
        gateway.tick(now_ms);
        if !disk.has_due(Call::SyncDir) {
            break;
        }
    }
    drop(gateway);
    disk.heal();
    assert!(has_squeezed());
    let (mut gateway, _) = open(&disk);
    gateway.tick(0);
    drop(gateway);
    check_wherever_it_is_cut(&disk, end);
}
