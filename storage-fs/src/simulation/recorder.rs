//! What stands behind the seam in tests: every call that changed the disk, in order, and calls that are made to fail.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Dir, FileType, Stat, fstat, statat, tell};
use rustix::io::{Errno, Result};

use super::disk::{Content, Disk, Node};
use super::event::{Event, Synced};
use crate::confine::{DIRECTORY, FILE};
use crate::files::{read_at, read_whole};
use crate::system::Call;
use crate::version::{ATTRIBUTE, modified, size};

/// Which calls fail, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// Only calls whose description begins so are counted, and fail.
    pub(crate) only: &'static str,
    /// The first to fail, counted from 1.
    pub(crate) first: usize,
    pub(crate) errno: Errno,
    /// All from the first on, as on a disk that is gone, and not just one.
    pub(crate) persistent: bool,
    /// Of the first it is only the answer that fails: the call is made.
    pub(crate) made: bool,
}

/// Writes down what is done to the directories under one.
#[derive(Debug)]
pub(crate) struct Recorder {
    recording: Mutex<Recording>,
}

#[derive(Debug, Default)]
struct Recording {
    nodes: HashMap<(u64, u64), Node>,
    count: usize,
    /// What the disk held before the first event.
    before: Disk,
    events: Vec<Event>,
    /// Of every call, also of those that failed: what it was, in a word or two.
    calls: Vec<String>,
    fault: Option<Fault>,
    /// How many calls the fault has seen.
    met: usize,
    /// How much the disk takes of what is next written at a place, in bytes.
    short: Option<usize>,
}

impl Recorder {
    /// Over what is in a directory now, all of it durable.
    pub(crate) fn over(top: &Path) -> Result<Arc<Self>> {
        let mut recording = Recording::default();
        let directory = rustix::fs::open(top, DIRECTORY, rustix::fs::Mode::empty())?;
        let node = recording.node(&fstat(&directory)?);
        recording.before.add_directory(node);
        recording.scan(directory.as_fd(), node)?;
        Ok(Arc::new(Self {
            recording: Mutex::new(recording),
        }))
    }

    /// Makes calls fail from now on, counting from the next; `None` ends it.
    pub(crate) fn fail(&self, fault: Option<Fault>) {
        let mut recording = self.lock();
        recording.fault = fault;
        recording.met = 0;
    }

    /// Makes the next call fail whose description begins so.
    pub(crate) fn fail_next(&self, only: &'static str) {
        self.fail(Some(Fault {
            only,
            first: 1,
            errno: Errno::IO,
            persistent: false,
            made: false,
        }));
    }

    /// Has the disk take no more than this of what is next written at a place, and fail what is written there after it.
    pub(crate) fn cut_next_write_at(&self, bytes: usize) {
        self.fail(Some(Fault {
            only: "write",
            first: 2,
            errno: Errno::NOSPC,
            persistent: false,
            made: false,
        }));
        self.lock().short = Some(bytes);
    }

    pub(crate) fn take_short(&self) -> Option<usize> {
        self.lock().short.take()
    }

    /// Whether a call failed, or its answer.
    pub(crate) fn has_failed(&self) -> bool {
        let recording = self.lock();
        recording.fault.is_some_and(|fault| recording.met >= fault.first)
    }

    /// An operation was answered.
    pub(crate) fn answered(&self, operation: usize) {
        self.lock().events.push(Event::Answered(operation));
    }

    /// What the disk held before the first event.
    pub(crate) fn before(&self) -> Disk {
        self.lock().before.clone()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// How many events there are.
    pub(crate) fn length(&self) -> usize {
        self.lock().events.len()
    }

    /// Every call since the first, in words.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// How many syncs of files and of directories were asked for.
    pub(crate) fn syncs(&self) -> (usize, usize) {
        let recording = self.lock();
        let count = |word: &str| {
            recording
                .calls
                .iter()
                .filter(|call| call.starts_with(word))
                .count()
        };
        (count("sync file") + count("sync data"), count("sync directory"))
    }

    /// Makes a call and writes it down, or makes it fail. One at a time, so that the order written down is the order.
    pub(crate) fn around<T>(&self, call: Call<'_>, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut recording = self.lock();
        let words = words(&call);
        let failure = recording.failure(&words);
        recording.calls.push(words);
        let made = recording.answer_only();
        if let Some(errno) = failure.filter(|_| !made) {
            return Err(errno);
        }
        let before = recording.look(&call)?;
        let outcome = make()?;
        recording.take(&call, &before)?;
        failure.map_or(Ok(outcome), Err)
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What must be known before a call is made.
#[derive(Debug, Default)]
struct Before {
    position: u64,
    /// What has the name.
    named: Option<Node>,
}

impl Recording {
    fn failure(&mut self, words: &str) -> Option<Errno> {
        let fault = self.fault.filter(|fault| words.starts_with(fault.only))?;
        self.met += 1;
        let fails = self.met == fault.first || (fault.persistent && self.met > fault.first);
        fails.then_some(fault.errno)
    }

    /// Whether the call that was counted last is one whose answer fails, and nothing else.
    fn answer_only(&self) -> bool {
        self.fault
            .is_some_and(|fault| fault.made && self.met == fault.first)
    }

    fn look(&self, call: &Call<'_>) -> Result<Before> {
        let mut before = Before::default();
        match *call {
            Call::Write { file } => before.position = tell(file)?,
            Call::Rename { from, old, .. }
            | Call::RenameNew { from, old, .. }
            | Call::Link { from, old, .. } => {
                before.named = self.known(&statat(from, old, AtFlags::SYMLINK_NOFOLLOW)?);
            }
            Call::Create { directory, name } => {
                before.named = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => self.known(&stat),
                    Err(_) => None,
                };
            }
            _ => {}
        }
        Ok(before)
    }

    fn take(&mut self, call: &Call<'_>, before: &Before) -> Result<()> {
        match *call {
            Call::Create { directory, name } => {
                if before.named.is_none() {
                    let file = self.node(&statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?);
                    self.name(directory, name, Some(file))?;
                }
            }
            Call::MakeDirectory { directory, name } => {
                let made = self.node(&statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?);
                let (parent, last) = (name.parent(), name.file_name());
                let parent = match parent {
                    Some(parent) if !parent.as_os_str().is_empty() => {
                        statat(directory, parent, AtFlags::empty())?
                    }
                    _ => fstat(directory)?,
                };
                let last = last.and_then(|name| name.to_str()).ok_or(Errno::INVAL)?;
                self.events.push(Event::Directory(made));
                let directory = self.known(&parent).ok_or(Errno::XDEV)?;
                self.events.push(Event::Name {
                    directory,
                    name: last.to_owned(),
                    means: Some(made),
                });
            }
            Call::Write { file } => {
                let length = usize::try_from(tell(file)? - before.position).unwrap_or(0);
                let bytes = read_at(file, before.position, length)?;
                self.wrote(file, before.position, bytes)?;
            }
            Call::WriteAt { file, bytes, at } => {
                let written = read_at(file, at, bytes.len())?;
                assert_eq!(
                    written, bytes,
                    "a write that did less than asked is not simulated"
                );
                self.wrote(file, at, written)?;
            }
            Call::Truncate { file, length } => {
                let stat = fstat(file)?;
                let (file, time) = (self.open(&stat)?, modified(&stat));
                self.events.push(Event::Truncate { file, length, time });
            }
            Call::SetAttribute { file, value } => {
                let file = self.open(&fstat(file)?)?;
                let value = value.to_owned();
                self.events.push(Event::Attribute { file, value });
            }
            Call::SetTimes { file } => {
                let stat = fstat(file)?;
                let (file, time) = (self.open(&stat)?, modified(&stat));
                self.events.push(Event::Time { file, time });
            }
            Call::Rename { from, old, to, new } | Call::RenameNew { from, old, to, new } => {
                self.name(to, new, before.named)?;
                self.name(from, old, None)?;
            }
            Call::Link { to, new, .. } => self.name(to, new, before.named)?,
            Call::Unlink { directory, name } => self.name(directory, name, None)?,
            Call::SyncFile { file } => self.synced(file, Synced::File)?,
            Call::SyncData { file } => self.synced(file, Synced::Data)?,
            Call::SyncDirectory { directory } => self.synced(directory, Synced::Directory)?,
        }
        Ok(())
    }

    fn wrote(&mut self, file: BorrowedFd<'_>, at: u64, bytes: Vec<u8>) -> Result<()> {
        let stat = fstat(file)?;
        let (file, time) = (self.open(&stat)?, modified(&stat));
        self.events.push(Event::Write {
            file,
            at,
            bytes,
            time,
        });
        Ok(())
    }

    fn name(&mut self, directory: BorrowedFd<'_>, name: &str, means: Option<Node>) -> Result<()> {
        let directory = self.open(&fstat(directory)?)?;
        self.events.push(Event::Name {
            directory,
            name: name.to_owned(),
            means,
        });
        Ok(())
    }

    fn synced(&mut self, node: BorrowedFd<'_>, what: Synced) -> Result<()> {
        let stat = fstat(node)?;
        // Above the directory that is watched nothing is simulated.
        if let Some(node) = self.known(&stat) {
            self.events.push(Event::Sync { node, what });
        }
        Ok(())
    }

    /// A new node; numbers of the system are used again, ours are not.
    fn node(&mut self, stat: &Stat) -> Node {
        let node = self.count;
        self.count += 1;
        self.nodes.insert(identity(stat), node);
        node
    }

    fn known(&self, stat: &Stat) -> Option<Node> {
        self.nodes.get(&identity(stat)).copied()
    }

    fn open(&self, stat: &Stat) -> Result<Node> {
        self.known(stat).ok_or(Errno::XDEV)
    }

    fn scan(&mut self, directory: BorrowedFd<'_>, above: Node) -> Result<()> {
        let open = |name: &str, flags| rustix::fs::openat(directory, name, flags, rustix::fs::Mode::empty());
        for entry in Dir::new(open(".", DIRECTORY)?)? {
            let entry = entry?;
            let name = entry.file_name().to_str().map_err(|_| Errno::ILSEQ)?;
            if name == "." || name == ".." {
                continue;
            }
            let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode).is_dir() {
                let node = self.node(&stat);
                self.before.add_directory(node);
                self.before.add_name(above, name, node);
                self.scan(open(name, DIRECTORY)?.as_fd(), node)?;
                continue;
            }
            let node = match self.known(&stat) {
                Some(node) => node,
                None => {
                    let file = open(name, FILE)?;
                    let node = self.node(&stat);
                    let content = Content {
                        bytes: read_whole(file.as_fd())?,
                        attribute: attribute(file.as_fd()),
                        time: modified(&stat),
                    };
                    debug_assert_eq!(u64::try_from(content.bytes.len()), Ok(size(&stat)));
                    self.before.add_file(node, content);
                    node
                }
            };
            self.before.add_name(above, name, node);
        }
        Ok(())
    }
}

fn attribute(file: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let mut value = [0; 64];
    let length = rustix::fs::fgetxattr(file, ATTRIBUTE, &mut value).ok()?;
    Some(value[..length].to_vec())
}

#[allow(clippy::unnecessary_cast, reason = "not unnecessary everywhere")]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

fn words(call: &Call<'_>) -> String {
    match call {
        Call::Create { .. } => "create".to_owned(),
        Call::MakeDirectory { name, .. } => {
            format!(
                "make directory {}",
                name.file_name().unwrap_or_default().display()
            )
        }
        Call::Write { .. } | Call::WriteAt { .. } => "write".to_owned(),
        Call::Truncate { .. } => "truncate".to_owned(),
        Call::SetAttribute { .. } => "set attribute".to_owned(),
        Call::SetTimes { .. } => "set times".to_owned(),
        Call::Rename { new, .. } => format!("rename to {new}"),
        Call::RenameNew { new, .. } => format!("rename new to {new}"),
        Call::Link { new, .. } => format!("link to {new}"),
        Call::Unlink { name, .. } => format!("unlink {name}"),
        Call::SyncFile { .. } => "sync file".to_owned(),
        Call::SyncData { .. } => "sync data".to_owned(),
        Call::SyncDirectory { .. } => "sync directory".to_owned(),
    }
}
