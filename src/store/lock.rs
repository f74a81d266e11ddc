//! Who may work in a run folder, and at what: advisory locks, which the system lets go when a process ends, however it ends.
//!
//! `.lock` in the folder is held by all who run shards, together, and by one who plans or gathers, alone. A shard's journal is held by the one who runs it.

use crate::error::Error;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// A run folder, held until this is dropped.
pub struct Lock(#[allow(dead_code, reason = "held, not read")] File);

/// Name of the lock in a run folder.
const NAME: &str = ".lock";

/// A lock may be looked at by `sweep status` just now: it is asked for again, so often and after this long.
const PATIENCE: (usize, Duration) = (20, Duration::from_millis(25));

impl Lock {
    /// Holds `folder` alone.
    ///
    /// # Errors
    /// When somebody else holds it, or it cannot be locked.
    pub fn alone(folder: &Path) -> Result<Self, Error> {
        let file = open(folder)?;
        exclusive(&file, folder, "another mta-sim is at work in this run folder; wait for it, or choose another --out")?;
        Ok(Lock(file))
    }

    /// Holds `folder` together with others.
    ///
    /// # Errors
    /// When somebody holds it alone, or it cannot be locked.
    pub fn shared(folder: &Path) -> Result<Self, Error> {
        let file = open(folder)?;
        patiently(folder, "another mta-sim is planning or gathering in this run folder; wait for it", || file.try_lock_shared())?;
        Ok(Lock(file))
    }
}

fn open(folder: &Path) -> Result<File, Error> {
    let options = || File::options().write(true).create(true).truncate(false).clone();
    options().open(folder.join(NAME)).map_err(Error::file(folder, "cannot be written to"))
}

/// Locks a file for oneself, or says `taken`; `path` is what messages are about.
///
/// # Errors
/// When somebody else holds it, or it cannot be locked.
pub fn exclusive(file: &File, path: &Path, taken: &str) -> Result<(), Error> {
    patiently(path, taken, || file.try_lock())
}

/// Whether somebody holds the file at `path` for himself; a file that is not there is nobody's.
pub fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn patiently(path: &Path, taken: &str, lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), Error> {
    for _ in 0..PATIENCE.0 {
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) => {
                return Err(Error::file(path, "cannot be locked; its file system must support flock")(source));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PATIENCE.1),
        }
    }
    Err(Error::damaged(path, taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_run_and_one_plans() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Lock::shared(folder.path()).unwrap(), Lock::shared(folder.path()).unwrap());
        assert!(Lock::alone(folder.path()).err().unwrap().to_string().contains("another mta-sim"));
        drop((first, second));
        let _alone = Lock::alone(folder.path()).unwrap();
        assert!(Lock::shared(folder.path()).is_err() && is_held(&folder.path().join(NAME)));
        assert!(!is_held(&folder.path().join("nothing")));
    }
}
