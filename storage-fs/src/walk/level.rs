//! One directory of a walk, sorted.

use std::cell::OnceCell;
use std::sync::Arc;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, Stat, fstat, openat, statat};
use rustix::io::Errno;
use storage_core::{ListRequest, Result};

use crate::confine::{DIRECTORY, step};
use crate::error::failed;
use crate::layout::{Space, goes_on};
use crate::root::Root;
use crate::settled::{is_settled, now};

/// A directory, and how far it was visited.
#[derive(Debug, Clone)]
pub(super) struct Level {
    path: String,
    key: String,
    space: Space,
    entries: Arc<[Entry]>,
    /// Which of them is next.
    at: usize,
    /// What tells that no name in it came or went since it was read, if anything does.
    unchanged: Option<Stamp>,
    /// Kept while files in it are looked at, given up while the walk is further down. `None` inside where it vanished.
    directory: OnceCell<Option<Arc<OwnedFd>>>,
}

/// One thing in a directory.
#[derive(Debug)]
pub(super) struct Entry {
    /// The segment it stands for; a directory's ends in `/`, which puts it where its keys belong.
    pub(super) name: String,
    pub(super) directory: bool,
    /// Its path from the directory, where that is not the name.
    path: Option<Box<str>>,
}

impl Level {
    /// Reads what matters of a directory. `None` where there is none.
    pub(super) fn read(
        root: &Root,
        path: String,
        key: String,
        space: Space,
        request: &ListRequest,
    ) -> Result<Option<Self>> {
        let Some(wanted) = Wanted::of(&key, request) else {
            return Ok(None);
        };
        let Some(directory) = root.directory(&path)? else {
            return Ok(None);
        };
        let stamp = Stamp::before_reading(directory.as_fd())?;
        let mut reading = Reading {
            root,
            space,
            wanted,
            entries: Vec::new(),
            further_down: false,
        };
        reading.directory(directory.as_fd(), &mut Vec::new())?;
        let unchanged = stamp.filter(|_| !reading.further_down);
        let mut entries = reading.entries;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(Self {
            path,
            key,
            space,
            entries: entries.into(),
            at: 0,
            unchanged,
            directory: OnceCell::from(Some(Arc::new(directory))),
        }))
    }

    /// What comes next.
    pub(super) fn next(&self) -> Option<&Entry> {
        self.entries.get(self.at)
    }

    /// The next entry is visited.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// Goes to what comes after a key. Gives the key of the directory that comes next, where that one is in it.
    pub(super) fn seek(&mut self, after: &str, delimiter: bool) -> Option<String> {
        let Some(after) = after.strip_prefix(&self.key) else {
            self.at = if after < self.key.as_str() {
                0
            } else {
                self.entries.len()
            };
            return None;
        };
        let wanted = Wanted {
            prefix: "",
            after: Some(after),
            delimiter,
        };
        self.at = self
            .entries
            .partition_point(|entry| !wanted.wants(&entry.name, entry.directory));
        let next = self.next()?;
        (next.directory && !delimiter && after.starts_with(&next.name)).then(|| self.inside(next).1)
    }

    /// How many entries it keeps.
    pub(super) fn names(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has the names it had when it was read.
    pub(super) fn is_unchanged(&self, root: &Root) -> Result<bool> {
        if self.unchanged.is_none() {
            return Ok(false);
        }
        let now = match root.directory(&self.path)? {
            Some(directory) => Some(Stamp::of(&fstat(&directory).map_err(failed)?)),
            None => None,
        };
        Ok(now == self.unchanged)
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Path, key and rules of a directory in it.
    pub(super) fn inside(&self, entry: &Entry) -> (String, String, Space) {
        let key = format!("{}{}", self.key, entry.name);
        (
            self.path_of(entry),
            key,
            self.space.within(entry.name.trim_end_matches('/')),
        )
    }

    /// The path of an entry under the root.
    pub(super) fn path_of(&self, entry: &Entry) -> String {
        let name = entry
            .path
            .as_deref()
            .unwrap_or_else(|| entry.name.trim_end_matches('/'));
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    /// Gives up the descriptor.
    pub(super) fn rest(&mut self) {
        self.directory = OnceCell::new();
    }

    /// The directory, opened again where it was given up. `None` where it vanished.
    pub(super) fn directory(&self, root: &Root) -> Result<Option<BorrowedFd<'_>>> {
        let directory = match self.directory.get() {
            Some(directory) => directory,
            None => {
                let opened = root.directory(&self.path)?.map(Arc::new);
                self.directory.get_or_init(|| opened)
            }
        };
        Ok(directory.as_ref().map(AsFd::as_fd))
    }
}

/// What changes with every name that comes or goes in a directory, given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    directory: (u64, u64),
    /// Seconds since 1970, and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    /// The stamp that stands for what is read from now on; `None` where a change after it could get the same one.
    fn before_reading(directory: BorrowedFd<'_>) -> Result<Option<Self>> {
        let now = now();
        let stamp = Self::of(&fstat(directory).map_err(failed)?);
        Ok(is_settled(stamp.modified.0, now).then_some(stamp))
    }

    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "the widths differ by system, and the values are only compared"
    )]
    fn of(stat: &Stat) -> Self {
        Self {
            directory: (stat.st_dev as u64, stat.st_ino as u64),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        }
    }
}

impl Entry {
    /// Whether it is further down than its directory.
    pub(super) fn is_nested(&self) -> bool {
        self.path.as_deref().is_some_and(|path| path.contains('/'))
    }
}

/// Which names in a directory a request asks for.
#[derive(Debug, Clone, Copy)]
struct Wanted<'a> {
    /// They begin with this.
    prefix: &'a str,
    /// They come after this, or hold it.
    after: Option<&'a str>,
    delimiter: bool,
}

impl<'a> Wanted<'a> {
    /// `None` where nothing in the directory of this key is.
    fn of(key: &str, request: &'a ListRequest) -> Option<Self> {
        let prefix = request.prefix.get(key.len()..).unwrap_or_default();
        let after = match request.start_after.as_deref() {
            Some(after) if after.starts_with(key) => Some(&after[key.len()..]),
            Some(after) if after > key => return None,
            _ => None,
        };
        Some(Self {
            prefix,
            after,
            delimiter: request.delimiter,
        })
    }

    fn wants(&self, name: &str, directory: bool) -> bool {
        let later = self
            .after
            .is_none_or(|after| name > after || (directory && !self.delimiter && after.starts_with(name)));
        later && name.starts_with(self.prefix)
    }
}

struct Reading<'a> {
    root: &'a Root,
    space: Space,
    wanted: Wanted<'a>,
    entries: Vec<Entry>,
    /// Some names go on in directories of their own.
    further_down: bool,
}

impl Reading<'_> {
    /// Reads one directory and those in which its long names go on.
    fn directory(&mut self, directory: BorrowedFd<'_>, continued: &mut Vec<String>) -> Result<()> {
        // A descriptor of its own: reading moves the position.
        let own = match openat(directory, ".", DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            own => own.map_err(failed)?,
        };
        let mut reader = Dir::new(own).map_err(failed)?;
        while let Some(entry) = reader.read() {
            let entry = match entry {
                // Removed while it was read.
                Err(Errno::NOENT) => break,
                entry => entry.map_err(failed)?,
            };
            // Names that are not UTF-8 are nobody's key.
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            match kind_of(directory, name, entry.file_type())? {
                FileType::RegularFile => self.take(continued, name, false),
                FileType::Directory if goes_on(name) => match step(directory, name, DIRECTORY) {
                    Ok(next) => {
                        self.further_down = true;
                        continued.push(name.to_owned());
                        self.directory(next.as_fd(), continued)?;
                        continued.pop();
                    }
                    Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
                    Err(errno) => return Err(failed(errno)),
                },
                FileType::Directory => self.take(continued, name, true),
                // Links, pipes and sockets are not ours.
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, continued: &[String], name: &str, directory: bool) {
        let Some(mut segment) = self.root.layout.segment(self.space, continued, name, directory) else {
            return;
        };
        let path = if !continued.is_empty() {
            Some(format!("{}/{name}", continued.join("/")).into())
        } else {
            (segment != name).then(|| name.into())
        };
        if directory {
            segment.push('/');
        }
        if self.wanted.wants(&segment, directory) {
            self.entries.push(Entry {
                name: segment,
                directory,
                path,
            });
        }
    }
}

/// What a name is, asking again where the disk did not say.
fn kind_of(directory: BorrowedFd<'_>, name: &str, said: FileType) -> Result<FileType> {
    if said != FileType::Unknown {
        return Ok(said);
    }
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode)),
        Err(Errno::NOENT) => Ok(FileType::Unknown),
        Err(errno) => Err(failed(errno)),
    }
}
