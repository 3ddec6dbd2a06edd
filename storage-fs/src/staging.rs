//! Temporaries: where a file is written before anybody may see it.
//!
//! Their names are 128 random bits, so writers never meet; each writer keeps a lock on its own while it lives, so a sweep can tell
//! the dead from the slow; and they stand in `.storage/staging`, where no listing looks.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Dir, FlockOperation, Mode, OFlags, flock, fstat, openat};
use rustix::io::Errno;
use storage_core::{Result, random_u128};

use crate::confine::{DIRECTORY, FILE};
use crate::error::failed;
use crate::system::System;
use crate::version::modified;

/// The staging directory of a root.
#[derive(Debug)]
pub(crate) struct Staging {
    system: System,
    directory: Arc<OwnedFd>,
    max_age: Duration,
}

/// A file being written. Dropping it removes it, unless it was published.
#[derive(Debug)]
pub(crate) struct Temporary {
    system: System,
    directory: Arc<OwnedFd>,
    name: String,
    file: OwnedFd,
    published: bool,
}

impl Staging {
    pub(crate) fn new(system: System, directory: OwnedFd, max_age: Duration) -> Self {
        Self {
            system,
            directory: Arc::new(directory),
            max_age,
        }
    }

    pub(crate) const fn system(&self) -> &System {
        &self.system
    }

    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Creates an empty temporary and locks it.
    pub(crate) fn create(&self) -> Result<Temporary> {
        let flags = OFlags::RDWR | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = self.directory.as_fd();
        loop {
            let name = format!("{:032x}", random_u128());
            let file = self
                .system
                .create(directory, &name, flags, Mode::RUSR | Mode::WUSR)
                .map_err(failed)?;
            let temporary = Temporary {
                system: self.system.clone(),
                directory: Arc::clone(&self.directory),
                name,
                file,
                published: false,
            };
            match flock(&temporary.file, FlockOperation::NonBlockingLockExclusive) {
                // A sweep with no patience may have been here between the two calls.
                Ok(()) if fstat(&temporary.file).map_err(failed)?.st_nlink > 0 => return Ok(temporary),
                Ok(()) | Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Removes a file from the directory; it may be gone already.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match self.system.unlink(self.directory.as_fd(), name) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Looks at up to `limit` temporaries and removes those that are old and whose writer is gone. Gives their number.
    pub(crate) fn sweep(&self, limit: usize) -> Result<u64> {
        // A descriptor of its own: reading a directory moves its position.
        let directory = openat(&self.directory, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
        let mut swept = 0;
        for entry in Dir::new(directory).map_err(failed)?.take(limit.saturating_add(2)) {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name.len() >= 32
                && name.as_bytes()[..32].iter().all(u8::is_ascii_hexdigit)
                && self.is_dead(name)?
            {
                self.remove(name)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn is_dead(&self, name: &str) -> Result<bool> {
        let file = match openat(&self.directory, name, FILE, Mode::empty()) {
            Ok(file) => file,
            // Published or removed since, or nothing of ours.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::ACCESS) => return Ok(false),
            Err(errno) => return Err(failed(errno)),
        };
        let (seconds, _) = modified(&fstat(&file).map_err(failed)?);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let age = now.saturating_sub(u64::try_from(seconds).unwrap_or(0));
        if age < self.max_age.as_secs() {
            return Ok(false);
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Published while we looked: the name in this directory is gone, and removing it removes nothing.
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
            Err(errno) => Err(failed(errno)),
        }
    }
}

impl Temporary {
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(crate) const fn system(&self) -> &System {
        &self.system
    }

    /// Writes bytes behind what was written.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        self.system.write_all(self.file(), bytes).map_err(failed)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Removes it and says whether that worked.
    pub(crate) fn discard(mut self) -> Result<()> {
        self.published = true;
        match self.system.unlink(self.directory.as_fd(), &self.name) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// It has another name now, or none of its own that must go.
    pub(crate) fn published(&mut self) {
        self.published = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now is swept later: its lock goes with this process.
            let _ = self.system.unlink(self.directory.as_fd(), &self.name);
        }
    }
}
