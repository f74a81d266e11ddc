//! What can go wrong, and the exit code it ends with.

use crate::stop;
use mta_llm::error::FileError;
use mta_sims::knob::KnobError;
use mta_sims::registry::UnknownName;
use std::path::{Path, PathBuf};

/// An error a user can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag or a key of a configuration file is wrong.
    #[error("{origin}{0}", origin = .1.prefix())]
    Knob(Box<KnobError>, Origin),
    /// A name nobody has.
    #[error(transparent)]
    Unknown(Box<UnknownName>),
    /// A grid that cannot be read.
    #[error("{origin}{0}", origin = .1.prefix())]
    Grid(Box<crate::grid::GridError>, Origin),
    /// A configuration file that cannot be read, or a setting that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file that cannot be read or written, is damaged, or belongs to something else.
    #[error(transparent)]
    File(#[from] FileError),
    /// A picture that could not be drawn.
    #[error("figure: {0}")]
    Figure(String),
    /// Something about a language model, its data or its device.
    #[error(transparent)]
    Model(#[from] mta_llm::error::Error),
    /// Claims that came out against what is expected of them.
    #[error("not as expected: {0}")]
    Unexpected(String),
    /// The user stopped a training run.
    #[error("stopped after step {step} of {steps}; its checkpoint is kept, and the same command goes on from there")]
    Stopped {
        /// Steps done.
        step: usize,
        /// Steps planned.
        steps: usize,
    },
    /// Cells that no shard has finished.
    #[error("{missing} of {total} cells are not finished: {names}; run their shards again")]
    Missing {
        /// How many.
        missing: usize,
        /// Cells planned.
        total: usize,
        /// Some of them.
        names: String,
    },
    /// The user stopped the run.
    #[error("stopped: {done} of {total} cells are finished and kept; the same command goes on from there")]
    Interrupted {
        /// Cells finished.
        done: usize,
        /// Cells planned.
        total: usize,
    },
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// A key of a configuration file.
    File(PathBuf),
    /// A recipe's table in a configuration file.
    Recipe(PathBuf, String),
    /// Several settings of the world together.
    Together,
    /// Several settings of the recipe of this name together.
    Ready(String),
}

impl Origin {
    /// What a message about the setting begins with.
    pub fn prefix(&self) -> String {
        match self {
            Origin::Flag => "--".into(),
            Origin::File(path) => format!("{}: ", path.display()),
            Origin::Recipe(path, name) => format!("{}: [recipe.{name}] ", path.display()),
            Origin::Together => String::new(),
            Origin::Ready(name) => format!("recipe {name}: "),
        }
    }
}

impl From<UnknownName> for Error {
    fn from(unknown: UnknownName) -> Self {
        Error::Unknown(unknown.into())
    }
}

impl Error {
    /// A wrong knob, and who set it.
    pub fn knob(error: KnobError, origin: &Origin) -> Self {
        Error::Knob(error.into(), origin.clone())
    }

    /// The process exit code: 2 for what the user can mend, 3 for cells that are missing, 75 or 130 for a run that was stopped ([`stop`]), 1 for the rest.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Interrupted { .. } | Error::Stopped { .. } => stop::exit_code(),
            Error::Missing { .. } => 3,
            Error::Figure(_) | Error::Unexpected(_) => 1,
            _ => 2,
        }
    }

    /// An I/O error about `path`.
    pub fn file(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> Self + use<> {
        FileError::denied(path, what)
    }

    /// Something wrong with the contents of `path`, and what to do.
    pub fn damaged(path: &Path, what: impl Into<String>) -> Self {
        FileError::damaged(path, what).into()
    }
}
