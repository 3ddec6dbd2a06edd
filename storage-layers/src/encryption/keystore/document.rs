//! [`Document`]: the keystore as it is stored: JSON a person can read, but for the keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind, Result};

use crate::encryption::context::{Context, Kind};
use crate::encryption::key::{Key, KeyId, decode_hex};
use crate::encryption::keyring::{KeyState, Keyring};
use crate::encryption::passphrase::PassphraseParameters;
use crate::encryption::suite::Suite;

const FORMAT: u32 = 1;

/// What is read first, of any version.
#[derive(Deserialize)]
struct Envelope {
    format: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Document {
    format: u32,
    /// 16 bytes in hex.
    store: StoreId,
    root: Root,
    body: Body,
    /// Nothing, sealed under the root key with all of the above beside it.
    proof: Base64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Root {
    key: KeyId,
    passphrase: Option<PassphraseParameters>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Body {
    suite: Suite,
    index_key: Wrapped,
    keys: Vec<Entry>,
}

/// A key under the root key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Wrapped {
    pub(super) id: KeyId,
    pub(super) wrapped: Base64,
}

/// A key and what it may be used for; destroyed, it is no longer there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: KeyId,
    pub(super) state: KeyState,
    pub(super) created_ms: i64,
    pub(super) wrapped: Option<Base64>,
}

/// Bytes, in text as base64.
#[derive(Debug, Clone)]
pub(super) struct Base64(pub(super) Bytes);

#[derive(Debug, Clone, PartialEq, Eq)]
struct StoreId([u8; 16]);

impl Document {
    pub(super) fn new(
        root: &Key,
        passphrase: Option<PassphraseParameters>,
        suite: Suite,
        now_ms: i64,
    ) -> Result<Self> {
        let store = StoreId(storage_core::random_u128().to_le_bytes());
        let (key, index) = (Key::random(), Key::random());
        let mut document = Self {
            format: FORMAT,
            root: Root {
                key: root.id(),
                passphrase,
            },
            body: Body {
                suite,
                index_key: wrap(root, &index, &store)?,
                keys: Vec::new(),
            },
            store,
            proof: Base64(Bytes::new()),
        };
        document.activate(root, &key, now_ms)?;
        document.prove(root)?;
        Ok(document)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = |error| {
            Error::new(
                ErrorKind::Corrupt,
                "the keystore cannot be read; put it back from a copy",
            )
            .with_source(error)
        };
        let Envelope { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format != FORMAT {
            return Err(Error::new(
                ErrorKind::FormatTooNew,
                format!("the keystore has format {format}, this version knows {FORMAT}; upgrade the program"),
            ));
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    pub(super) fn to_bytes(&self) -> Result<Bytes> {
        serde_json::to_vec_pretty(self).map(Into::into).map_err(internal)
    }

    pub(super) const fn passphrase(&self) -> Option<&PassphraseParameters> {
        self.root.passphrase.as_ref()
    }

    pub(super) const fn store(&self) -> &[u8] {
        &self.store.0
    }

    pub(super) const fn suite(&self) -> Suite {
        self.body.suite
    }

    pub(super) fn keys(&self) -> &[Entry] {
        &self.body.keys
    }

    pub(super) const fn index_key(&self) -> &Wrapped {
        &self.body.index_key
    }

    /// Adds a key, and makes it the active one.
    pub(super) fn activate(&mut self, root: &Key, key: &Key, now_ms: i64) -> Result<()> {
        for entry in &mut self.body.keys {
            if entry.state == KeyState::Active {
                entry.state = KeyState::DecryptOnly;
            }
        }
        let Wrapped { id, wrapped } = wrap(root, key, &self.store)?;
        self.body.keys.push(Entry {
            id,
            state: KeyState::Active,
            created_ms: now_ms,
            wrapped: Some(wrapped),
        });
        Ok(())
    }

    pub(super) fn set_state(&mut self, id: KeyId, state: KeyState) -> Result<()> {
        let entry = self.body.keys.iter_mut().find(|entry| entry.id == id);
        let entry = entry.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no key {id}")))?;
        match entry.state {
            KeyState::Active => {
                return Err(Error::invalid_argument(format!(
                    "key {id} is the active one; rotate first, so that another is"
                )));
            }
            KeyState::Destroyed if state != KeyState::Destroyed => {
                return Err(Error::invalid_argument(format!("key {id} was destroyed")));
            }
            _ => {}
        }
        if state == KeyState::Destroyed {
            entry.wrapped = None;
        }
        entry.state = state;
        Ok(())
    }

    /// The same keys under another root key.
    pub(super) fn under(
        &self,
        old: &Key,
        new: &Key,
        passphrase: Option<PassphraseParameters>,
    ) -> Result<Self> {
        let again = |id: KeyId, wrapped: &Base64| {
            let key = old.unwrap(id, &wrapped.0, &self.store.0)?;
            wrap(new, &key, &self.store)
        };
        let mut document = self.clone();
        document.root = Root {
            key: new.id(),
            passphrase,
        };
        document.body.index_key = again(self.body.index_key.id, &self.body.index_key.wrapped)?;
        for entry in &mut document.body.keys {
            if let Some(wrapped) = &entry.wrapped {
                entry.wrapped = Some(again(entry.id, wrapped)?.wrapped);
            }
        }
        document.prove(new)?;
        Ok(document)
    }

    /// Writes the proof that whoever has the root key wrote this.
    pub(super) fn prove(&mut self, root: &Key) -> Result<()> {
        let beside = self.beside()?;
        let context = Context::new(Kind::Keystore, "")
            .store(&self.store.0)
            .beside(&beside);
        self.proof = Base64(Keyring::new(root.clone()).seal(&context, b"")?);
        Ok(())
    }

    /// Whether this is the root key, and nothing was changed without it.
    pub(super) fn check(&self, root: &Key) -> Result<()> {
        if root.id() != self.root.key {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                format!(
                    "this is not the key of the store: its root key is {}, the one given {}",
                    self.root.key,
                    root.id()
                ),
            ));
        }
        let beside = self.beside()?;
        let context = Context::new(Kind::Keystore, "")
            .store(&self.store.0)
            .beside(&beside);
        Keyring::new(root.clone())
            .open(&context, &self.proof.0)
            .map_err(|error| {
                Error::new(
                    ErrorKind::Corrupt,
                    "the keystore was changed by somebody without the root key; put it back from a copy",
                )
                .with_source(error)
            })?;
        Ok(())
    }

    /// What the proof is about.
    fn beside(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&(self.format, &self.store, &self.root, &self.body)).map_err(internal)
    }
}

fn wrap(root: &Key, key: &Key, store: &StoreId) -> Result<Wrapped> {
    Ok(Wrapped {
        id: key.id(),
        wrapped: Base64(root.wrap(key, &store.0)?),
    })
}

fn internal(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "the keystore could not be written as JSON").with_source(error)
}

impl Serialize for Base64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

#[allow(clippy::missing_trait_methods, reason = "the other method is serde's own")]
impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD
            .decode(text.as_bytes())
            .map_err(serde::de::Error::custom)?;
        Ok(Self(bytes.into()))
    }
}

impl Serialize for StoreId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }
}

#[allow(clippy::missing_trait_methods, reason = "the other method is serde's own")]
impl<'de> Deserialize<'de> for StoreId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let mut bytes = [0; 16];
        if !decode_hex(text.as_bytes(), &mut bytes) {
            return Err(serde::de::Error::custom("a store's id has 32 hexadecimal digits"));
        }
        Ok(Self(bytes))
    }
}
