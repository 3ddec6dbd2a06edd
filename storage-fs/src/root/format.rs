//! `.storage/format.json`: which format the root is in, and what was found out about its disk when it was created.

use rustix::fd::{AsFd, BorrowedFd};
use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind, Result, random_u128};

use super::probe;
use crate::atomic::{Publication, publish};
use crate::config::{FsConfig, VersionKeeping};
use crate::confine::{FILE, Way};
use crate::durable::Durable;
use crate::error::failed;
use crate::files::read_whole;
use crate::staging::Staging;
use crate::version::Keeping;

/// The format this library writes and reads.
const FORMAT: u32 = 1;

const PATH: &str = ".storage/format.json";
const FILE_NAME: &str = "format.json";

/// What is recorded about a root.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Format {
    /// The format of everything under the root.
    pub(crate) format: u32,
    /// Which store this is: 128 random bits in hex.
    pub(crate) store: String,
    /// Upper and lower case name the same file, so upper case is escaped.
    pub(crate) case_folding: bool,
    /// Spellings of a character name the same file, so all but ASCII is escaped.
    pub(crate) unicode_folding: bool,
    /// Where versions are kept.
    pub(crate) versions: Keeping,
    /// Whether the disk renames without replacing; without, files are linked.
    pub(crate) rename_noreplace: bool,
}

impl Format {
    /// Reads what is recorded. `None` where the root is new.
    pub(crate) fn read(way: Way, root: BorrowedFd<'_>) -> Result<Option<Self>> {
        let file = match way.open(root, PATH, FILE) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno).with_context("path", PATH)),
        };
        let bytes = read_whole(file.as_fd()).map_err(failed)?;
        let corrupt = |error| {
            Error::corrupt(
                PATH,
                "it does not say which format the root is in; restore it from a backup",
            )
            .with_source(error)
        };
        // Only the number first: nothing else is sure to mean the same in another format.
        #[derive(Deserialize)]
        struct Number {
            format: u32,
        }
        let Number { format } = serde_json::from_slice(&bytes).map_err(corrupt)?;
        if format > FORMAT {
            return Err(Error::new(
                ErrorKind::FormatTooNew,
                format!("the root is in format {format} and this program reads up to {FORMAT}; upgrade the program"),
            )
            .with_key(PATH));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(corrupt)
    }

    /// Refuses what was asked of a new root and cannot be had of this one.
    pub(crate) fn agrees_with(&self, config: &FsConfig) -> Result<()> {
        let versions = match config.versions {
            VersionKeeping::Auto => self.versions,
            VersionKeeping::Attribute => Keeping::Attribute,
            VersionKeeping::ModificationTime => Keeping::ModificationTime,
        };
        if versions != self.versions {
            return Err(Error::invalid_argument(format!(
                "the root keeps versions as {:?} since it was created; {:?} needs a new root",
                self.versions, config.versions
            )));
        }
        if config
            .case_folding
            .is_some_and(|folds| folds != self.case_folding)
        {
            return Err(Error::invalid_argument(format!(
                "the root was created with case_folding({}); another answer needs a new root",
                self.case_folding
            )));
        }
        Ok(())
    }
}

/// Probes the disk and records what it is like. Where two do so at once, one record stands and both go by it.
pub(crate) fn create(
    config: &FsConfig,
    way: Way,
    root: BorrowedFd<'_>,
    internal: BorrowedFd<'_>,
    staging: &Staging,
    durable: &Durable,
) -> Result<Format> {
    let facts = probe::probe(staging, config.versions)?;
    let format = Format {
        format: FORMAT,
        store: format!("{:032x}", random_u128()),
        case_folding: config.case_folding.unwrap_or(facts.case_folding),
        unicode_folding: facts.unicode_folding,
        versions: facts.versions,
        rename_noreplace: facts.rename_noreplace,
    };
    let mut text = serde_json::to_vec_pretty(&format).map_err(|error| {
        Error::new(ErrorKind::Internal, "the format could not be written").with_source(error)
    })?;
    text.push(b'\n');
    let mut temporary = staging.create()?;
    temporary.write(&text)?;
    durable.file(temporary.file())?;
    match publish(staging, &mut temporary, internal, FILE_NAME, Publication::Create) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    durable.directory(internal)?;
    Format::read(way, root)?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "the record of the format vanished while it was written",
        )
    })
}
