//! [`Values`]: from a value's bytes to those that are stored, and back. The one place where values are compressed and encrypted.

use storage_core::{Bytes, Error, ErrorKind, Result, Storage};
use storage_layers::compression::{self, Codec, Compression, Limits};
use storage_layers::encryption::{self, Context};

use super::entry::{Encoded, Kind, Value};
use super::keys::NamespaceKeys;
use super::lifetime::SetOptions;
use super::options::KvOptions;
use super::set::Given;

/// Larger values are compressed and encrypted off the async threads: 64 KiB take longer than a task should.
const OFF_THREAD: usize = 64 * 1024;

/// What a value that asks for compression gets where the store has none.
pub(super) const DEFAULT_CODEC: Codec = Codec::Zstd;

pub(super) struct Values {
    storage: Storage,
    namespace: String,
    codec: Codec,
    level: Option<i32>,
    threshold: u64,
    keys: Option<NamespaceKeys>,
    seals_all: bool,
    data_keys: bool,
}

impl Values {
    pub(super) async fn open(storage: &Storage, options: &KvOptions) -> Result<Self> {
        let values = Self {
            storage: storage.clone(),
            namespace: options.namespace.clone(),
            codec: options.codec,
            level: options.level,
            threshold: options.compression_threshold,
            keys: match &options.sealing {
                Some(sealing) => {
                    let creates = options.access.writes();
                    Some(NamespaceKeys::open(storage, &options.namespace, sealing, creates).await?)
                }
                None if NamespaceKeys::are_there(storage, &options.namespace).await? => {
                    return Err(Error::new(
                        ErrorKind::Unauthenticated,
                        "the namespace holds encrypted values, and no key was given; open it with the key it was made with",
                    ));
                }
                None => None,
            },
            seals_all: options.sealing.as_ref().is_some_and(super::Sealing::is_for_all),
            data_keys: options.data_keys,
        };
        if values.data_keys && values.keys.is_none() {
            let message = "keys of entries' own need encryption; give the namespace a key, or leave them out";
            return Err(Error::invalid_argument(message));
        }
        values.compression(values.codec)?;
        Ok(values)
    }

    pub(super) fn keys(&self) -> Option<&NamespaceKeys> {
        self.keys.as_ref()
    }

    /// Whether every value has to be encrypted.
    pub(super) const fn seals_all(&self) -> bool {
        self.seals_all
    }

    pub(super) fn check_options(&self, options: &SetOptions) -> Result<()> {
        options.check()?;
        match (options.encrypt, &self.keys) {
            (Some(true), None) => Err(Error::new(
                ErrorKind::Unsupported,
                "a value cannot be encrypted without a key; open the store with one",
            )),
            (Some(false), Some(_)) if self.seals_all => Err(Error::invalid_argument(
                "this store encrypts every value; choose Sealing::chosen to leave some out",
            )),
            _ => Ok(()),
        }
    }

    /// The bytes to store for a value.
    pub(super) async fn encode(&self, key: &str, given: &Given) -> Result<Encoded> {
        let mut encoded = Encoded {
            kind: given.kind,
            bytes: given.plain.clone(),
            length: given.plain.len() as u64,
            codec: Codec::None.as_str().to_owned(),
            cipher: None,
            key_id: None,
            data_key: None,
        };
        self.compress(&mut encoded, given.options.compress).await?;
        if given.options.encrypt.unwrap_or(self.seals_all) {
            self.seal(key, &mut encoded).await?;
        }
        Ok(encoded)
    }

    async fn compress(&self, encoded: &mut Encoded, asked: Option<bool>) -> Result<()> {
        let codec = match (asked, self.codec) {
            (Some(false), _) => return Ok(()),
            (None, _) if encoded.length < self.threshold => return Ok(()),
            (Some(true), Codec::None) => DEFAULT_CODEC,
            (_, codec) => codec,
        };
        if codec == Codec::None {
            return Ok(());
        }
        let compression = self.compression(codec)?;
        let plain = encoded.bytes.clone();
        let frame = heavy(plain.len(), move || compression.compress(&plain)).await?;
        // A frame around bytes as they are is larger than they are.
        if compression::inspect(&frame)?.codec != Codec::None && frame.len() < encoded.bytes.len() {
            encoded.bytes = frame;
            encoded.codec = codec.as_str().to_owned();
        }
        Ok(())
    }

    fn compression(&self, codec: Codec) -> Result<Compression> {
        let compression = Compression::new(codec).threshold(0);
        match self.level {
            Some(level) if codec == self.codec => compression.level(level),
            _ => Ok(compression),
        }
    }

    async fn seal(&self, key: &str, encoded: &mut Encoded) -> Result<()> {
        let Some(keys) = &self.keys else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "there is no key to encrypt with",
            ));
        };
        let ring = if self.data_keys {
            let (ring, name) = keys.fresh_data_key(key, self.storage.now()).await?;
            encoded.data_key = Some(name);
            ring
        } else {
            keys.ring_to_seal(self.storage.now()).await?
        };
        encoded.key_id = keys.active();
        encoded.cipher = Some(ring.its_suite().as_str().to_owned());
        let (plain, place) = (
            encoded.bytes.clone(),
            self.place(key, encoded.kind, &encoded.codec),
        );
        encoded.bytes = heavy(plain.len(), move || ring.seal(&place.context(), &plain)).await?;
        Ok(())
    }

    /// The value that was stored as these bytes.
    pub(super) async fn open_value(
        &self,
        key: &str,
        value: &Value,
        stored: Bytes,
        takes_plain: bool,
    ) -> Result<Bytes> {
        let named = |error: Error| error.with_key(key);
        let frame = match (&value.cipher, &self.keys) {
            (Some(_), _) => self.unseal(key, value, stored).await.map_err(named)?,
            (None, Some(_)) if self.seals_all && !takes_plain => {
                let message = "it was stored without encryption, and this store takes encrypted values only; rotate encrypts it";
                return Err(Error::corrupt(key, message));
            }
            (None, _) => stored,
        };
        let plain = self.decompress(value, frame).await.map_err(named)?;
        if plain.len() as u64 != value.length {
            return Err(Error::corrupt(
                key,
                "its value has another length than was written",
            ));
        }
        Ok(plain)
    }

    async fn unseal(&self, key: &str, value: &Value, stored: Bytes) -> Result<Bytes> {
        let Some(keys) = &self.keys else {
            let message =
                "the value is encrypted, and no key was given; open the store with the key it was made with";
            return Err(Error::new(ErrorKind::Unauthenticated, message));
        };
        let opened = self.open_with(keys, key, value, stored.clone()).await;
        match opened {
            // Somebody else may have rotated since.
            Err(error) if error.kind() == ErrorKind::Unauthenticated => {
                keys.reload().await?;
                self.open_with(keys, key, value, stored).await
            }
            opened => opened,
        }
    }

    async fn open_with(
        &self,
        keys: &NamespaceKeys,
        key: &str,
        value: &Value,
        stored: Bytes,
    ) -> Result<Bytes> {
        let ring = match &value.data_key {
            Some(name) => keys.data_key(key, name).await?,
            None => keys.ring()?,
        };
        let place = self.place(key, value.kind, &value.codec);
        heavy(stored.len(), move || ring.open(&place.context(), &stored)).await
    }

    async fn decompress(&self, value: &Value, frame: Bytes) -> Result<Bytes> {
        let codec: Codec = value.codec.parse().map_err(|_| {
            Error::new(
                ErrorKind::FormatTooNew,
                format!("its codec {:?} is unknown", value.codec),
            )
        })?;
        if codec == Codec::None {
            return Ok(frame);
        }
        if compression::inspect(&frame)?.codec != codec {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "it is compressed in another way than was written",
            ));
        }
        // Nothing larger than what was written comes out, whatever the frame claims.
        let limits = Limits::new().max_plain_bytes(value.length);
        heavy(usize::try_from(value.length).unwrap_or(usize::MAX), move || {
            compression::decompress(&frame, limits)
        })
        .await
    }

    /// Destroys keys of values that are gone.
    pub(super) async fn destroy(&self, names: &[String]) -> Result<()> {
        match &self.keys {
            Some(keys) if !names.is_empty() => keys.destroy(names).await,
            _ => Ok(()),
        }
    }

    /// Whether the keys a value was sealed with are still there, for a writer that took long.
    pub(super) async fn can_be_opened(&self, encoded: &Encoded) -> Result<bool> {
        let (Some(keys), Some(id)) = (&self.keys, &encoded.key_id) else {
            return Ok(true);
        };
        keys.reload().await?;
        let has_data_key = match &encoded.data_key {
            Some(name) => keys.has_data_key(name).await?,
            None => true,
        };
        Ok(has_data_key && keys.ring()?.key(id.parse()?).is_ok())
    }

    fn place(&self, key: &str, kind: Kind, codec: &str) -> Place {
        let kind = match kind {
            Kind::Bytes => "bytes",
            Kind::Json => "json",
        };
        Place {
            namespace: self.namespace.clone(),
            key: key.to_owned(),
            form: format!("{kind} {codec}"),
        }
    }
}

/// What a sealed value is bound to.
struct Place {
    namespace: String,
    key: String,
    form: String,
}

impl Place {
    fn context(&self) -> Context<'_> {
        Context::new(encryption::Kind::Entry, &self.key)
            .store(b"kv")
            .namespace(&self.namespace)
            .collection(&self.form)
    }
}

/// Does work here where it is little, and off the async threads where it is much.
async fn heavy<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if bytes < OFF_THREAD {
        return work();
    }
    off_thread(work).await
}

/// Does work that takes long.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "work off the async threads did not end").with_source(error)
    })?
}
