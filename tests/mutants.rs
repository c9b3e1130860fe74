//! The quick tests about RAM and disk in one program, so that a mutant costs one build and not fifteen: see
//! `.cargo/mutants.toml`. Each is a program of its own everywhere else.
#![cfg(not(feature = "shuttle"))]

mod allocations;
mod corruption;
mod damage;
mod doubt;
mod explore;
mod field_bugs;
mod format;
mod gateway_faults;
mod gateway_model;
mod golden;
mod hostile;
mod looking;
mod model;
mod oracle;
mod real_files;
mod recovery_memory;
mod reports;
mod restarts;
mod salvage;
mod sizes;
mod squeeze;
