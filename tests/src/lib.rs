//! What the tests of the whole share: a reference model, the operations that are run on it and on
//! the store, and the bench that holds both against each other after every step.
#![allow(clippy::cast_possible_truncation, reason = "test data are small")]

pub mod bench;
pub mod disk;
pub mod foreign;
pub mod gateway;
pub mod losses;
pub mod model;
pub mod op;
pub mod rot;
pub mod settings;
pub mod standin;
pub mod tagged;
pub mod threads;
pub mod world;
