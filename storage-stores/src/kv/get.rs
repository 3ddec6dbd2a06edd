//! Reading entries.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use storage_core::{Bytes, Error, ErrorKind, Result};

use super::entry::{Found, Kind, Value};
use super::flight::Landed;
use super::memory::{Cached, Looked};
use super::store::Kv;
use crate::race::{MAX_ATTEMPTS, busy};

const OPERATION: &str = "get value";

impl Kv {
    /// The value of a key as this type; `None` where there is none, or it has expired.
    ///
    /// Reading never prolongs an entry's life.
    ///
    /// # Errors
    /// `InvalidArgument` when what is stored does not fit the type, bytes included; `Corrupt` naming the key; `PermissionDenied`;
    /// `InvalidName` and `LimitExceeded` for a key that cannot be; those of the medium.
    pub async fn get<T: DeserializeOwned>(&self, key: impl AsRef<str>) -> Result<Option<T>> {
        let key = key.as_ref();
        let found = self.read(key).await?;
        found
            .map(|cached| parse(&cached))
            .transpose()
            .map_err(|error| self.named(error, OPERATION, key))
    }

    /// The value of a key as this type, shared: a value in memory is parsed once, and neither copied nor parsed again.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_shared<T>(&self, key: impl AsRef<str>) -> Result<Option<Arc<T>>>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let key = key.as_ref();
        let found = self.read(key).await?;
        found
            .map(|cached| cached.shared(parse))
            .transpose()
            .map_err(|error| self.named(error, OPERATION, key))
    }

    /// The bytes of a value: those given to [`set_raw`](Self::set_raw), or the JSON of any other value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_raw(&self, key: impl AsRef<str>) -> Result<Option<Bytes>> {
        Ok(self.read(key.as_ref()).await?.map(|cached| cached.bytes.clone()))
    }

    /// Whether a key is known to have a value that has not expired. Answers from memory without asking the backend where it can, within the
    /// bound on [staleness](super::KvOptions::staleness); otherwise it reads the entry's document, never its object.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn has(&self, key: impl AsRef<str>) -> Result<bool> {
        let key = key.as_ref();
        self.admit_reads(OPERATION, key)?;
        if let Some(waiting) = self.waiting_value(key) {
            return Ok(waiting.is_some());
        }
        let now = self.now();
        if let Looked::Fresh(_) = self.shared.memory.look(key, now) {
            return Ok(true);
        }
        Ok(self
            .find(key)
            .await?
            .is_some_and(|found| found.entry.live(now).is_some()))
    }

    /// Whether a value is there: asks the backend, for its object too.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn exists(&self, key: impl AsRef<str>) -> Result<bool> {
        let key = key.as_ref();
        self.admit_reads(OPERATION, key)?;
        if let Some(waiting) = self.waiting_value(key) {
            return Ok(waiting.is_some());
        }
        for _ in 0..MAX_ATTEMPTS {
            let Some(found) = self.find(key).await? else {
                return Ok(false);
            };
            let Some(value) = found.entry.live(self.now()) else {
                return Ok(false);
            };
            let Some(object) = &value.object else {
                return Ok(true);
            };
            if self.objects().stat(object).await?.is_some() {
                return Ok(true);
            }
            // Its object goes when it is replaced.
            if self
                .find(key)
                .await?
                .is_some_and(|again| again.version == found.version)
            {
                return Ok(false);
            }
        }
        Err(self.named(busy(), OPERATION, key))
    }

    pub(super) fn admit_reads(&self, operation: &'static str, key: &str) -> Result<()> {
        self.access
            .require_reads()
            .and_then(|()| self.check_key(key))
            .map_err(|error| self.named(error, operation, key))
    }

    /// The value, from wherever it is known.
    pub(super) async fn read(&self, key: &str) -> Result<Option<Arc<Cached>>> {
        self.access
            .require_reads()
            .map_err(|error| self.named(error, OPERATION, key))?;
        let found = if self.shared.waiting.is_empty() {
            None
        } else {
            self.waiting_value(key)
        };
        let value = match found {
            Some(value) => Ok(value),
            None => match self.shared.memory.look(key, self.now()) {
                Looked::Fresh(cached) => Ok(Some(cached)),
                _ => Box::pin(self.read_through(key)).await,
            },
        };
        if self.shared.audit.is_some() {
            return Box::pin(self.record_read("get", key, value)).await;
        }
        value
    }

    /// Reads the value from the backend, or gets what somebody reads right now.
    async fn read_through(&self, key: &str) -> Result<Option<Arc<Cached>>> {
        self.check_key(key)
            .map_err(|error| self.named(error, OPERATION, key))?;
        if !self.shared.memory.is_enabled() {
            return self.load(key).await.map(|landed| landed.value);
        }
        let id = storage_core::DocumentId::new(key)?;
        let slot = self.shared.flights.enter(&id);
        let mut turn = slot.turn.lock().await;
        let now = self.now();
        if let Some(landed) = &*turn
            && self.shared.memory.is_fresh(landed.read, now)
            && landed.value.as_ref().is_none_or(|value| !value.is_expired(now))
        {
            return Ok(landed.value.clone());
        }
        if let Looked::Fresh(cached) = self.shared.memory.look(key, now) {
            return Ok(Some(cached));
        }
        let landed = self.load(key).await?;
        let value = landed.value.clone();
        *turn = Some(landed);
        Ok(value)
    }

    /// Reads the value from the backend; its object only where memory does not have this very version.
    async fn load(&self, key: &str) -> Result<Landed> {
        let memory = &self.shared.memory;
        for _ in 0..MAX_ATTEMPTS {
            let now = self.now();
            let read = memory.read_at(key, now);
            let Some(found) = self.find(key).await? else {
                return Ok(Landed { read, value: None });
            };
            let Some(value) = found.entry.live(now) else {
                return Ok(Landed { read, value: None });
            };
            if let Looked::Stale(cached) = memory.look(key, now)
                && cached.version == found.version
            {
                memory.still(&cached, read);
                return Ok(Landed {
                    read,
                    value: Some(cached),
                });
            }
            let Some(bytes) = self.bytes_of(&found, value).await? else {
                continue;
            };
            let cached = memory.cached(bytes, value.kind, found.version.clone(), value.expires_at, read);
            if memory.is_current(read) {
                memory.keep(key, &cached);
            }
            return Ok(Landed {
                read,
                value: Some(cached),
            });
        }
        Err(self.named(busy(), OPERATION, key))
    }

    /// The bytes of a value; `None` when it was replaced meanwhile.
    pub(super) async fn bytes_of(&self, found: &Found, value: &Value) -> Result<Option<Bytes>> {
        self.open_bytes(found, value, false).await
    }

    /// The same, also of a value that is to be encrypted and is not yet.
    pub(super) async fn plain_of(&self, found: &Found, value: &Value) -> Result<Option<Bytes>> {
        self.open_bytes(found, value, true).await
    }

    async fn open_bytes(&self, found: &Found, value: &Value, takes_plain: bool) -> Result<Option<Bytes>> {
        let stored = match (&value.object, value.inline()) {
            (Some(object), _) => self.objects().read(object).await?,
            (None, inline) => inline,
        };
        let Some(stored) = stored else {
            return match self.find(&found.key).await? {
                Some(again) if again.version == found.version => {
                    let error = Error::corrupt(&found.key, "the object its value is in is gone");
                    Err(self.named(error, OPERATION, &found.key))
                }
                _ => Ok(None),
            };
        };
        let opened = match value.check(&found.key, &stored) {
            Ok(()) => {
                self.shared
                    .values
                    .open_value(&found.key, value, stored, takes_plain)
                    .await
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(bytes) => Ok(Some(bytes)),
            // A value whose key went with it is not damaged.
            Err(error) => match self.find(&found.key).await? {
                Some(again) if again.version == found.version => {
                    Err(self.named(error, OPERATION, &found.key))
                }
                _ => Ok(None),
            },
        }
    }
}

fn parse<T: DeserializeOwned>(cached: &Cached) -> Result<T> {
    if cached.kind == Kind::Bytes {
        return Err(Error::invalid_argument(
            "the value is bytes; read it with get_raw",
        ));
    }
    serde_json::from_slice(&cached.bytes).map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "what is stored does not fit the type it is read as",
        )
        .with_source(error)
    })
}
