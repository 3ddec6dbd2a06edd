//! Which logs there are.

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Dir, Mode, openat};
use rustix::io::Errno;
use storage_core::{Name, Result};

use crate::confine::{DIRECTORY, step};
use crate::error::failed;
use crate::layout::{LOGS, goes_on};
use crate::root::Root;

/// The names of logs after `after`, in byte order.
pub(crate) fn names(root: &Root, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
    let Some(directory) = root.directory(LOGS)? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    visit(root, directory.as_fd(), &mut Vec::new(), &mut names)?;
    names.retain(|name| after.is_none_or(|after| name > after));
    names.sort_unstable();
    names.truncate(limit);
    Ok(names)
}

fn visit(
    root: &Root,
    directory: BorrowedFd<'_>,
    continued: &mut Vec<String>,
    names: &mut Vec<Name>,
) -> Result<()> {
    let own = openat(directory, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
    for entry in Dir::new(own).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        if goes_on(name) {
            match step(directory, name, DIRECTORY) {
                Ok(next) => {
                    continued.push(name.to_owned());
                    visit(root, next.as_fd(), continued, names)?;
                    continued.pop();
                }
                Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        } else if entry.file_type().is_file() || entry.file_type() == rustix::fs::FileType::Unknown {
            names.extend(root.layout.log_name(continued, name));
        }
    }
    Ok(())
}
