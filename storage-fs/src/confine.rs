//! Opening paths without ever leaving the root or following a link.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};
use rustix::io::{Errno, Result};

use crate::config::Confinement;

/// How directories are opened for reading them and syncing them.
pub(crate) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// How files are opened: never waiting for the other end of a foreign pipe.
pub(crate) const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// The longest path handed to the kernel at once, in bytes; it takes 4,095.
const MAX_PATH_BYTES: usize = 3_000;

/// Nothing leaves the root, and nothing is followed.
#[cfg(target_os = "linux")]
const INSIDE: rustix::fs::ResolveFlags = rustix::fs::ResolveFlags::BENEATH
    .union(rustix::fs::ResolveFlags::NO_SYMLINKS)
    .union(rustix::fs::ResolveFlags::NO_MAGICLINKS);

/// The way chosen for a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `openat2`.
    #[cfg(target_os = "linux")]
    Kernel,
    /// Directory by directory.
    Steps,
}

impl Way {
    /// Finds out what the kernel offers.
    pub(crate) fn choose(wanted: Confinement, root: BorrowedFd<'_>) -> Result<Self> {
        #[cfg(target_os = "linux")]
        if wanted != Confinement::Steps {
            match beneath(root, ".", DIRECTORY) {
                Ok(_) => return Ok(Self::Kernel),
                Err(errno) if wanted == Confinement::Kernel => return Err(errno),
                // Old kernels do not know it, sandboxes forbid it.
                Err(_) => return Ok(Self::Steps),
            }
        }
        let _ = root;
        if wanted == Confinement::Kernel {
            Err(Errno::NOSYS)
        } else {
            Ok(Self::Steps)
        }
    }

    /// Opens a path of ours under `root`. A link in it is `LOOP`, whatever it points to.
    pub(crate) fn open(self, root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let mut base: Option<OwnedFd> = None;
        let mut rest = path;
        loop {
            let at = base.as_ref().map_or(root, |base| base.as_fd());
            let cut = match self {
                #[cfg(target_os = "linux")]
                Self::Kernel if rest.len() <= MAX_PATH_BYTES => None,
                #[cfg(target_os = "linux")]
                Self::Kernel => rest[..MAX_PATH_BYTES.min(floor(rest))].rfind('/'),
                Self::Steps => rest.find('/'),
            };
            let Some(cut) = cut else {
                return self.one(at, rest, flags);
            };
            let next = self.one(at, &rest[..cut], DIRECTORY)?;
            base = Some(next);
            rest = &rest[cut + 1..];
        }
    }

    /// Opens a path as [`open`](Self::open) does, if that takes no waiting.
    pub(crate) fn open_from_memory(self, root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Option<OwnedFd> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel if path.len() <= MAX_PATH_BYTES => {
                let flags = flags.difference(OFlags::NOFOLLOW);
                let resolve = INSIDE | rustix::fs::ResolveFlags::CACHED;
                rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).ok()
            }
            _ => {
                let _ = (root, path, flags);
                None
            }
        }
    }

    fn one(self, at: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel => beneath(at, path, flags),
            Self::Steps => step(at, path, flags),
        }
    }
}

/// The greatest character boundary up to the longest path.
fn floor(path: &str) -> usize {
    (0..=MAX_PATH_BYTES)
        .rev()
        .find(|at| path.is_char_boundary(*at))
        .unwrap_or(0)
}

#[cfg(target_os = "linux")]
fn beneath(at: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
    // With `NOFOLLOW` a link at the end would count as a file that is no directory instead of a link.
    let flags = flags.difference(OFlags::NOFOLLOW);
    loop {
        match rustix::fs::openat2(at, path, flags, Mode::empty(), INSIDE) {
            // A rename elsewhere on the disk made the kernel unsure; it asks to be asked again.
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
}

/// Opens one name in a directory, telling a link from a file that is no directory.
pub(crate) fn step(at: BorrowedFd<'_>, name: &str, flags: OFlags) -> Result<OwnedFd> {
    match openat(at, name, flags, Mode::empty()) {
        Err(Errno::NOTDIR) => match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_symlink() => Err(Errno::LOOP),
            _ => Err(Errno::NOTDIR),
        },
        other => other,
    }
}
