//! What can go wrong with models, data and checkpoints, in words a user can act on.

use std::path::{Path, PathBuf};

/// What can go wrong with a file or folder.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("{path}: {what}: {source}", path = .path.display())]
    Denied {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is damaged, belongs to something else, or does not fit the others.
    #[error("{path}: {what}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what is allowed or to be done.
        what: String,
    },
}

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that cannot be read or written, or is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// A setting that makes no sense: it names the setting, its value and what is allowed.
    #[error("{0}")]
    Setting(String),
    /// A device that is not there, or a computation that failed on it.
    #[error("{0}")]
    Device(#[from] candle_core::Error),
}

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

impl FileError {
    /// What the system said when `what` was tried with `path`.
    pub fn denied<E: From<Self>>(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> E + use<E> {
        let path = path.to_path_buf();
        move |source| FileError::Denied { path, what, source }.into()
    }

    /// Something wrong with the contents of `path`.
    pub fn damaged(path: &Path, what: impl Into<String>) -> Self {
        FileError::Damaged { path: path.to_path_buf(), what: what.into() }
    }
}

impl Error {
    /// An I/O error about `path`.
    pub fn file(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> Self + use<> {
        FileError::denied(path, what)
    }

    /// Something wrong with the contents of `path`.
    pub fn damaged(path: &Path, what: impl Into<String>) -> Self {
        FileError::damaged(path, what).into()
    }
}
