//! The one moment a file becomes visible: a temporary that is written and synced gets its name in one step of the system.

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, linkat, renameat, unlinkat};
use rustix::io::{Errno, Result as SystemResult};
use storage_core::{Error, Result};

use crate::error::{doubtful, failed};
use crate::staging::{Staging, Temporary};

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
    let from = staging.directory();
    let outcome = match how {
        Publication::Replace => renameat(from, temporary.name(), directory, name),
        Publication::CreateByRename => rename_new(from, temporary.name(), directory, name),
        Publication::Create => match rename_new(from, temporary.name(), directory, name) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(from, temporary.name(), directory, name, AtFlags::empty()).map(|()| {
                    // The second name is only litter, and swept if it stays.
                    let _ = unlinkat(from, temporary.name(), AtFlags::empty());
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

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_new(from: BorrowedFd<'_>, old: &str, to: BorrowedFd<'_>, new: &str) -> SystemResult<()> {
    rustix::fs::renameat_with(from, old, to, new, rustix::fs::RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_new(_from: BorrowedFd<'_>, _old: &str, _to: BorrowedFd<'_>, _new: &str) -> SystemResult<()> {
    Err(Errno::NOSYS)
}

/// Removes a name; it may be gone already. The directory is still to be synced, also then: whoever removed it may not have come
/// to it.
pub(crate) fn unlink(directory: BorrowedFd<'_>, name: &str) -> Result<()> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno @ Errno::IO) => Err(doubtful(errno)),
        Err(errno) => Err(failed(errno)),
    }
}
