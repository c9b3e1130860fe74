//! A process to be ended in any way: works on the store in a directory and says so on standard output.
//! SIGTERM ends it in order.
//!
//! `gateway-child DIR SEED [STEPS]`

use ss_lib::{
    disk::RealDisk,
    torture::{Outcome, Work, work},
};
use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

fn main() -> ExitCode {
    let stop = Arc::new(AtomicBool::new(false));
    let listening = signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop));
    let mut arguments = env::args_os().skip(1);
    let directory = arguments.next().map(PathBuf::from);
    let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
    let (seed, steps) = (number(), number());
    let (Some(directory), Some(seed), Ok(_)) = (directory, seed, listening) else {
        eprintln!("usage: gateway-child DIR SEED [STEPS]");
        return ExitCode::from(2);
    };
    let disk = match RealDisk::open_owned(&directory) {
        Ok(disk) => disk,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(3);
        }
    };
    let steps = steps.and_then(|steps| u32::try_from(steps).ok());
    let outcome = work(disk, Work { seed, steps }, &stop, &mut std::io::stdout());
    eprintln!("{outcome}");
    match outcome {
        Outcome::ShutDown(report) if report.is_complete() => ExitCode::SUCCESS,
        Outcome::ShutDown(_) => ExitCode::from(1),
        Outcome::NotOpened(_) => ExitCode::from(3),
        Outcome::NotSaid(_) | Outcome::Impossible(_) => ExitCode::from(4),
    }
}
