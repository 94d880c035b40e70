//! What can go wrong, each with a stable code.

use std::io;
use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The heap cannot be read.
    #[error(transparent)]
    Heap(#[from] heap::Error),
    /// An output file that is there already.
    #[error("{path} exists; nothing was written")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A heap with fields marked secret, which a dump without redaction would give away.
    #[error("the heap has secret fields ({}), and this version cannot redact them", fields.join(", "))]
    Secrets {
        /// The fields, as `User.token`.
        fields: Vec<String>,
    },
    /// A manifest that is damaged.
    #[error("the manifest is damaged: {0}")]
    Manifest(String),
    /// A sealed image whose content is not what was sealed.
    #[error("the image's content is not what was sealed: {0}")]
    Content(String),
    /// A path that cannot be read as one.
    #[error("{path:?} is no path: {what}")]
    Syntax {
        /// What was given.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A path that begins nowhere.
    #[error("the heap has no {what}")]
    Unknown {
        /// The root, type or record that is not there.
        what: String,
        /// What may have been meant.
        instead: Vec<String>,
    },
    /// A path that leads nowhere.
    #[error("{at} has no {what}")]
    Nothing {
        /// How far the path led.
        at: String,
        /// What is not there.
        what: String,
        /// What may have been meant.
        instead: Vec<String>,
    },
    /// Values lie so deep in each other that something must be wrong.
    #[error("values lie more than {0} deep in each other")]
    Depth(usize),
    /// Reading or writing failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done, with the file's name.
        action: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl Error {
    /// The stable code, `IMG-nnnn`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Heap(error) => error.code(),
            Self::Exists { .. } => "IMG-0602",
            Self::Secrets { .. } => "IMG-0612",
            Self::Manifest(_) => "IMG-0406",
            Self::Content(_) => "IMG-0407",
            Self::Syntax { .. } => "IMG-0201",
            Self::Unknown { .. } => "IMG-0504",
            Self::Nothing { .. } => "IMG-0210",
            Self::Depth(_) => "IMG-0408",
            Self::Io { .. } => "IMG-0901",
        }
    }

    pub(crate) fn io(action: impl Into<String>, source: io::Error) -> Self {
        Self::Io { action: action.into(), source }
    }

    /// Writing out failed.
    pub(crate) fn writing(source: io::Error) -> Self {
        Self::io("writing", source)
    }
}
