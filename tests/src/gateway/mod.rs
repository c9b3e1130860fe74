//! The gateway under random operations: a model, and the bench that holds both against each other after
//! every step.

pub mod bench;
pub mod home;
pub mod model;
pub mod op;
mod opening;
mod uploading;
