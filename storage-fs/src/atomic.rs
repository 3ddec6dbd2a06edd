//! The one moment a file becomes visible: a temporary that is written and synced gets its name in one step of the system.

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use storage_core::{Error, Result};

use crate::error::{doubtful, failed};
use crate::staging::{Staging, Temporary};
use crate::system::System;

/// How a temporary gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publication {
    /// In place of what has the name.
    Replace,
    /// Only where nothing has it, `AlreadyExists` elsewhere.
    Create,
    /// Likewise, and `Unsupported` where the disk cannot rename so: what probing asks.
    CreateByRename,
}

/// Gives a temporary its name. The directory is still to be synced.
pub(crate) fn publish(
    staging: &Staging,
    temporary: &mut Temporary,
    directory: BorrowedFd<'_>,
    name: &str,
    how: Publication,
) -> Result<()> {
    let (system, from) = (staging.system(), staging.directory());
    let outcome = match how {
        Publication::Replace => system.rename(from, temporary.name(), directory, name),
        Publication::CreateByRename => system.rename_new(from, temporary.name(), directory, name),
        Publication::Create => match system.rename_new(from, temporary.name(), directory, name) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                system.link(from, temporary.name(), directory, name).map(|()| {
                    // The second name is only litter, and swept if it stays.
                    let _ = system.unlink(from, temporary.name());
                })
            }
            other => other,
        },
    };
    match outcome {
        Ok(()) => {
            temporary.published();
            Ok(())
        }
        Err(Errno::EXIST) if how != Publication::Replace => Err(Error::already_exists()),
        Err(Errno::INVAL) if how == Publication::CreateByRename => Err(failed(Errno::OPNOTSUPP)),
        // The disk failed in the middle: whether the name was changed is not known.
        Err(errno @ Errno::IO) => Err(doubtful(errno)),
        Err(errno) => Err(failed(errno)),
    }
}

/// Removes a name; it may be gone already. The directory is still to be synced, also then: whoever removed it may not have come
/// to it.
pub(crate) fn unlink(system: &System, directory: BorrowedFd<'_>, name: &str) -> Result<()> {
    match system.unlink(directory, name) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno @ Errno::IO) => Err(doubtful(errno)),
        Err(errno) => Err(failed(errno)),
    }
}
