//! One small error type an operation: what was wrong, for the caller to match on.

use core::{error::Error, fmt};

macro_rules! operation_error {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text),+ })
            }
        }

        impl Error for $name {}
    };
}

operation_error! {
    /// Why a reading was not taken. Nothing of it is stored and it got no `seq`.
    AppendError {
        /// The handle is not of this store.
        UnknownSensor => "no such sensor in this store",
        /// A time-series reading for an event sensor, or the reverse.
        WrongKind => "the sensor takes the other kind of record",
        /// The sensor was deactivated.
        Inactive => "the sensor is deactivated",
        /// The pool is exhausted and the policy, or pending data, left nothing to drop. Also if the
        /// sensor's batch has been pending while 2^32 records came after it.
        Full => "the pool is full",
        /// The store is closing.
        ShuttingDown => "the store is shutting down",
        /// The sensor's record numbers are used up.
        SeqExhausted => "the sensor's record numbers are used up",
    }
}

operation_error! {
    /// Why no batch was handed out.
    ConsumeError {
        /// The handle is not of this store.
        UnknownSensor => "no such sensor in this store",
        /// The sensor's last batch is neither acked, nacked nor rejected.
        BatchPending => "the sensor's last batch is still pending",
        /// The disk could not be read. The records stay where they are; try again.
        Unreadable => "the disk could not be read",
    }
}

operation_error! {
    /// Why a record could not be read.
    ReadError {
        /// The handle is not of this store.
        UnknownSensor => "no such sensor in this store",
        /// The record was erased, dropped or never added.
        NotRetained => "the record is not in the store",
        /// The checksum of the sector that holds it does not match.
        Corrupt => "the sector that holds the record is corrupt",
    }
}

operation_error! {
    /// Why a sensor was not registered.
    RegisterError {
        /// Every place is taken.
        TooManySensors => "the store has no place for another sensor",
        /// This source already has this id.
        Duplicate => "the sensor is already registered",
        /// A time series needs a period of at least 1 ms.
        ZeroPeriod => "a time series needs a period of at least 1 ms",
    }
}

operation_error! {
    /// Why a sensor was not reconfigured.
    ReconfigureError {
        /// The handle is not of this store.
        UnknownSensor => "no such sensor in this store",
        /// A time series needs a period of at least 1 ms.
        ZeroPeriod => "a time series needs a period of at least 1 ms",
    }
}

/// The token does not name the batch that is pending now: it was answered before, or is of another
/// attempt, sensor or epoch. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StaleBatch;

impl fmt::Display for StaleBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the batch is not pending any more")
    }
}

impl Error for StaleBatch {}

/// The handle is not of this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnknownSensor;

impl fmt::Display for UnknownSensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such sensor in this store")
    }
}

impl Error for UnknownSensor {}
