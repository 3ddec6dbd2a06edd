//! [`VolumeStore`]: blocks and channels in one storage or several.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use storage_core::{Bytes, Error, ErrorKind, Result, Storage};
use tokio::sync::OnceCell;

use super::format::Format;
use super::hash::{Hash, HashAlgorithm};
use super::names::Names;
use super::options::VolumeOptions;
use super::replica::{Failure, Replica, Role};
use super::signing::{Ed25519, PublicKey, Verifier};
use super::site::{Sink, Site};

/// So many failures are remembered, the newest.
const MAX_FAILURES: usize = 1024;

/// Blocks and channels, in one storage or in several that replicate each other. Cheap to clone.
///
/// It stands on objects alone, so it works on every backend, also on one that has no documents. Nothing here is locked: blocks and events
/// never change, whoever writes the same writes the same bytes, and the backends publish each write whole.
#[derive(Clone)]
pub struct VolumeStore {
    inner: Arc<Inner>,
}

struct Inner {
    sites: Vec<Site>,
    options: VolumeOptions,
    /// What the store is, or is to be where it is not yet.
    format: Format,
    verifiers: Vec<Arc<dyn Verifier>>,
    failures: Mutex<VecDeque<Failure>>,
}

/// A thing that is named by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Block(Hash),
    Event(PublicKey, Hash),
}

impl Item {
    pub(super) const fn hash(&self) -> &Hash {
        match self {
            Self::Block(hash) | Self::Event(_, hash) => hash,
        }
    }

    pub(super) fn key(&self, names: &Names, format: &Format) -> String {
        match self {
            Self::Block(hash) => names.block(format, hash),
            Self::Event(channel, hash) => names.event(channel, hash),
        }
    }

    /// From which age on it is written anew when it is put again; events are never collected.
    fn refreshed_after(&self, format: &Format) -> Option<Duration> {
        match self {
            Self::Block(_) => Some(format.grace / 2),
            Self::Event(..) => None,
        }
    }
}

impl VolumeStore {
    /// Opens the store in this storage, or makes it.
    ///
    /// # Errors
    /// `InvalidArgument` where the store is not what the options say; `FormatTooNew`; `Corrupt`; `Unsupported` where it has to be made and
    /// the storage cannot create an object only where none is, unless [told](VolumeOptions::sole_creator) that nobody else does; those of
    /// the medium.
    pub async fn open(storage: Storage, options: VolumeOptions) -> Result<Self> {
        Self::open_replicas(vec![Replica::durable("store", storage)], options).await
    }

    /// Opens the store in several storages, the first the one that is read first. One that cannot be reached now takes part once it can.
    ///
    /// # Errors
    /// As [`open`](Self::open), for a replica that answers; that of a durable one where none can be reached; `InvalidArgument` for no durable
    /// replica and for names that are not unique.
    pub async fn open_replicas(replicas: Vec<Replica>, options: VolumeOptions) -> Result<Self> {
        let opening = |error: Error| error.with_operation("open volumes");
        if !replicas.iter().any(|replica| replica.role == Role::Durable) {
            return Err(opening(Error::invalid_argument(
                "no replica is durable, so no write could succeed",
            )));
        }
        for (at, replica) in replicas.iter().enumerate() {
            if replicas[..at].iter().any(|other| other.name == replica.name) {
                let message = format!("two replicas are called {:?}", replica.name);
                return Err(opening(Error::invalid_argument(message)));
            }
        }
        let sites: Vec<Site> = replicas
            .into_iter()
            .map(|replica| Site {
                name: replica.name,
                role: replica.role,
                storage: replica.storage,
                names: Names::below(&options.directory),
                format: OnceCell::new(),
            })
            .collect();
        let asked = Format::asked(&options).map_err(opening)?;
        let found = join_all(sites.iter().map(|site| Format::read(&site.storage, &site.names))).await;
        let mut stored = None;
        for result in &found {
            match result {
                Ok(Some(format)) => drop(stored.get_or_insert(*format)),
                Ok(None) => {}
                Err(error) if is_absence(error.kind()) => {}
                Err(_) => {
                    let error = found.into_iter().find_map(|result| match result {
                        Err(error) if !is_absence(error.kind()) => Some(error),
                        _ => None,
                    });
                    return Err(opening(error.unwrap_or_else(none_durable)));
                }
            }
        }
        let mut verifiers: Vec<Arc<dyn Verifier>> = vec![Arc::new(Ed25519)];
        verifiers.extend(options.verifiers.iter().cloned());
        let store = Self {
            inner: Arc::new(Inner {
                sites,
                options,
                format: stored.unwrap_or(asked),
                verifiers,
                failures: Mutex::default(),
            }),
        };
        let ready = join_all(store.sites().iter().map(|site| store.ready(site))).await;
        let mut results = Vec::new();
        for (site, ready) in store.sites().iter().zip(ready) {
            match ready {
                Err(error) if !is_absence(error.kind()) && site.role == Role::Durable => {
                    return Err(opening(error));
                }
                ready => results.push((site, ready.map(drop))),
            }
        }
        store.settle(results).map_err(opening)?;
        Ok(store)
    }

    /// The hash that names blocks and events here.
    pub fn hash_algorithm(&self) -> HashAlgorithm {
        self.inner.format.hash
    }

    /// The shortest age at which a block that nothing names may be collected.
    pub fn grace(&self) -> Duration {
        let graces = self.sites().iter().filter_map(|site| site.format.get());
        graces
            .map(|format| format.grace)
            .max()
            .unwrap_or(self.inner.format.grace)
    }

    /// The names of the replicas and what they count for, in the order they are read.
    pub fn replicas(&self) -> impl Iterator<Item = (&str, Role)> {
        self.sites().iter().map(|site| (site.name.as_str(), site.role))
    }

    /// What did not work on a replica lately, oldest first: at most the newest 1,024 since the store was opened.
    pub fn failures(&self) -> Vec<Failure> {
        self.remembered().iter().cloned().collect()
    }

    /// Closes every storage it stands on.
    ///
    /// # Errors
    /// The first that could not be closed; the others are.
    pub async fn close(&self) -> Result<()> {
        let closed = join_all(self.sites().iter().map(|site| site.storage.close())).await;
        closed.into_iter().collect()
    }

    pub(super) fn sites(&self) -> &[Site] {
        &self.inner.sites
    }

    pub(super) fn verifiers(&self) -> &[Arc<dyn Verifier>] {
        &self.inner.verifiers
    }

    /// What a replica is like, which is looked up, or decided, the first time it answers.
    pub(super) async fn ready<'a>(&self, site: &'a Site) -> Result<&'a Format> {
        site.format.get_or_try_init(|| self.look_up(site)).await
    }

    async fn look_up(&self, site: &Site) -> Result<Format> {
        let inner = &self.inner;
        let format = match Format::read(&site.storage, &site.names).await? {
            Some(format) => format,
            None => {
                let sole_creator = inner.options.sole_creator;
                inner
                    .format
                    .create(&site.storage, &site.names, sole_creator)
                    .await?
            }
        };
        let key = site.names.format();
        format.check(&inner.options, &key)?;
        if format.hash != inner.format.hash {
            return Err(Error::invalid_argument(format!(
                "the replica {:?} has the hash {}, the others have {}; copy its contents into a new one",
                site.name, format.hash, inner.format.hash
            ))
            .with_key(key));
        }
        Ok(format)
    }

    /// Puts bytes everywhere; done when they are in one durable replica.
    pub(super) async fn place(&self, item: &Item, bytes: &Bytes) -> Result<()> {
        let placing = self.sites().iter().map(|site| self.place_on(site, item, bytes));
        let results = join_all(placing).await;
        self.settle(self.sites().iter().zip(results).collect())
    }

    /// Puts bytes on a replica, and tells everybody where it is an event.
    pub(super) async fn place_on(&self, site: &Site, item: &Item, bytes: &Bytes) -> Result<()> {
        self.place_untold(site, item, bytes).await?;
        match item {
            Item::Block(_) => Ok(()),
            Item::Event(channel, _) => site.tell(channel, None).await.map(drop),
        }
    }

    pub(super) async fn place_untold(&self, site: &Site, item: &Item, bytes: &Bytes) -> Result<()> {
        let format = self.ready(site).await?;
        let key = item.key(&site.names, format);
        let refreshed_after = item.refreshed_after(format);
        site.place(&key, format.hash, item.hash(), bytes, refreshed_after)
            .await
    }

    pub(super) async fn is_in_place(&self, site: &Site, item: &Item) -> Result<bool> {
        let format = self.ready(site).await?;
        let key = item.key(&site.names, format);
        let refreshed_after = item.refreshed_after(format);
        site.is_in_place(&key, format.hash, item.hash(), refreshed_after)
            .await
    }

    /// Reads an item from the first replica that has it whole; `false` where all say that it is not there.
    pub(super) async fn read(&self, item: &Item, each: Sink<'_>) -> Result<bool> {
        let mut failure = None;
        for site in self.sites() {
            match self.read_on(site, item, each).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => {
                    self.remember(site, &error);
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(false), Err)
    }

    pub(super) async fn read_on(&self, site: &Site, item: &Item, each: Sink<'_>) -> Result<bool> {
        let format = self.ready(site).await?;
        let key = item.key(&site.names, format);
        site.read_sound(&key, format.hash, item.hash(), each).await
    }

    /// Whether a write that went so is done: it is where one durable replica has it. The rest is remembered.
    pub(super) fn settle(&self, results: Vec<(&Site, Result<()>)>) -> Result<()> {
        let mut is_done = false;
        let mut failure = None;
        for (site, result) in results {
            match result {
                Ok(()) => is_done |= site.role == Role::Durable,
                Err(error) => {
                    self.remember(site, &error);
                    if site.role == Role::Durable {
                        failure.get_or_insert(error);
                    }
                }
            }
        }
        if is_done {
            return Ok(());
        }
        Err(failure.unwrap_or_else(none_durable))
    }

    pub(super) fn remember(&self, site: &Site, error: &Error) -> Failure {
        let failure = Failure {
            replica: site.name.clone(),
            kind: error.kind(),
            key: error.key().map(str::to_owned),
            message: error.message().to_owned(),
            at: site.storage.now(),
        };
        let mut remembered = self.remembered();
        if remembered.len() == MAX_FAILURES {
            remembered.pop_front();
        }
        remembered.push_back(failure.clone());
        failure
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, VecDeque<Failure>> {
        self.inner.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a replica that says so is merely not there now.
fn is_absence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Io
            | ErrorKind::NoSpace
            | ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::RateLimited
            | ErrorKind::Timeout
            | ErrorKind::Unauthenticated
            | ErrorKind::Unavailable
    )
}

fn none_durable() -> Error {
    Error::new(ErrorKind::Unavailable, "no durable replica can be reached")
}

impl fmt::Debug for VolumeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VolumeStore")
            .field("sites", &self.inner.sites)
            .field("format", &self.inner.format)
            .finish_non_exhaustive()
    }
}
