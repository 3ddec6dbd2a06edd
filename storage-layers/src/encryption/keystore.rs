//! [`Keystore`]: the keys of a store, on its own medium, sealed under a root key that is not.

mod document;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use storage_core::{
    Area, Condition, Error, ErrorKind, Key as ObjectKey, ListEntry, ListRequest, ReadRequest, Result,
    StorageBackend, Version, WriteRequest,
};

use self::document::{Document, Entry, Wrapped};
use super::key::{Key, KeyId};
use super::keyring::{KeyState, Keyring};
use super::passphrase::PassphraseParameters;
use super::provider::KeyProvider;
use super::suite::Suite;

/// Where it lies, in the overlay's area, so that no user's key meets it.
const OBJECT: &str = "encryption/keystore";

/// How often a change is tried again because somebody else made one at the same moment.
const ATTEMPTS: usize = 16;

/// The keys of a store. The medium holds them, each sealed under a root key that only the [`KeyProvider`] gives, with their states and
/// which of them is active; nothing of that can be changed without the root key. An older state of all of it can be put back.
///
/// Lose the root key or this one object (`encryption/keystore` in the overlay's area), and everything is lost: keep copies of both,
/// apart from each other.
#[derive(Debug, Clone)]
pub struct Keystore {
    root: Key,
    document: Document,
    version: Version,
}

/// A key of a keystore, without the key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct KeyInfo {
    /// What it is called.
    pub id: KeyId,
    /// What it may be used for.
    pub state: KeyState,
    /// When it was made, in milliseconds since 1970 by the clock of who made it.
    pub created_ms: i64,
}

impl Keystore {
    /// Whether this medium has a keystore: it is then read with a key or not at all.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn is_present<B: StorageBackend + ?Sized>(medium: &B) -> Result<bool> {
        Ok(medium.stat(Area::Overlay, &object()?).await?.is_some())
    }

    /// The keystore of this medium, opened with what the provider gives. `None` where there is none.
    ///
    /// # Errors
    /// `Unauthenticated` for the wrong key; `Corrupt` where it was changed; `FormatTooNew`; those of the provider and the medium.
    pub async fn open<B: StorageBackend + ?Sized>(
        medium: &B,
        provider: &KeyProvider,
    ) -> Result<Option<Self>> {
        let Some((document, version)) = load(medium).await? else {
            return Ok(None);
        };
        let root = root(provider, document.passphrase().cloned()).await?;
        Self::unlocked(root, document, version).map(Some)
    }

    fn unlocked(root: Key, document: Document, version: Version) -> Result<Self> {
        document.check(&root)?;
        Ok(Self {
            root,
            document,
            version,
        })
    }

    /// The keystore of this medium; where there is none, a new one with one key, provided the medium is empty.
    ///
    /// # Errors
    /// `InvalidArgument` where there is data and no keystore: it was written without a key. As [`open`](Self::open).
    pub async fn open_or_create<B: StorageBackend + ?Sized>(
        medium: &B,
        provider: &KeyProvider,
        suite: Suite,
        now_ms: i64,
    ) -> Result<Self> {
        Self::open_or_create_beside(medium, provider, suite, now_ms, &BTreeSet::new()).await
    }

    /// The same, where objects with these keys are none of this store's.
    pub(crate) async fn open_or_create_beside<B: StorageBackend + ?Sized>(
        medium: &B,
        provider: &KeyProvider,
        suite: Suite,
        now_ms: i64,
        beside: &BTreeSet<String>,
    ) -> Result<Self> {
        if let Some(keystore) = Self::open(medium, provider).await? {
            return Ok(keystore);
        }
        let mut request = ListRequest::new("");
        request.limit = beside.len() + 1;
        let objects = medium.list(Area::Objects, request.clone()).await?;
        let overlay = medium.list(Area::Overlay, request).await?;
        let foreign =
            |entry: &ListEntry| matches!(entry, ListEntry::Object(key, _) if beside.contains(key.as_str()));
        if !objects.entries.iter().all(foreign) || !overlay.entries.is_empty() {
            // Unless somebody else made it, and wrote, since we looked.
            return Self::open(medium, provider).await?.ok_or_else(plain_data);
        }
        let passphrase = provider.is_passphrase().then(PassphraseParameters::new);
        let root = root(provider, passphrase.clone()).await?;
        let document = Document::new(&root, passphrase, suite, now_ms)?;
        let condition = if medium.declaration().objects.create_if_absent.is_present() {
            Condition::IfAbsent
        } else {
            Condition::Always
        };
        let bytes = document.to_bytes()?;
        let written = medium
            .write(Area::Overlay, &object()?, bytes, WriteRequest::when(condition))
            .await;
        match written {
            Ok(version) => Self::unlocked(root, document, version),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Self::open(medium, provider).await?.ok_or_else(|| {
                    Error::new(ErrorKind::Conflict, "the keystore was removed at the same moment")
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The same keystore as it is now.
    ///
    /// # Errors
    /// As [`open`](Self::open); `NotFound` where it is gone.
    pub async fn reload<B: StorageBackend + ?Sized>(&self, medium: &B) -> Result<Self> {
        let Some((document, version)) = load(medium).await? else {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the keystore is gone; put it back from a copy",
            ));
        };
        Self::unlocked(self.root.clone(), document, version)
    }

    /// What tells this store from every other: 16 random bytes, bound into whatever is sealed.
    pub fn store(&self) -> &[u8] {
        self.document.store()
    }

    /// The keys, to seal and open with.
    ///
    /// # Errors
    /// `Corrupt` where a key does not come out of its wrapping.
    pub fn ring(&self) -> Result<Keyring> {
        let store = self.document.store();
        let unwrap = |entry: &Entry| match &entry.wrapped {
            Some(wrapped) => self.root.unwrap(entry.id, &wrapped.0, store).map(Some),
            None => Ok(None),
        };
        let mut active = None;
        let mut others = Vec::new();
        for entry in self.document.keys() {
            match entry.state {
                KeyState::Active => active = unwrap(entry)?,
                KeyState::DecryptOnly => others.push((entry.id, entry.state, unwrap(entry)?)),
                state => others.push((entry.id, state, None)),
            }
        }
        let active =
            active.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the keystore has no active key"))?;
        let mut ring = Keyring::new(active).suite(self.document.suite());
        for (id, state, key) in others {
            ring.insert(id, state, key);
        }
        Ok(ring)
    }

    /// The key of blind indexes, which stays the same when others rotate.
    ///
    /// # Errors
    /// As [`ring`](Self::ring).
    pub fn index_key(&self) -> Result<Key> {
        let Wrapped { id, wrapped } = self.document.index_key();
        self.root.unwrap(*id, &wrapped.0, self.document.store())
    }

    /// Every key it has, or had, the oldest first.
    pub fn keys(&self) -> Vec<KeyInfo> {
        let info = |entry: &Entry| KeyInfo {
            id: entry.id,
            state: entry.state,
            created_ms: entry.created_ms,
        };
        self.document.keys().iter().map(info).collect()
    }

    /// When a key ceased to be the active one: when the one after it was made. `None` for the active key, and for one there is none of.
    pub(crate) fn retired_ms(&self, id: KeyId) -> Option<i64> {
        let keys = self.document.keys();
        let at = keys.iter().position(|entry| entry.id == id)?;
        keys.get(at + 1).map(|next| next.created_ms)
    }

    /// Makes a new key and has it seal from now on. The one before opens what it has sealed.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn rotate<B: StorageBackend + ?Sized>(&mut self, medium: &B, now_ms: i64) -> Result<KeyId> {
        let key = Key::random();
        self.change(medium, |document, root| document.activate(root, &key, now_ms))
            .await?;
        Ok(key.id())
    }

    /// Forbids or allows again to open with a key that is not active.
    ///
    /// # Errors
    /// `InvalidArgument` for the active or a destroyed key, or another state than decrypt-only and disabled; `NotFound`.
    pub async fn set_state<B: StorageBackend + ?Sized>(
        &mut self,
        medium: &B,
        id: KeyId,
        state: KeyState,
    ) -> Result<()> {
        if !matches!(state, KeyState::DecryptOnly | KeyState::Disabled) {
            return Err(Error::invalid_argument(
                "a key is made decrypt-only or disabled; rotate makes one active, destroy destroys one",
            ));
        }
        self.change(medium, |document, _| document.set_state(id, state))
            .await
    }

    /// Destroys a key that is not active: what it has sealed cannot be read again, by anybody, wherever it lies. Copies of the keystore
    /// keep it. Whether anything is still sealed under it, or may be by somebody who does not know yet that it is not the active one, is
    /// for the caller to find out first: `Encrypt::destroy_key` does.
    ///
    /// # Errors
    /// `InvalidArgument` for the active key; `NotFound`.
    pub async fn destroy<B: StorageBackend + ?Sized>(&mut self, medium: &B, id: KeyId) -> Result<()> {
        self.change(medium, |document, _| document.set_state(id, KeyState::Destroyed))
            .await
    }

    /// Seals every key under another root key. The old one opens copies of the keystore that were made before.
    ///
    /// # Errors
    /// Those of the provider and the medium.
    pub async fn change_root<B: StorageBackend + ?Sized>(
        &mut self,
        medium: &B,
        provider: &KeyProvider,
    ) -> Result<()> {
        let passphrase = provider.is_passphrase().then(PassphraseParameters::new);
        let new = root(provider, passphrase.clone()).await?;
        for _ in 0..ATTEMPTS {
            let document = self.document.under(&self.root, &new, passphrase.clone())?;
            match self.write(medium, &document).await {
                Ok(version) => {
                    (self.root, self.document, self.version) = (new, document, version);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
                    *self = self.reload(medium).await?
                }
                Err(error) => return Err(error),
            }
        }
        Err(busy())
    }

    async fn change<B: StorageBackend + ?Sized>(
        &mut self,
        medium: &B,
        change: impl Fn(&mut Document, &Key) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let mut document = self.document.clone();
            change(&mut document, &self.root)?;
            document.prove(&self.root)?;
            match self.write(medium, &document).await {
                Ok(version) => {
                    (self.document, self.version) = (document, version);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
                    *self = self.reload(medium).await?
                }
                Err(error) => return Err(error),
            }
        }
        Err(busy())
    }

    async fn write<B: StorageBackend + ?Sized>(&self, medium: &B, document: &Document) -> Result<Version> {
        medium
            .declaration()
            .require(storage_core::Capability::CompareAndSwap)?;
        let request = WriteRequest::when(Condition::IfVersion(self.version.clone()));
        medium
            .write(Area::Overlay, &object()?, document.to_bytes()?, request)
            .await
    }
}

/// What a store that holds data and no keystore is refused with.
pub(crate) fn plain_data() -> Error {
    Error::invalid_argument(
        "there is data here that was written without a key; a store is encrypted from its beginning: open it without a key, or copy it into a new one",
    )
}

fn busy() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the keystore is changed by others all the time",
    )
}

fn object() -> Result<ObjectKey> {
    ObjectKey::new(OBJECT)
}

async fn load<B: StorageBackend + ?Sized>(medium: &B) -> Result<Option<(Document, Version)>> {
    let Some(object) = medium
        .read(Area::Overlay, &object()?, ReadRequest::default())
        .await?
    else {
        return Ok(None);
    };
    let document = parse(&object.bytes).map_err(|error| error.with_key(OBJECT))?;
    Ok(Some((document, object.meta.version)))
}

fn parse(bytes: &Bytes) -> Result<Document> {
    Document::from_bytes(bytes)
}

/// The root key, on a thread for blocking work: files, programs, Argon2.
async fn root(provider: &KeyProvider, passphrase: Option<PassphraseParameters>) -> Result<Key> {
    let provider = Arc::new(provider.clone());
    crate::heavy::heavy(usize::MAX, move || provider.load(passphrase.as_ref())).await
}

#[cfg(test)]
mod tests;
