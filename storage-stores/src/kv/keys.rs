//! [`NamespaceKeys`]: a namespace's own keys, sealed under the key that was given for it.
//!
//! They are in one document, `kv_secrets/<namespace>`. Who deletes it has made every value unreadable that was sealed under them, also
//! copies of them elsewhere.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage_core::bson::spec::BinarySubtype;
use storage_core::bson::{Binary, RawDocumentBuf};
use storage_core::{
    Bytes, Collection, Condition, Error, ErrorKind, PutOptions, Result, Storage, Timestamp, Version,
};
use storage_layers::encryption::{Key, KeyId, Keyring, PassphraseParameters};

use super::names;
use super::sealing::Sealing;
use crate::race::{MAX_ATTEMPTS, busy, pause, unless_lost};

const SECRETS: &str = "kv_secrets";
const FORMAT: i64 = 1;

/// Whose keys are wrapped: bound into each.
const STORE: &[u8] = b"storage-stores kv";

/// A writer looks whether there is another key once it knows of this one for so long.
const FRESH: Duration = Duration::from_secs(60);

/// A former key is destroyed once it was given up for so long: by then no writer can be under way that does not look again.
const FORMER_AGE: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Secrets {
    format: i64,
    /// The first seals what is new.
    keys: Vec<Wrapped>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passphrase: Option<PassphraseParameters>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wrapped {
    id: String,
    under: String,
    wrapped: Binary,
    /// When it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former_since: Option<Timestamp>,
}

/// The document of a value's own key.
#[derive(Debug, Serialize, Deserialize)]
struct DataKey {
    /// The entry it is for.
    key: String,
    id: String,
    under: String,
    wrapped: Binary,
    since: Timestamp,
}

/// Keys of the namespace that are known, the present one first, and when that was looked up.
#[derive(Debug, Clone)]
struct Known {
    keys: Vec<Key>,
    at: Timestamp,
}

pub(super) struct NamespaceKeys {
    storage: Storage,
    namespace: String,
    sealing: Sealing,
    known: RwLock<Arc<Known>>,
}

impl NamespaceKeys {
    /// Whether a namespace has keys, for who opens it without.
    pub(super) async fn are_there(storage: &Storage, namespace: &str) -> Result<bool> {
        Ok(storage
            .collection::<RawDocumentBuf>(SECRETS)
            .get(namespace)
            .await?
            .is_some())
    }

    /// Opens the namespace's keys, or makes the first where `creates`.
    ///
    /// # Errors
    /// `Unauthenticated` where the key given is not the one they are sealed under.
    pub(super) async fn open(
        storage: &Storage,
        namespace: &str,
        sealing: &Sealing,
        creates: bool,
    ) -> Result<Self> {
        let keys = Self {
            storage: storage.clone(),
            namespace: namespace.to_owned(),
            sealing: sealing.clone(),
            known: RwLock::new(Arc::new(Known {
                keys: Vec::new(),
                at: Timestamp::from_millis(0),
            })),
        };
        for attempt in 0..MAX_ATTEMPTS {
            if keys.reload().await? || !creates {
                return Ok(keys);
            }
            let parameters = sealing.needs_parameters().then(PassphraseParameters::new);
            let roots = sealing.load(parameters.clone()).await?;
            let own = Key::random();
            let secrets = Secrets {
                format: FORMAT,
                keys: vec![keys.wrapped(&roots[0], &own, None)?],
                passphrase: parameters,
            };
            if keys.write(&secrets, None).await? {
                keys.learn(vec![own]);
                return Ok(keys);
            }
            pause(attempt).await;
        }
        Err(busy())
    }

    /// The ring to seal with and to open with.
    pub(super) fn ring(&self) -> Result<Keyring> {
        let known = self.known();
        let Some((active, others)) = known.keys.split_first() else {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "the namespace has no keys yet; open it with a handle that may write",
            ));
        };
        let ring = Keyring::new(active.clone()).suite(self.sealing.its_suite());
        Ok(others
            .iter()
            .fold(ring, |ring, key| ring.with_decrypt_only(key.clone())))
    }

    /// The ring to seal with, looked up again now and then.
    pub(super) async fn ring_to_seal(&self, now: Timestamp) -> Result<Keyring> {
        if self.known().at.after(FRESH) <= now {
            self.reload().await?;
        }
        self.ring()
    }

    /// The id of the key that seals what is new.
    pub(super) fn active(&self) -> Option<String> {
        self.known().keys.first().map(|key| key.id().to_string())
    }

    /// A ring of a key for one value, and the document that key is in from now on.
    pub(super) async fn fresh_data_key(&self, key: &str, now: Timestamp) -> Result<(Keyring, String)> {
        let ring = self.ring_to_seal(now).await?;
        let own = Key::random();
        let document = DataKey {
            key: key.to_owned(),
            id: own.id().to_string(),
            under: ring.active().id().to_string(),
            wrapped: binary(&ring.active().wrap(&own, STORE)?),
            since: now,
        };
        let name = names::nonce();
        self.data_keys().insert(&name, &raw(&document)?).await?;
        Ok((Keyring::new(own).suite(self.sealing.its_suite()), name))
    }

    /// The ring of a value's own key.
    ///
    /// # Errors
    /// `Corrupt` where it is gone.
    pub(super) async fn data_key(&self, key: &str, name: &str) -> Result<Keyring> {
        let Some(found) = self.data_keys().get(name).await? else {
            return Err(Error::corrupt(
                key,
                "the key of its value is gone: it was destroyed, or lost",
            ));
        };
        let document: DataKey = storage_core::bson::deserialize_from_slice(found.value.as_bytes())
            .map_err(|error| Error::corrupt(key, "the document of its key is not one").with_source(error))?;
        let ring = self.ring()?;
        let above = ring.key(document.under.parse()?)?;
        let id: KeyId = document.id.parse()?;
        Ok(Keyring::new(above.unwrap(id, &document.wrapped.bytes, STORE)?))
    }

    pub(super) async fn has_data_key(&self, name: &str) -> Result<bool> {
        Ok(self.data_keys().get(name).await?.is_some())
    }

    /// Destroys keys of values.
    pub(super) async fn destroy(&self, names: &[String]) -> Result<()> {
        for name in names {
            self.data_keys().delete(name).await?;
        }
        Ok(())
    }

    /// Every value's own key that is older than `before`: its document, and the entry it was made for.
    pub(super) async fn data_keys_before(&self, before: Timestamp) -> Result<Vec<(String, String)>> {
        let mut found = self.data_keys().find(storage_core::Query::all()).await?;
        let mut old = Vec::new();
        while let Some(document) = found.next().await? {
            let data_key = storage_core::bson::deserialize_from_slice::<DataKey>(document.value.as_bytes());
            if let Ok(data_key) = data_key
                && data_key.since <= before
            {
                old.push((document.id.as_str().to_owned(), data_key.key));
            }
        }
        Ok(old)
    }

    /// Looks at the document again: somebody may have rotated. `false` where there is none.
    pub(super) async fn reload(&self) -> Result<bool> {
        let Some((_, secrets)) = self.read().await? else {
            return Ok(false);
        };
        let roots = self.sealing.load(secrets.passphrase.clone()).await?;
        let keys: Result<Vec<Key>> = secrets
            .keys
            .iter()
            .map(|wrapped| self.unwrap(wrapped, &roots))
            .collect();
        self.learn(keys?);
        Ok(true)
    }

    /// A fresh key of the namespace seals what is new from now on, and all are sealed under the present key given.
    pub(super) async fn rotate(&self) -> Result<()> {
        let own = Key::random();
        self.change(|keys, now| {
            for (_, former_since) in keys.iter_mut() {
                former_since.get_or_insert(now);
            }
            keys.insert(0, (own.clone(), None));
        })
        .await
    }

    /// Destroys former keys that are old enough and not `in_use`; how many those were, and how many are left.
    pub(super) async fn forget_former(&self, in_use: &BTreeSet<String>) -> Result<(u64, u64)> {
        let mut counts = (0, 0);
        self.change(|keys, now| {
            let before = keys.len();
            keys.retain(|(key, former_since)| {
                let old = former_since.is_some_and(|since| since.after(FORMER_AGE) <= now);
                !old || in_use.contains(&key.id().to_string())
            });
            counts = ((before - keys.len()) as u64, keys.len().saturating_sub(1) as u64);
        })
        .await?;
        Ok(counts)
    }

    /// Changes which keys there are by compare-and-swap.
    async fn change(
        &self,
        mut change: impl FnMut(&mut Vec<(Key, Option<Timestamp>)>, Timestamp) + Send,
    ) -> Result<()> {
        for attempt in 0..MAX_ATTEMPTS {
            let Some((version, secrets)) = self.read().await? else {
                return Ok(());
            };
            let roots = self.sealing.load(secrets.passphrase.clone()).await?;
            let mut keys = Vec::new();
            for wrapped in &secrets.keys {
                keys.push((self.unwrap(wrapped, &roots)?, wrapped.former_since));
            }
            change(&mut keys, self.storage.now());
            let wrapped: Result<Vec<Wrapped>> = keys
                .iter()
                .map(|(key, former_since)| self.wrapped(&roots[0], key, *former_since))
                .collect();
            let secrets = Secrets {
                format: FORMAT,
                keys: wrapped?,
                passphrase: secrets.passphrase,
            };
            if self.write(&secrets, Some(version)).await? {
                self.learn(keys.into_iter().map(|(key, _)| key).collect());
                return Ok(());
            }
            pause(attempt).await;
        }
        Err(busy())
    }

    /// Destroys all of them: nothing sealed in the namespace can be read again.
    pub(super) async fn erase(storage: &Storage, namespace: &str) -> Result<bool> {
        storage
            .collection::<RawDocumentBuf>(SECRETS)
            .delete(namespace)
            .await
    }

    fn wrapped(&self, root: &Key, key: &Key, former_since: Option<Timestamp>) -> Result<Wrapped> {
        let above = root.derive(&self.namespace);
        Ok(Wrapped {
            id: key.id().to_string(),
            under: root.id().to_string(),
            wrapped: binary(&above.wrap(key, STORE)?),
            former_since,
        })
    }

    fn unwrap(&self, wrapped: &Wrapped, roots: &[Key]) -> Result<Key> {
        let root = roots.iter().find(|root| root.id().to_string() == wrapped.under);
        let Some(root) = root else {
            let message = format!(
                "the namespace's key is sealed under key {}, and that was not given; give the key it was made with",
                wrapped.under
            );
            return Err(Error::new(ErrorKind::Unauthenticated, message).with_context("key", &wrapped.under));
        };
        root.derive(&self.namespace)
            .unwrap(wrapped.id.parse()?, &wrapped.wrapped.bytes, STORE)
    }

    async fn read(&self) -> Result<Option<(Version, Secrets)>> {
        let Some(found) = self.secrets().get(&self.namespace).await? else {
            return Ok(None);
        };
        if found.value.get_i64("format").unwrap_or_default() > FORMAT {
            let message = "the keys of the namespace were written by a newer version of this library";
            return Err(Error::new(ErrorKind::FormatTooNew, message).with_key(&self.namespace));
        }
        let secrets =
            storage_core::bson::deserialize_from_slice(found.value.as_bytes()).map_err(|error| {
                Error::corrupt(&self.namespace, "the document of the namespace's keys is not one")
                    .with_source(error)
            })?;
        Ok(Some((found.version, secrets)))
    }

    /// Writes the document where this version is; `false` when somebody else was faster.
    async fn write(&self, secrets: &Secrets, version: Option<Version>) -> Result<bool> {
        let condition = version.map_or(Condition::IfAbsent, Condition::IfVersion);
        let options = PutOptions::new().condition(condition);
        let written = self
            .secrets()
            .put_with(&self.namespace, &raw(secrets)?, options)
            .await;
        Ok(unless_lost(written)?.is_some())
    }

    fn secrets(&self) -> Collection<RawDocumentBuf> {
        self.storage.collection(SECRETS)
    }

    fn data_keys(&self) -> Collection<RawDocumentBuf> {
        self.storage.collection(names::data_keys(&self.namespace))
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn(&self, keys: Vec<Key>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Known {
            keys,
            at: self.storage.now(),
        });
    }
}

fn raw<T: Serialize>(document: &T) -> Result<RawDocumentBuf> {
    storage_core::bson::serialize_to_raw_document_buf(document).map_err(|error| {
        Error::new(ErrorKind::Internal, "a key cannot be written as a document").with_source(error)
    })
}

fn binary(bytes: &Bytes) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    }
}
