//! [`Keyring`]: keys by id, one of which seals what is new.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use storage_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use super::context::Context;
use super::header::Header;
use super::key::{Key, KeyId};
use super::seal::{Opener, Sealer};
use super::suite::Suite;
use crate::chunked::{CHUNK_LOG2, DEFAULT_CHUNK_LOG2};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyState {
    /// Seals what is new, and opens. One key of a ring is.
    Active,
    /// Opens what it has sealed.
    DecryptOnly,
    /// Refuses to open, and can be enabled again.
    Disabled,
    /// Is gone; what it has sealed is lost for good.
    Destroyed,
}

impl KeyState {
    /// Its name in text, such as `decrypt-only`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::DecryptOnly => "decrypt-only",
            Self::Disabled => "disabled",
            Self::Destroyed => "destroyed",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Keys by id, one of them active. What is sealed names its key, so it is found without trying.
///
/// ```
/// use storage_layers::encryption::{Context, Key, Keyring, Kind};
/// # fn main() -> storage_core::Result<()> {
/// let keys = Keyring::new(Key::random());
/// let place = Context::new(Kind::Entry, "user:7").namespace("profiles");
/// let sealed = keys.seal(&place, b"secret")?;
/// assert_eq!(keys.open(&place, &sealed)?, "secret");
/// let elsewhere = Context::new(Kind::Entry, "user:8").namespace("profiles");
/// assert!(keys.open(&elsewhere, &sealed).is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Keyring {
    active: Key,
    others: BTreeMap<KeyId, (KeyState, Option<Key>)>,
    suite: Suite,
    chunk_log2: u8,
}

impl Keyring {
    /// A ring with this key, which is active. AES-256-GCM in chunks of 64 KiB.
    pub const fn new(active: Key) -> Self {
        Self {
            active,
            others: BTreeMap::new(),
            suite: Suite::Aes256Gcm,
            chunk_log2: DEFAULT_CHUNK_LOG2,
        }
    }

    /// What seals new values.
    #[must_use]
    pub const fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    /// The size of chunks of new values, as a power of two: 12 (4 KiB) to 24 (16 MiB). A range costs whole chunks; a chunk costs 16 bytes.
    ///
    /// # Errors
    /// `InvalidArgument` for any other.
    pub fn chunk_log2(mut self, chunk_log2: u8) -> Result<Self> {
        if !CHUNK_LOG2.contains(&chunk_log2) {
            return Err(Error::invalid_argument(format!(
                "chunks have 2^{} to 2^{} bytes, not 2^{chunk_log2}",
                CHUNK_LOG2.start(),
                CHUNK_LOG2.end()
            )));
        }
        self.chunk_log2 = chunk_log2;
        Ok(self)
    }

    /// A key that opens what it has sealed before.
    #[must_use]
    pub fn with_decrypt_only(mut self, key: Key) -> Self {
        self.insert(key.id(), KeyState::DecryptOnly, Some(key));
        self
    }

    /// A key that is known and not to be used.
    pub(super) fn insert(&mut self, id: KeyId, state: KeyState, key: Option<Key>) {
        if id != self.active.id() {
            self.others.insert(id, (state, key));
        }
    }

    /// The key that seals new values.
    pub const fn active(&self) -> &Key {
        &self.active
    }

    /// Every key's id and state, the active one first.
    pub fn states(&self) -> impl Iterator<Item = (KeyId, KeyState)> {
        let others = self.others.iter().map(|(id, (state, _))| (*id, *state));
        std::iter::once((self.active.id(), KeyState::Active)).chain(others)
    }

    /// The cipher of new values.
    pub const fn its_suite(&self) -> Suite {
        self.suite
    }

    /// The size of chunks of new values, as a power of two.
    pub const fn its_chunk_log2(&self) -> u8 {
        self.chunk_log2
    }

    /// The key with this id, to open with.
    ///
    /// # Errors
    /// `Unauthenticated` for one this ring does not have; `PermissionDenied` for a disabled, `NotFound` for a destroyed one.
    pub fn key(&self, id: KeyId) -> Result<&Key> {
        if id == self.active.id() {
            return Ok(&self.active);
        }
        match self.others.get(&id) {
            Some((KeyState::Active | KeyState::DecryptOnly, Some(key))) => Ok(key),
            Some((KeyState::Disabled, _)) => Err(refused(
                ErrorKind::PermissionDenied,
                format!("it is sealed under key {id}, which is disabled; enable the key to read it"),
                id,
            )),
            Some(_) => Err(refused(
                ErrorKind::NotFound,
                format!("it is sealed under key {id}, which was destroyed: it cannot be read again"),
                id,
            )),
            None => Err(refused(
                ErrorKind::Unauthenticated,
                format!(
                    "it is sealed under key {id}, and the key given is {}: give the key it was written with",
                    self.active.id()
                ),
                id,
            )),
        }
    }

    /// Seals a whole value.
    ///
    /// # Errors
    /// `Internal` where the cipher fails; `LimitExceeded` for more than 2^32 chunks.
    pub fn seal(&self, context: &Context<'_>, plain: &[u8]) -> Result<Bytes> {
        let sealer = Sealer::begin(self, context)?;
        sealer.seal_whole(plain).map(Into::into)
    }

    /// Opens a whole value.
    ///
    /// # Errors
    /// `Corrupt` for what is plain, cut, changed or belongs elsewhere; `FormatTooNew`; as [`key`](Self::key).
    pub fn open(&self, context: &Context<'_>, sealed: &[u8]) -> Result<Bytes> {
        self.open_whole(context, sealed).map(Into::into)
    }

    /// Opens a value that is itself a secret.
    pub(super) fn open_secret(&self, context: &Context<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.open_whole(context, sealed).map(Zeroizing::new)
    }

    fn open_whole(&self, context: &Context<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        let opener = Opener::begin(self, context, Header::read(sealed)?)?;
        opener.open_whole(sealed)
    }
}

fn refused(kind: ErrorKind, message: String, id: KeyId) -> Error {
    Error::new(kind, message).with_context("key", id.to_string())
}
