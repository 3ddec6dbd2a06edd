//! [`Sealing`]: the keys a layer seals with, kept up to date, and sealed values as a format of chunks.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{Area, DocumentId, Error, ErrorKind, Name, Result, Retry, StorageBackend};

use crate::chunked::format::{ChunkReader, ChunkWriter, Format, Place};
use crate::chunked::{DEFAULT_CHUNK_LOG2, Geometry};
use crate::encryption::{
    Context, HEADER_BYTES, Header, Key, KeyId, Keyring, Keystore, Kind, Opener, Sealer, TAG_BYTES,
};

/// How old the knowledge of which key is active may be when something is sealed.
const REFRESH: Duration = Duration::from_secs(60);

/// For how long after a key was rotated out something may still be sealed under it: as long as nobody need have looked, and as much
/// again for clocks that differ.
pub(super) const SETTLED: Duration = REFRESH.saturating_mul(2);

/// What a layer seals with.
pub(super) struct Sealing {
    store: Vec<u8>,
    namespace: String,
    index_key: Key,
    live: RwLock<Live>,
    /// Where keys come from; `None` where they were given.
    medium: Option<Arc<dyn StorageBackend>>,
}

struct Live {
    keys: Arc<Keyring>,
    keystore: Option<Keystore>,
    read: Instant,
}

impl Sealing {
    /// With the keys of a keystore on this medium.
    pub(super) fn of_keystore(
        medium: Arc<dyn StorageBackend>,
        keystore: Keystore,
        namespace: String,
    ) -> Result<Self> {
        Ok(Self {
            store: keystore.store().to_vec(),
            namespace,
            index_key: keystore.index_key()?,
            live: RwLock::new(Live {
                keys: Arc::new(keystore.ring()?),
                keystore: Some(keystore),
                read: Instant::now(),
            }),
            medium: Some(medium),
        })
    }

    /// With these keys.
    pub(super) fn of_keys(keys: Keyring, store: &[u8], namespace: String) -> Result<Self> {
        let keys = keys.chunk_log2(DEFAULT_CHUNK_LOG2)?;
        Ok(Self {
            store: store.to_vec(),
            namespace,
            index_key: keys.active().derive("blind indexes"),
            live: RwLock::new(Live {
                keys: Arc::new(keys),
                keystore: None,
                read: Instant::now(),
            }),
            medium: None,
        })
    }

    pub(super) const fn index_key(&self) -> &Key {
        &self.index_key
    }

    pub(super) fn keys(&self) -> Arc<Keyring> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// The keystore as it was last read, and its medium.
    ///
    /// # Errors
    /// `Unsupported` where the keys were given.
    pub(super) fn keystore(&self) -> Result<(Keystore, &dyn StorageBackend)> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        match (&live.keystore, &self.medium) {
            (Some(keystore), Some(medium)) => Ok((keystore.clone(), &**medium)),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "the keys of this layer were given to it; it has no keystore to change",
            )),
        }
    }

    /// Goes on with the keys of this keystore.
    pub(super) fn take(&self, keystore: Keystore) -> Result<()> {
        let keys = Arc::new(keystore.ring()?);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Live {
            keys,
            keystore: Some(keystore),
            read: Instant::now(),
        };
        Ok(())
    }

    /// Reads the keystore again.
    pub(super) async fn refresh(&self) -> Result<()> {
        let (keystore, medium) = self.keystore()?;
        self.take(keystore.reload(medium).await?)
    }

    fn context<'a>(&'a self, kind: Kind, name: &'a str) -> Context<'a> {
        Context::new(kind, name)
            .store(&self.store)
            .namespace(&self.namespace)
    }

    fn context_of<'a>(&'a self, place: &'a Place) -> Context<'a> {
        match place {
            Place::Object(Area::Objects, key) => self.context(Kind::Object, key.as_str()),
            Place::Object(Area::Overlay, key) => self.context(Kind::Overlay, key.as_str()),
            Place::Log(log) => self.context(Kind::LogEntry, log.as_str()),
        }
    }

    /// Seals a document's body; `beside` is what of it stays readable.
    pub(super) fn seal_document(
        &self,
        collection: &Name,
        id: &DocumentId,
        beside: &[u8],
        body: &[u8],
    ) -> Result<Bytes> {
        let context = self.context(Kind::Document, id.as_str());
        let context = context.collection(collection.as_str()).beside(beside);
        self.keys().seal(&context, body)
    }

    /// Opens a document's body.
    pub(super) fn open_document(
        &self,
        collection: &Name,
        id: &DocumentId,
        beside: &[u8],
        sealed: &[u8],
    ) -> Result<Bytes> {
        let context = self.context(Kind::Document, id.as_str());
        let context = context.collection(collection.as_str()).beside(beside);
        self.keys().open(&context, sealed)
    }

    /// How many bytes more a sealed value of one chunk takes.
    pub(super) const fn overhead() -> u64 {
        (HEADER_BYTES + TAG_BYTES) as u64
    }
}

#[async_trait]
impl Format for Sealing {
    type Writer = Sealer;
    type Reader = Opener;

    fn geometry(&self) -> Geometry {
        Geometry::known(HEADER_BYTES as u64, DEFAULT_CHUNK_LOG2, TAG_BYTES as u64)
    }

    fn begin(&self, place: &Place) -> Result<Sealer> {
        Sealer::begin(&self.keys(), &self.context_of(place))
    }

    fn open(&self, place: &Place, bytes: &[u8]) -> Result<Opener> {
        let header = Header::read(bytes)?;
        if header.chunk_log2 != DEFAULT_CHUNK_LOG2 {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "what is sealed here has chunks of another size than this layer writes",
            ));
        }
        Opener::begin(&self.keys(), &self.context_of(place), header)
    }

    async fn prepare(&self) -> Result<()> {
        let age = self
            .live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .read
            .elapsed();
        if self.medium.is_none() || age < REFRESH {
            return Ok(());
        }
        self.refresh().await
    }

    async fn confirm(&self, writer: &Sealer) -> Result<()> {
        Format::prepare(self).await?;
        let key = Header::read(writer.header())?.key;
        if self.medium.is_none() || key == self.keys().active().id() {
            return Ok(());
        }
        // The key may be destroyed once nobody seals under it any more, however slow.
        Err(Error::new(
            ErrorKind::Conflict,
            format!("key {key} was rotated out while this was written; write it again"),
        )
        .with_retry(Retry::Later))
    }

    async fn learns_from(&self, error: &Error) -> bool {
        // A key another process made active a moment ago.
        if error.kind() != ErrorKind::Unauthenticated || self.medium.is_none() {
            return false;
        }
        let Some(missing) = error.context_value("key").and_then(|id| id.parse::<KeyId>().ok()) else {
            return false;
        };
        self.refresh().await.is_ok() && self.keys().states().any(|(id, _)| id == missing)
    }
}

impl ChunkWriter for Sealer {
    fn header(&self) -> &[u8] {
        self.header()
    }

    fn chunk(&mut self, plain: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        self.chunk(plain, last, out)
    }
}

impl ChunkReader for Opener {
    fn chunks(&self, chunks: Range<u64>, plain: u64, stored: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.chunks(chunks, plain, stored, out)
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing")
            .field("namespace", &self.namespace)
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}
