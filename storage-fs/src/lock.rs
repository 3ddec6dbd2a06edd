//! Who may write a key now, among tasks and among processes.
//!
//! Keys fall into 256 shards. Within a handle a shard is an async mutex, so at most one thread waits in the kernel for it and
//! tasks take turns; among handles and processes it is `flock` on `.storage/locks/00` … `ff`, which the kernel releases when a
//! process dies. The files are never removed: a lock on a removed file excludes nobody.

use std::sync::Arc;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, openat};
use rustix::io::{Errno, Result, retry_on_intr};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::system::System;

const SHARDS: usize = 256;

/// All shards of a handle.
#[derive(Debug)]
pub(crate) struct Locks {
    directory: Arc<Directory>,
    shards: Vec<Arc<Mutex<Shard>>>,
}

/// Where the files are.
#[derive(Debug)]
struct Directory {
    system: System,
    directory: OwnedFd,
}

#[derive(Debug)]
struct Shard {
    name: String,
    file: Option<OwnedFd>,
}

/// The right of one task to wait for some shards in the kernel.
#[derive(Debug)]
pub(crate) struct Claim {
    directory: Arc<Directory>,
    /// In ascending order of shards, so that two claims never wait for each other.
    shards: Vec<OwnedMutexGuard<Shard>>,
}

/// Locked shards. Dropping it unlocks them.
#[derive(Debug)]
pub(crate) struct Held {
    shards: Vec<OwnedMutexGuard<Shard>>,
}

impl Locks {
    /// Over the files in this directory.
    pub(crate) fn new(system: System, directory: OwnedFd) -> Self {
        let shards = (0..SHARDS)
            .map(|shard| {
                Arc::new(Mutex::new(Shard {
                    name: format!("{shard:02x}"),
                    file: None,
                }))
            })
            .collect();
        Self {
            directory: Arc::new(Directory { system, directory }),
            shards,
        }
    }

    /// Waits for this handle's turn on the shards of some paths.
    pub(crate) async fn claim(&self, paths: &[&str]) -> Claim {
        let mut numbers: Vec<usize> = paths.iter().map(|path| shard_of(path)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut shards = Vec::with_capacity(numbers.len());
        for number in numbers {
            shards.push(Arc::clone(&self.shards[number]).lock_owned().await);
        }
        Claim {
            directory: Arc::clone(&self.directory),
            shards,
        }
    }

    /// Takes this handle's turn on the shard of a path, if nobody has it or waits for it.
    pub(crate) fn try_claim(&self, path: &str) -> Option<Claim> {
        let shard = Arc::clone(&self.shards[shard_of(path)]);
        Some(Claim {
            directory: Arc::clone(&self.directory),
            shards: vec![shard.try_lock_owned().ok()?],
        })
    }
}

/// Every version of this library must agree on it, else two processes do not exclude each other.
fn shard_of(path: &str) -> usize {
    usize::from(Sha256::digest(path.as_bytes())[0])
}

impl Claim {
    /// Waits, blocking, until no other handle or process holds the shards.
    pub(crate) fn hold(self) -> Result<Held> {
        // Held from the start, so that those already locked are unlocked when a later one fails.
        let mut held = Held { shards: self.shards };
        for shard in &mut held.shards {
            shard.lock(&self.directory)?;
        }
        Ok(held)
    }
}

impl Shard {
    fn lock(&mut self, directory: &Directory) -> Result<()> {
        loop {
            let file = match self.file.take() {
                Some(file) => file,
                None => directory.open(&self.name)?,
            };
            retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            // Somebody cleaned up where nothing must be: the lock is on a file that others no longer find.
            if fstat(&file)?.st_nlink > 0 {
                self.file = Some(file);
                return Ok(());
            }
        }
    }
}

impl Directory {
    fn open(&self, name: &str) -> Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let directory = self.directory.as_fd();
        match openat(directory, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => self
                .system
                .create(directory, name, flags, Mode::RUSR | Mode::WUSR),
            other => other,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for shard in &mut self.shards {
            // A file that cannot be unlocked is closed, which unlocks it.
            if let Some(file) = shard.file.take()
                && flock(&file, FlockOperation::Unlock).is_ok()
            {
                shard.file = Some(file);
            }
        }
    }
}
