//! What a function returns: 0, or why not.

use crate::text;
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

/// Every status's sentence, in order: the place is the value without its sign. Behind them the one of any
/// other value.
static SENTENCES: [u8; 970] = *b"\
    done\0\
    a pointer is NULL or misaligned, or a value is none of its type\0\
    no store is open under this handle\0\
    no such sensor in this store\0\
    the sensor takes the other kind of record\0\
    the sensor is deactivated\0\
    the pool is full\0\
    the store is shutting down\0\
    the sensor's record numbers are used up\0\
    the sensor's last batch is still pending\0\
    the disk could not be read\0\
    not in the store\0\
    what holds the record is corrupt\0\
    the store has no place for another sensor\0\
    the sensor is already registered\0\
    the batch is not pending any more\0\
    the memory is too small or not aligned\0\
    no store can have this configuration\0\
    the disk failed\0\
    the store is owned by another process or handle\0\
    a newer library wrote the store\0\
    the store on disk needs a repair\0\
    records remained in RAM at the deadline\0\
    called from within another call\0\
    this kind of store does not do that\0\
    too many stores are open\0\
    the store contradicts itself: a fault of the library\0\
    the library panicked: a fault of its own\0\
    no status of this library\0\
";

/// The statuses that there are.
const STATUSES: usize = 28;

impl ss_status {
    /// The sentence of a value that a function returned.
    pub(crate) fn sentence(value: i32) -> &'static CStr {
        let known = value <= 0 && value.unsigned_abs() < STATUSES as u32;
        text::nth(&SENTENCES, if known { value.unsigned_abs() as usize } else { STATUSES })
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
    use super::{STATUSES, ss_status};

    #[test]
    fn each_status_has_a_sentence_of_its_own() {
        let first = ss_status::SS_OK as i32;
        let last = ss_status::SS_EPANIC as i32;
        assert_eq!((first, last.unsigned_abs() as usize), (0, STATUSES - 1));
        let sentences: Vec<_> = (last..=first).map(ss_status::sentence).collect();
        for (index, sentence) in sentences.iter().enumerate() {
            assert!(!sentence.is_empty() && !sentences[..index].contains(sentence), "{sentence:?}");
        }
        assert_eq!(ss_status::sentence(0), c"done");
        assert_eq!(
            ss_status::sentence(ss_status::SS_ESTALE as i32),
            c"the batch is not pending any more"
        );
        assert_eq!(ss_status::sentence(last), c"the library panicked: a fault of its own");
        for value in [1, last - 1, i32::MAX, i32::MIN] {
            assert_eq!(ss_status::sentence(value), c"no status of this library");
        }
    }
}
