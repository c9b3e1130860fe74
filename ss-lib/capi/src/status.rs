//! What a function returns: 0, or why not.

use core::ffi::CStr;
use ss_lib::{
    AppendError, ConsumeError, ReadError, ReconfigureError, RegisterError, StaleBatch,
    UnknownSensor,
};

/// What a function returns, as an `int`: 0, or a negative value.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ss_status {
    /// Done.
    SS_OK = 0,
    /// A pointer is NULL or misaligned, or a value is none of those that its type has.
    SS_EINVAL = -1,
    /// No store is open under this handle: it was closed, or never opened.
    SS_EHANDLE = -2,
    /// The store has no such sensor.
    SS_ESENSOR = -3,
    /// The sensor takes the other kind of record.
    SS_EKIND = -4,
    /// The sensor is deactivated.
    SS_EINACTIVE = -5,
    /// The pool is full, and the policy left nothing to drop. The reading was not taken.
    SS_EFULL = -6,
    /// The store is shutting down or shut down. The reading was not taken.
    SS_ESHUTDOWN = -7,
    /// The sensor's record numbers are used up.
    SS_ESEQ = -8,
    /// The sensor's last batch is neither acked, nacked nor rejected.
    SS_EPENDING = -9,
    /// The disk could not be read. The records stay where they are; try again.
    SS_EUNREADABLE = -10,
    /// No such record is in the store, or no sensor has this name.
    SS_ENOTFOUND = -11,
    /// The checksum of what holds the record does not match.
    SS_ECORRUPT = -12,
    /// The store has no place for another sensor.
    SS_ETOOMANY = -13,
    /// The sensor is registered already.
    SS_EEXIST = -14,
    /// The token does not name the batch that is pending now: it was answered before, or is of another
    /// attempt, sensor, opening or store. Nothing was changed.
    SS_ESTALE = -15,
    /// The memory that was given is too small or not aligned.
    SS_EMEMORY = -16,
    /// The configuration is one that no store can have.
    SS_ECONFIG = -17,
    /// The disk failed.
    SS_EIO = -18,
    /// Another process, or another handle of this one, owns the store.
    SS_ELOCKED = -19,
    /// A newer library wrote the store. Nothing was touched.
    SS_EVERSION = -20,
    /// The store on disk cannot be opened as it is: `ss inspect` shows it, `ss repair` mends it.
    SS_EDAMAGED = -21,
    /// The deadline passed and records remained in RAM only.
    SS_ETIMEDOUT = -22,
    /// The call came from within another one: from a progress function or, where the critical sections
    /// do not keep it out, from an interrupt.
    SS_EBUSY = -23,
    /// This kind of store does not do that.
    SS_ENOTSUP = -24,
    /// As many stores are open as one process can have.
    SS_EHANDLES = -25,
    /// The store contradicts itself: a fault of the library. `ss_check` says this.
    SS_EFAULT = -26,
    /// The library panicked: a fault of its own. It wrote to stderr where; do not go on with this store.
    SS_EPANIC = -27,
}

/// Every status with its sentence, in order: the place is the value without its sign.
const SENTENCES: [(ss_status, &CStr); 28] = [
    (ss_status::SS_OK, c"done"),
    (ss_status::SS_EINVAL, c"a pointer is NULL or misaligned, or a value is none of its type"),
    (ss_status::SS_EHANDLE, c"no store is open under this handle"),
    (ss_status::SS_ESENSOR, c"no such sensor in this store"),
    (ss_status::SS_EKIND, c"the sensor takes the other kind of record"),
    (ss_status::SS_EINACTIVE, c"the sensor is deactivated"),
    (ss_status::SS_EFULL, c"the pool is full"),
    (ss_status::SS_ESHUTDOWN, c"the store is shutting down"),
    (ss_status::SS_ESEQ, c"the sensor's record numbers are used up"),
    (ss_status::SS_EPENDING, c"the sensor's last batch is still pending"),
    (ss_status::SS_EUNREADABLE, c"the disk could not be read"),
    (ss_status::SS_ENOTFOUND, c"not in the store"),
    (ss_status::SS_ECORRUPT, c"what holds the record is corrupt"),
    (ss_status::SS_ETOOMANY, c"the store has no place for another sensor"),
    (ss_status::SS_EEXIST, c"the sensor is already registered"),
    (ss_status::SS_ESTALE, c"the batch is not pending any more"),
    (ss_status::SS_EMEMORY, c"the memory is too small or not aligned"),
    (ss_status::SS_ECONFIG, c"no store can have this configuration"),
    (ss_status::SS_EIO, c"the disk failed"),
    (ss_status::SS_ELOCKED, c"the store is owned by another process or handle"),
    (ss_status::SS_EVERSION, c"a newer library wrote the store"),
    (ss_status::SS_EDAMAGED, c"the store on disk needs a repair"),
    (ss_status::SS_ETIMEDOUT, c"records remained in RAM at the deadline"),
    (ss_status::SS_EBUSY, c"called from within another call"),
    (ss_status::SS_ENOTSUP, c"this kind of store does not do that"),
    (ss_status::SS_EHANDLES, c"too many stores are open"),
    (ss_status::SS_EFAULT, c"the store contradicts itself: a fault of the library"),
    (ss_status::SS_EPANIC, c"the library panicked: a fault of its own"),
];

impl ss_status {
    /// The sentence of a value that a function returned.
    pub(crate) fn sentence(value: i32) -> &'static CStr {
        let known = usize::try_from(value.unsigned_abs()).ok().filter(|_| value <= 0);
        known
            .and_then(|index| SENTENCES.get(index))
            .map_or(c"no status of this library", |&(_, text)| text)
    }
}

impl From<AppendError> for ss_status {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::UnknownSensor => Self::SS_ESENSOR,
            AppendError::WrongKind => Self::SS_EKIND,
            AppendError::Inactive => Self::SS_EINACTIVE,
            AppendError::Full => Self::SS_EFULL,
            AppendError::ShuttingDown => Self::SS_ESHUTDOWN,
            AppendError::SeqExhausted => Self::SS_ESEQ,
        }
    }
}

impl From<ConsumeError> for ss_status {
    fn from(error: ConsumeError) -> Self {
        match error {
            ConsumeError::UnknownSensor => Self::SS_ESENSOR,
            ConsumeError::BatchPending => Self::SS_EPENDING,
            ConsumeError::Unreadable => Self::SS_EUNREADABLE,
        }
    }
}

impl From<ReadError> for ss_status {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownSensor => Self::SS_ESENSOR,
            ReadError::NotRetained => Self::SS_ENOTFOUND,
            ReadError::Corrupt => Self::SS_ECORRUPT,
        }
    }
}

impl From<RegisterError> for ss_status {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::TooManySensors => Self::SS_ETOOMANY,
            RegisterError::Duplicate => Self::SS_EEXIST,
            RegisterError::ZeroPeriod => Self::SS_EINVAL,
        }
    }
}

impl From<ReconfigureError> for ss_status {
    fn from(error: ReconfigureError) -> Self {
        match error {
            ReconfigureError::UnknownSensor => Self::SS_ESENSOR,
            ReconfigureError::ZeroPeriod => Self::SS_EINVAL,
        }
    }
}

impl From<StaleBatch> for ss_status {
    fn from(_: StaleBatch) -> Self {
        Self::SS_ESTALE
    }
}

impl From<UnknownSensor> for ss_status {
    fn from(_: UnknownSensor) -> Self {
        Self::SS_ESENSOR
    }
}

#[cfg(test)]
mod tests {
    use super::{SENTENCES, ss_status};

    #[test]
    fn each_status_has_the_sentence_in_its_place() {
        for (index, &(status, text)) in SENTENCES.iter().enumerate() {
            assert_eq!(status as i32, -(i32::try_from(index).unwrap()));
            assert_eq!(ss_status::sentence(status as i32), text);
        }
        let unknown = c"no status of this library";
        for value in [1, -28, i32::MAX, i32::MIN] {
            assert_eq!(ss_status::sentence(value), unknown);
        }
    }
}
