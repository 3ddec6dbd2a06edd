//! An open root: its directories, what was recorded about its disk, and the steps every operation is made of.

mod format;
mod probe;

use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, open, openat, stat, statat};
use rustix::io::Errno;
use storage_core::{Durability, Error, ErrorKind, ObjectMeta, Result, SweepReport};

use self::format::Format;
use crate::buffers::Buffers;
use crate::config::FsConfig;
use crate::confine::{DIRECTORY, FILE, Way, step};
use crate::durable::Durable;
use crate::error::{failed, foreign};
use crate::layout::{Folding, INTERNAL, Layout, Place};
use crate::remembered::{Remembered, Seen};
use crate::staging::Staging;
use crate::system::System;
use crate::version::{Keeping, size};
use crate::walk::Resting;

const DIRECTORY_MODE: Mode = Mode::RWXU;

/// How many temporaries are looked at when a root is opened, so that opening stays quick; a sweep looks at all.
const SWEPT_AT_OPEN: usize = 1_000;

/// An open root.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    directory: OwnedFd,
    way: Way,
    store: String,
    #[cfg(target_os = "linux")]
    from_memory: AtomicBool,
    pub(crate) system: System,
    pub(crate) layout: Layout,
    pub(crate) keeping: Keeping,
    pub(crate) durable: Durable,
    pub(crate) staging: Staging,
    pub(crate) resting: Resting,
    pub(crate) buffers: Buffers,
    remembered: Remembered,
}

/// A file of ours, open for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: OwnedFd,
    pub(crate) meta: ObjectMeta,
}

impl Root {
    /// Opens a root, creating and probing it where it is new. Gives its locks' directory, too.
    pub(crate) fn open(config: &FsConfig) -> Result<(Self, OwnedFd)> {
        check_level(config.durability)?;
        let system = &config.system;
        let durable = Durable::new(system.clone(), config.durability);
        let at = |error: Error| error.with_context("root", config.root.display().to_string());
        let directory = open_root(config, &durable).map_err(at)?;
        let way = Way::choose(config.confinement, directory.as_fd())
            .map_err(failed)
            .map_err(at)?;
        // Before anything is created: newer data is refused untouched.
        let known = Format::read(way, directory.as_fd()).map_err(at)?;
        let ours = |above: &OwnedFd, name| subdirectory(system, above.as_fd(), name).map_err(at);
        let internal = ours(&directory, INTERNAL)?;
        let staging = ours(&internal, "staging")?;
        let locks = ours(&internal, "locks")?;
        ours(&internal, "logs")?;
        for above in [&directory, &internal] {
            match known {
                // Who created it may have died before it was durable.
                Some(_) => durable.found(Ok(above)),
                None => durable.directory(above.as_fd()),
            }
            .map_err(at)?;
        }
        let staging = Staging::new(system.clone(), staging, config.staging_max_age);
        let format = match known {
            Some(format) => format,
            None => format::create(
                config,
                way,
                directory.as_fd(),
                internal.as_fd(),
                &staging,
                &durable,
            )
            .map_err(at)?,
        };
        format.agrees_with(config).map_err(at)?;
        let folding = Folding {
            case: format.case_folding,
            unicode: format.unicode_folding,
        };
        let root = Self {
            path: config.root.clone(),
            remembered: Remembered::new(directory.as_fd()),
            directory,
            way,
            store: format.store,
            #[cfg(target_os = "linux")]
            from_memory: AtomicBool::new(true),
            system: system.clone(),
            layout: Layout::new(folding),
            keeping: format.versions,
            durable,
            staging,
            resting: Resting::default(),
            buffers: Buffers::default(),
        };
        match root.staging.sweep(SWEPT_AT_OPEN) {
            Ok(0) => {}
            Ok(swept) => {
                tracing::info!(root = %root.path.display(), swept, "removed what writers that are gone left behind")
            }
            // Housekeeping does not keep anybody from reading.
            Err(error) => tracing::debug!(%error, "temporaries were not swept"),
        }
        Ok((root, locks))
    }

    /// Opens a directory. `None` where there is none.
    pub(crate) fn directory(&self, path: &str) -> Result<Option<OwnedFd>> {
        match self.way.open(self.directory.as_fd(), path, DIRECTORY) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT | Errno::NOTDIR) => self.alive().map(|()| None),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Opens a file for reading. `None` where there is none.
    pub(crate) fn file(&self, place: &Place) -> Result<Option<Opened>> {
        match self.way.open(self.directory.as_fd(), place.path(), FILE) {
            Ok(file) => self.opened(file, place).map(Some),
            Err(Errno::NOENT | Errno::NOTDIR) => self.alive().map(|()| None),
            Err(errno) => Err(refused(errno, place.path())),
        }
    }

    /// Opens a file the system finds without asking the disk. `None` where it does not, for whatever reason.
    pub(crate) fn file_from_memory(&self, place: &Place) -> Option<Opened> {
        self.seen_file_from_memory(place, self.remembered.at(place.path()))
    }

    fn seen_file_from_memory(&self, place: &Place, seen: Option<Seen>) -> Option<Opened> {
        let file = self
            .way
            .open_from_memory(self.directory.as_fd(), place.path(), FILE)?;
        self.opened_before(file, place, seen).ok()
    }

    /// Looks at a file as [`file_from_memory`](Self::file_from_memory) does. One that is what it was is not opened but for its name.
    pub(crate) fn meta_from_memory(&self, place: &Place) -> Option<ObjectMeta> {
        let seen = self.remembered.at(place.path());
        #[cfg(target_os = "linux")]
        if let Some(seen) = &seen {
            let name = self.way.open_from_memory(
                self.directory.as_fd(),
                place.path(),
                OFlags::PATH | OFlags::CLOEXEC,
            )?;
            if let Some(meta) = self.same(seen, &fstat(&name).ok()?) {
                return Some(meta);
            }
        }
        self.seen_file_from_memory(place, seen).map(|opened| opened.meta)
    }

    /// Whether the disk can be asked for what is in memory only.
    #[cfg(target_os = "linux")]
    pub(crate) fn reads_from_memory(&self) -> bool {
        self.from_memory.load(Ordering::Relaxed)
    }

    /// Takes note that it cannot.
    #[cfg(target_os = "linux")]
    pub(crate) fn never_reads_from_memory(&self) {
        self.from_memory.store(false, Ordering::Relaxed);
    }

    /// Opens a file by its name in an open directory. `None` where there is none.
    pub(crate) fn file_in(&self, directory: BorrowedFd<'_>, place: &Place) -> Result<Option<Opened>> {
        let file = file_in(directory, place)?;
        file.map(|file| self.opened(file, place)).transpose()
    }

    /// Looks at a file by its name in an open directory. `None` where there is none.
    pub(crate) fn meta_in(&self, directory: BorrowedFd<'_>, place: &Place) -> Result<Option<ObjectMeta>> {
        let seen = self.remembered.at(place.path());
        if let Some(seen) = &seen
            && let Ok(stat) = statat(directory, place.file(), AtFlags::SYMLINK_NOFOLLOW)
            && let Some(meta) = self.same(seen, &stat)
        {
            return Ok(Some(meta));
        }
        let opened = file_in(directory, place)?.map(|file| self.opened_before(file, place, seen));
        opened.map(|opened| Ok(opened?.meta)).transpose()
    }

    /// The facts of a file that is what it was when its attribute was read.
    fn same(&self, seen: &Seen, stat: &Stat) -> Option<ObjectMeta> {
        let attribute = self.remembered.attribute(seen, stat)?;
        Some(self.keeping.meta(stat, attribute))
    }

    fn opened(&self, file: OwnedFd, place: &Place) -> Result<Opened> {
        let stat = regular(file.as_fd(), place)?;
        let attribute = self.keeping.attribute(file.as_fd()).map_err(failed)?;
        let meta = self.keeping.meta(&stat, attribute);
        Ok(Opened { file, meta })
    }

    /// As [`opened`](Self::opened), where the attribute may be known, and is from now on.
    fn opened_before(&self, file: OwnedFd, place: &Place, seen: Option<Seen>) -> Result<Opened> {
        let stat = regular(file.as_fd(), place)?;
        let attribute = match seen.and_then(|seen| self.remembered.attribute(&seen, &stat)) {
            Some(attribute) => attribute,
            None => self
                .remembered
                .learn(place.path(), &stat, || self.keeping.attribute(file.as_fd()))
                .map_err(failed)?,
        };
        let meta = self.keeping.meta(&stat, attribute);
        Ok(Opened { file, meta })
    }

    /// Opens a log's file, for appending where `writing`, and looks how long it is. `None` where there is none.
    pub(crate) fn log_file(&self, place: &Place, writing: bool) -> Result<Option<(OwnedFd, u64)>> {
        let flags = if writing {
            FILE.difference(OFlags::RDONLY) | OFlags::RDWR
        } else {
            FILE
        };
        let file = match self.way.open(self.directory.as_fd(), place.path(), flags) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR) => return self.alive().map(|()| None),
            Err(errno) => return Err(refused(errno, place.path())),
        };
        let length = size(&regular(file.as_fd(), place)?);
        Ok(Some((file, length)))
    }

    /// Opens a directory to write in, creating it and those above it, and making each durable in its parent.
    ///
    /// A directory somebody else created is synced, too, the first time this handle meets it: its creator may not have come to it.
    pub(crate) fn directory_for_writing(&self, path: &str) -> Result<OwnedFd> {
        if path.is_empty() || self.durable.knows(path) {
            match self.way.open(self.directory.as_fd(), path, DIRECTORY) {
                Err(Errno::NOENT) if !path.is_empty() => {}
                other => return other.map_err(|errno| refused(errno, path)),
            }
        }
        let mut at = openat(&self.directory, ".", DIRECTORY, Mode::empty()).map_err(failed)?;
        let mut end = 0;
        for name in path.split('/') {
            end += name.len();
            let here = &path[..end];
            let created = match self
                .system
                .make_directory(at.as_fd(), Path::new(name), DIRECTORY_MODE)
            {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(errno) => return Err(refused(errno, here)),
            };
            if created {
                self.durable.forget(here);
            }
            let next = step(at.as_fd(), name, DIRECTORY).map_err(|errno| refused(errno, here))?;
            if created || !self.durable.knows(here) {
                // The file is not published yet: nothing is in doubt but the directory, which nobody sees.
                self.durable
                    .directory(at.as_fd())
                    .map_err(|error| error.with_applied(storage_core::Applied::No))?;
                self.durable.remember(here);
            }
            at = next;
            end += 1;
        }
        Ok(at)
    }

    /// Whether the root is still there and still ours.
    pub(crate) fn healthy(&self) -> Result<()> {
        self.alive()?;
        let here = fstat(&self.directory).map_err(failed)?;
        let there = stat(&self.path).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => self.gone(),
            errno => failed(errno),
        })?;
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) {
            return Err(self.gone());
        }
        match Format::read(self.way, self.directory.as_fd())? {
            Some(format) if format.store == self.store => Ok(()),
            _ => Err(self.gone()),
        }
    }

    /// Nothing is found in a root that was removed, and that must not read as empty.
    pub(crate) fn alive(&self) -> Result<()> {
        if fstat(&self.directory).map_err(failed)?.st_nlink == 0 {
            Err(self.gone())
        } else {
            Ok(())
        }
    }

    fn gone(&self) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            "the root directory was removed or replaced; put it back and open it again",
        )
        .with_context("root", self.path.display().to_string())
    }

    /// Removes temporaries of writers that are gone.
    pub(crate) fn sweep(&self) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        report.temporaries = self.staging.sweep(usize::MAX)?;
        Ok(report)
    }
}

fn file_in(directory: BorrowedFd<'_>, place: &Place) -> Result<Option<OwnedFd>> {
    match openat(directory, place.file(), FILE, Mode::empty()) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(refused(errno, place.path())),
    }
}

/// Looks at an open file, which must be one.
fn regular(file: BorrowedFd<'_>, place: &Place) -> Result<Stat> {
    let stat = fstat(file).map_err(failed)?;
    if FileType::from_raw_mode(stat.st_mode).is_file() {
        Ok(stat)
    } else {
        Err(foreign(place.path()))
    }
}

/// An error of the system about a path.
fn refused(errno: Errno, path: &str) -> Error {
    failed(errno).with_context("path", path)
}

fn check_level(level: Durability) -> Result<()> {
    match level {
        Durability::PowerLoss | Durability::ProcessCrash => Ok(()),
        other => Err(Error::invalid_argument(format!(
            "files survive {:?} or {:?}, not {other:?}",
            Durability::ProcessCrash,
            Durability::PowerLoss
        ))),
    }
}

/// Opens the root, creating it and what is above it, and makes it durable where it stands.
fn open_root(config: &FsConfig, durable: &Durable) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // The root itself may be reached through links: it is the caller's choice, not a key's.
    match open(&config.root, flags, Mode::empty()) {
        Ok(directory) => {
            durable.found(openat(&directory, "..", flags, Mode::empty()))?;
            return Ok(directory);
        }
        Err(Errno::NOENT) if config.create => {}
        Err(Errno::NOENT) => {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the root directory does not exist; create it or allow that with create(true)",
            ));
        }
        Err(Errno::NOTDIR) => return Err(Error::invalid_argument("the root is a file; name a directory")),
        Err(errno) => return Err(failed(errno)),
    }
    let mut at = PathBuf::new();
    for part in config.root.components() {
        let above = if at.as_os_str().is_empty() {
            ".".into()
        } else {
            at.clone()
        };
        at.push(part);
        match config.system.make_directory(CWD, &at, DIRECTORY_MODE) {
            Ok(()) => {
                let above = open(&above, flags, Mode::empty()).map_err(failed)?;
                durable.directory(above.as_fd())?;
            }
            // Perhaps created by somebody who died before it was durable.
            Err(Errno::EXIST) => durable.found(open(&above, flags, Mode::empty()))?,
            // The root of the disk, or a directory above that we may only pass through.
            Err(Errno::ISDIR | Errno::ROFS | Errno::ACCESS) => {}
            Err(Errno::NOTDIR) => {
                return Err(Error::invalid_argument(
                    "a file stands where a directory above the root must be",
                ));
            }
            Err(errno) => return Err(failed(errno)),
        }
    }
    open(&config.root, flags, Mode::empty()).map_err(failed)
}

/// Opens a directory of ours, creating it where it is missing. What it stands in is still to be synced.
fn subdirectory(system: &System, at: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    match step(at, name, DIRECTORY) {
        Err(Errno::NOENT) => {}
        other => return other.map_err(|errno| refused(errno, name)),
    }
    match system.make_directory(at, Path::new(name), DIRECTORY_MODE) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(refused(errno, name)),
    }
    step(at, name, DIRECTORY).map_err(|errno| refused(errno, name))
}
