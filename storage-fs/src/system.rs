//! The calls that change a disk or make a change last. Every one this crate makes goes through here, and none that only looks.
//!
//! So one place knows the order of everything that must survive. In tests a recorder stands behind it: it writes the order down,
//! and makes calls fail. Anywhere else [`System`] holds nothing, and each method is the call itself.

#![allow(clippy::disallowed_methods, reason = "the one place that makes these calls")]

use std::path::Path;
#[cfg(test)]
use std::sync::Arc;

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, XattrFlags};
use rustix::io::{Errno, Result, retry_on_intr};

#[cfg(test)]
use crate::simulation::Recorder;

/// The system a root is on.
#[derive(Debug, Clone, Default)]
pub(crate) struct System {
    #[cfg(test)]
    recorder: Option<Arc<Recorder>>,
}

/// One call, as it is about to be made.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(test), allow(dead_code, reason = "only the recorder reads it"))]
pub(crate) enum Call<'a> {
    Create {
        directory: BorrowedFd<'a>,
        name: &'a str,
    },
    MakeDirectory {
        directory: BorrowedFd<'a>,
        name: &'a Path,
    },
    /// At the file's position, which it moves.
    Write {
        file: BorrowedFd<'a>,
    },
    WriteAt {
        file: BorrowedFd<'a>,
        bytes: &'a [u8],
        at: u64,
    },
    Truncate {
        file: BorrowedFd<'a>,
        length: u64,
    },
    SetAttribute {
        file: BorrowedFd<'a>,
        value: &'a [u8],
    },
    SetTimes {
        file: BorrowedFd<'a>,
    },
    Rename {
        from: BorrowedFd<'a>,
        old: &'a str,
        to: BorrowedFd<'a>,
        new: &'a str,
    },
    /// As `Rename`, where nothing has the new name.
    RenameNew {
        from: BorrowedFd<'a>,
        old: &'a str,
        to: BorrowedFd<'a>,
        new: &'a str,
    },
    Link {
        from: BorrowedFd<'a>,
        old: &'a str,
        to: BorrowedFd<'a>,
        new: &'a str,
    },
    Unlink {
        directory: BorrowedFd<'a>,
        name: &'a str,
    },
    SyncFile {
        file: BorrowedFd<'a>,
    },
    SyncData {
        file: BorrowedFd<'a>,
    },
    SyncDirectory {
        directory: BorrowedFd<'a>,
    },
}

impl System {
    /// One that tells everything to a recorder.
    #[cfg(test)]
    pub(crate) fn recorded(recorder: &Arc<Recorder>) -> Self {
        Self {
            recorder: Some(Arc::clone(recorder)),
        }
    }

    #[cfg(test)]
    fn call<T>(&self, call: Call<'_>, make: impl FnOnce() -> Result<T>) -> Result<T> {
        match &self.recorder {
            Some(recorder) => recorder.around(call, make),
            None => make(),
        }
    }

    #[cfg(not(test))]
    #[inline]
    #[allow(clippy::unused_self, reason = "what a test hears of is held there")]
    fn call<T>(&self, _call: Call<'_>, make: impl FnOnce() -> Result<T>) -> Result<T> {
        make()
    }

    /// Creates a file, or opens the one that is there unless the flags forbid it.
    pub(crate) fn create(
        &self,
        directory: BorrowedFd<'_>,
        name: &str,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OwnedFd> {
        self.call(Call::Create { directory, name }, || {
            rustix::fs::openat(directory, name, flags | OFlags::CREATE, mode)
        })
    }

    pub(crate) fn make_directory(&self, directory: BorrowedFd<'_>, name: &Path, mode: Mode) -> Result<()> {
        self.call(Call::MakeDirectory { directory, name }, || {
            rustix::fs::mkdirat(directory, name, mode)
        })
    }

    /// Writes at the file's position, perhaps less than all.
    pub(crate) fn write(&self, file: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
        self.call(Call::Write { file }, || rustix::io::write(file, bytes))
    }

    /// Writes at a place, perhaps less than all.
    pub(crate) fn write_at(&self, file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<usize> {
        #[cfg(test)]
        let bytes = match self.recorder.as_ref().and_then(|recorder| recorder.take_short()) {
            Some(short) => &bytes[..short.min(bytes.len())],
            None => bytes,
        };
        self.call(Call::WriteAt { file, bytes, at }, || {
            rustix::io::pwrite(file, bytes, at)
        })
    }

    /// Copies from a place in one file to the position of another, perhaps less than all, sharing bytes on disks that can.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn copy(
        &self,
        from: BorrowedFd<'_>,
        at: &mut u64,
        to: BorrowedFd<'_>,
        length: usize,
    ) -> Result<usize> {
        self.call(Call::Write { file: to }, || {
            rustix::fs::copy_file_range(from, Some(at), to, None, length)
        })
    }

    pub(crate) fn truncate(&self, file: BorrowedFd<'_>, length: u64) -> Result<()> {
        self.call(Call::Truncate { file, length }, || {
            rustix::fs::ftruncate(file, length)
        })
    }

    pub(crate) fn set_attribute(&self, file: BorrowedFd<'_>, name: &str, value: &[u8]) -> Result<()> {
        self.call(Call::SetAttribute { file, value }, || {
            rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())
        })
    }

    /// Sets the times of reading and of modification.
    pub(crate) fn set_time(&self, file: BorrowedFd<'_>, time: Timespec) -> Result<()> {
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        self.call(Call::SetTimes { file }, || rustix::fs::futimens(file, &times))
    }

    /// Renames, replacing what has the new name.
    pub(crate) fn rename(
        &self,
        from: BorrowedFd<'_>,
        old: &str,
        to: BorrowedFd<'_>,
        new: &str,
    ) -> Result<()> {
        self.call(Call::Rename { from, old, to, new }, || {
            rustix::fs::renameat(from, old, to, new)
        })
    }

    /// Renames where nothing has the new name; `NOSYS` on a system that cannot.
    pub(crate) fn rename_new(
        &self,
        from: BorrowedFd<'_>,
        old: &str,
        to: BorrowedFd<'_>,
        new: &str,
    ) -> Result<()> {
        self.call(Call::RenameNew { from, old, to, new }, || {
            rename_new(from, old, to, new)
        })
    }

    /// Gives a file a second name.
    pub(crate) fn link(&self, from: BorrowedFd<'_>, old: &str, to: BorrowedFd<'_>, new: &str) -> Result<()> {
        self.call(Call::Link { from, old, to, new }, || {
            rustix::fs::linkat(from, old, to, new, AtFlags::empty())
        })
    }

    pub(crate) fn unlink(&self, directory: BorrowedFd<'_>, name: &str) -> Result<()> {
        self.call(Call::Unlink { directory, name }, || {
            rustix::fs::unlinkat(directory, name, AtFlags::empty())
        })
    }

    /// Makes a file's content and attributes durable. An interrupted sync has not failed yet, and is made again.
    pub(crate) fn sync_file(&self, file: BorrowedFd<'_>) -> Result<()> {
        self.call(Call::SyncFile { file }, || {
            retry_on_intr(|| rustix::fs::fsync(file))
        })
    }

    /// Makes a file's content durable, and of the rest what is needed to read it.
    pub(crate) fn sync_data(&self, file: BorrowedFd<'_>) -> Result<()> {
        self.call(Call::SyncData { file }, || {
            retry_on_intr(|| rustix::fs::fdatasync(file))
        })
    }

    /// Makes a directory's entries durable.
    pub(crate) fn sync_directory(&self, directory: BorrowedFd<'_>) -> Result<()> {
        self.call(Call::SyncDirectory { directory }, || {
            retry_on_intr(|| rustix::fs::fsync(directory))
        })
    }

    /// Writes all bytes at the file's position.
    pub(crate) fn write_all(&self, file: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.write(file, bytes) {
                Ok(0) => return Err(Errno::IO),
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_new(from: BorrowedFd<'_>, old: &str, to: BorrowedFd<'_>, new: &str) -> Result<()> {
    rustix::fs::renameat_with(from, old, to, new, rustix::fs::RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_new(_from: BorrowedFd<'_>, _old: &str, _to: BorrowedFd<'_>, _new: &str) -> Result<()> {
    Err(Errno::NOSYS)
}
