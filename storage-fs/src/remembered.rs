//! [`Remembered`]: the version attributes of files, so that looking at a file again need not open it.
//!
//! The system gives an attribute of an open file only; opening and closing it is half of what a look costs. So what the attribute was is
//! kept with inode and change time, and holds for as long as a look finds the same two: every change of a file, of its attributes and of
//! its names gives it the time of the change, which no program can set. Two changes can get one time, as disks take theirs from a clock
//! that moves every few milliseconds, and some keep whole seconds; therefore an attribute is kept only where it was read long enough after
//! the time that goes with it. Size and modification time, which are part of a version, are looked at each time.
//!
//! Only looks and reads trust it. What decides about a write reads the attribute itself, under the lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use rustix::fd::BorrowedFd;
use rustix::fs::Stat;

use crate::settled::{is_settled, now};
use crate::version::Attribute;

const SHARDS: usize = 16;

/// How many files a shard remembers before it is emptied: 7/8 of a power of two, which is what a table holds before it grows. All of them
/// take 6 MB; one forgotten costs opening the file once.
const MAX_FILES: usize = 7_168;

/// What is known of the files of a root.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// The disk whose change times are as said above, where the root is on one.
    device: Option<u64>,
    /// Paths stand there as their hashes. Two with the same one push each other out: what is found has to fit the file anyway.
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Seen>>; SHARDS],
    clock: fn() -> Option<i64>,
}

/// What a file was like when its attribute was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    inode: u64,
    /// Seconds since 1970, and nanoseconds.
    changed: (i64, u32),
    attribute: Attribute,
}

impl Remembered {
    /// Of the files in a root.
    pub(crate) fn new(root: BorrowedFd<'_>) -> Self {
        Self {
            device: device(root),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
            clock: now,
        }
    }

    /// What is known of the file at a path.
    pub(crate) fn at(&self, path: &str) -> Option<Seen> {
        self.device?;
        let hash = self.hasher.hash_one(path);
        self.shard(hash, |shard| shard.get(&hash).copied())
    }

    /// The attribute that was seen, if the file still is what it was then.
    pub(crate) fn attribute(&self, seen: &Seen, stat: &Stat) -> Option<Attribute> {
        (self.is_here(stat) && (seen.inode, seen.changed) == identity(stat)).then_some(seen.attribute)
    }

    /// Reads an attribute after a look at its file, and keeps it for the next time.
    pub(crate) fn learn<E>(
        &self,
        path: &str,
        stat: &Stat,
        read: impl FnOnce() -> Result<Attribute, E>,
    ) -> Result<Attribute, E> {
        let before = (self.clock)();
        let attribute = read()?;
        let (inode, changed) = identity(stat);
        // Whatever changes the file after this reading gives it a later time.
        if is_settled(changed.0, before) && self.is_here(stat) {
            let hash = self.hasher.hash_one(path);
            self.shard(hash, |shard| {
                if shard.len() >= MAX_FILES && !shard.contains_key(&hash) {
                    shard.clear();
                }
                shard.insert(
                    hash,
                    Seen {
                        inode,
                        changed,
                        attribute,
                    },
                );
            });
        }
        Ok(attribute)
    }

    /// A disk may hang in the middle of the root.
    #[allow(clippy::unnecessary_cast, reason = "not unnecessary everywhere")]
    fn is_here(&self, stat: &Stat) -> bool {
        self.device == Some(stat.st_dev as u64)
    }

    fn shard<T>(&self, hash: u64, work: impl FnOnce(&mut HashMap<u64, Seen>) -> T) -> T {
        let shard = &self.shards[usize::from(hash.to_le_bytes()[0]) % SHARDS];
        work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is another after any change.
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the types differ from system to system; nanoseconds are below a thousand million"
)]
fn identity(stat: &Stat) -> (u64, (i64, u32)) {
    (
        stat.st_ino as u64,
        (stat.st_ctime as i64, stat.st_ctime_nsec as u32),
    )
}

/// The disk a root is on, where this system itself keeps its change times: on a network disk another machine does, by its own clock, and
/// in user space anybody by any.
#[cfg(target_os = "linux")]
#[allow(clippy::unnecessary_cast, reason = "not unnecessary everywhere")]
fn device(root: BorrowedFd<'_>) -> Option<u64> {
    /// ext2 to ext4, XFS, btrfs, tmpfs: see `statfs(2)`.
    const OURS: [u64; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994];
    let kind = rustix::fs::fstatfs(root).ok()?.f_type as u64;
    let stat = rustix::fs::fstat(root).ok()?;
    OURS.contains(&kind).then_some(stat.st_dev as u64)
}

/// Nothing is known of the disks of other systems.
#[cfg(not(target_os = "linux"))]
fn device(_: BorrowedFd<'_>) -> Option<u64> {
    None
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use rustix::fd::AsFd;
    use rustix::fs::{Timespec, XattrFlags, fstat, setxattr, stat};

    use super::*;
    use crate::system::System;
    use crate::version::ATTRIBUTE;

    /// On the disk the tests run on, whatever it is, with a clock by which every file changed long ago.
    fn remembered(directory: &Path) -> Remembered {
        let root = File::open(directory).unwrap();
        let mut remembered = Remembered::new(root.as_fd());
        remembered.device = Some(fstat(&root).unwrap().st_dev);
        remembered.clock = || now().map(|now| now + 3_600);
        remembered
    }

    fn keep(remembered: &Remembered, path: &str, stat: &Stat, attribute: u8) {
        let read = || Ok::<_, ()>(Some([attribute; 16]));
        assert_eq!(remembered.learn(path, stat, read), Ok(Some([attribute; 16])));
    }

    fn found(remembered: &Remembered, path: &str, stat: &Stat) -> Option<Attribute> {
        let seen = remembered.at(path)?;
        remembered.attribute(&seen, stat)
    }

    #[test]
    fn an_attribute_is_remembered_until_anything_about_its_file_changes() {
        let directory = tempfile::tempdir().unwrap();
        let remembered = remembered(directory.path());
        let path = directory.path().join("a");
        let look = || stat(&path).unwrap();
        // Each keeps size and modification time.
        let same_times = || {
            let time = Timespec {
                tv_sec: 1_000_000,
                tv_nsec: 7,
            };
            let file = File::open(&path).unwrap();
            System::default().set_time(file.as_fd(), time).unwrap();
        };
        let write = || {
            fs::write(&path, "same size").unwrap();
            same_times();
        };
        let replace = || {
            let other = directory.path().join("b");
            fs::write(&other, "same size").unwrap();
            fs::rename(&other, &path).unwrap();
            same_times();
        };
        let mark = || {
            // A test does not ask more of the disk than that it is told.
            let _ = setxattr(&path, ATTRIBUTE, b"another", XattrFlags::empty());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write();
        for change in [&write as &dyn Fn(), &replace, &mark] {
            let before = look();
            keep(&remembered, "a", &before, 1);
            assert_eq!(found(&remembered, "a", &look()), Some(Some([1; 16])));
            // By this clock the disk may give one time to two changes, as no real one may.
            while identity(&look()) == identity(&before) {
                change();
            }
            let after = look();
            assert_eq!((after.st_size, after.st_mtime), (before.st_size, before.st_mtime));
            assert_eq!(found(&remembered, "a", &after), None);
        }
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let mut remembered = remembered(directory.path());
        let mut stat = stat(directory.path()).unwrap();
        remembered.clock = || Some(1_000);
        for (changed, kept) in [(1_001, false), (1_000, false), (998, false), (997, true)] {
            stat.st_ctime = changed;
            keep(&remembered, "a", &stat, 1);
            assert_eq!(found(&remembered, "a", &stat).is_some(), kept, "{changed}");
        }
        remembered.clock = || None;
        keep(&remembered, "b", &stat, 1);
        assert_eq!(remembered.at("b"), None);
    }

    #[test]
    fn files_of_another_disk_are_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let mut remembered = remembered(directory.path());
        let mut stat = stat(directory.path()).unwrap();
        keep(&remembered, "a", &stat, 1);
        stat.st_dev += 1;
        assert_eq!(found(&remembered, "a", &stat), None);
        keep(&remembered, "b", &stat, 1);
        assert_eq!(remembered.at("b"), None);
        remembered.device = None;
        assert_eq!(remembered.at("a"), None);
    }

    #[test]
    fn no_more_files_are_remembered_than_said() {
        let directory = tempfile::tempdir().unwrap();
        let remembered = remembered(directory.path());
        let stat = stat(directory.path()).unwrap();
        for file in 0..2 * SHARDS * MAX_FILES {
            keep(&remembered, &file.to_string(), &stat, 1);
        }
        let count: usize = remembered
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().len())
            .sum();
        assert!((1..=SHARDS * MAX_FILES).contains(&count), "{count}");
    }
}
