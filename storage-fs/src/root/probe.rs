//! What a disk does, found out by trying when a root is created.

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Timespec, fgetxattr, fstat, statat};
use storage_core::{Error, ErrorKind, Result};

use crate::atomic::{Publication, publish};
use crate::config::VersionKeeping;
use crate::error::failed;
use crate::staging::{Staging, Temporary};
use crate::version::{ATTRIBUTE, Keeping, modified};

/// What was found out.
pub(super) struct Facts {
    pub(super) case_folding: bool,
    pub(super) unicode_folding: bool,
    pub(super) versions: Keeping,
    pub(super) rename_noreplace: bool,
}

/// Tries everything on temporaries.
pub(super) fn probe(staging: &Staging, wanted: VersionKeeping) -> Result<Facts> {
    let mut temporary = staging.create()?;
    let attributes = keeps_attributes(&temporary)?;
    let times = keeps_nanoseconds(&temporary)?;
    let versions = match wanted {
        VersionKeeping::Auto | VersionKeeping::Attribute if attributes => Keeping::Attribute,
        VersionKeeping::Auto | VersionKeeping::ModificationTime if times => Keeping::ModificationTime,
        _ => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the disk keeps neither user attributes nor nanoseconds of modification times as asked for, so no version of a \
                 file can be kept; use another disk",
            ));
        }
    };
    let stem = temporary.name().to_owned();
    let lower = format!("{stem}-case");
    let case_folding = answers_to(staging, &lower, &lower.to_uppercase())?;
    // One character, composed and decomposed.
    let unicode_folding = answers_to(staging, &format!("{stem}-\u{e9}"), &format!("{stem}-e\u{301}"))?;
    let name = format!("{stem}-renamed");
    let rename_noreplace = match publish(
        staging,
        &mut temporary,
        staging.directory(),
        &name,
        Publication::CreateByRename,
    ) {
        Ok(()) => {
            staging.remove(&name)?;
            true
        }
        Err(error) if error.kind() == ErrorKind::Unsupported || error.kind() == ErrorKind::Io => false,
        Err(error) => return Err(error),
    };
    Ok(Facts {
        case_folding,
        unicode_folding,
        versions,
        rename_noreplace,
    })
}

fn keeps_attributes(temporary: &Temporary) -> Result<bool> {
    let value = *b"0123456789abcdef";
    let set = temporary
        .system()
        .set_attribute(temporary.file(), ATTRIBUTE, &value);
    if set.is_err() {
        return Ok(false);
    }
    let mut read = [0; 16];
    Ok(matches!(fgetxattr(temporary.file(), ATTRIBUTE, &mut read), Ok(16)) && read == value)
}

fn keeps_nanoseconds(temporary: &Temporary) -> Result<bool> {
    let time = Timespec {
        tv_sec: 1_000_000_001,
        tv_nsec: 123_456_789,
    };
    temporary
        .system()
        .set_time(temporary.file(), time)
        .map_err(failed)?;
    Ok(modified(&fstat(temporary.file()).map_err(failed)?) == (time.tv_sec, time.tv_nsec))
}

/// Whether a file created under one name is found under another.
fn answers_to(staging: &Staging, name: &str, other: &str) -> Result<bool> {
    let mut temporary = staging.create()?;
    publish(
        staging,
        &mut temporary,
        staging.directory(),
        name,
        Publication::Replace,
    )?;
    let found = statat(staging.directory().as_fd(), other, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    staging.remove(name)?;
    Ok(found)
}
