//! [`EncryptOptions`]: with which key, and what stays readable.

use std::collections::{BTreeSet, HashMap};

use super::fields::Fields;
use crate::encryption::{KeyProvider, Suite};

/// How to encrypt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EncryptOptions {
    pub(super) provider: KeyProvider,
    pub(super) suite: Suite,
    pub(super) namespace: String,
    pub(super) collections: HashMap<String, Fields>,
    pub(super) others: Fields,
    pub(super) beside: BTreeSet<String>,
}

impl EncryptOptions {
    /// With the root key this gives; AES-256-GCM, no namespace, no field that can be searched for.
    pub fn new(provider: KeyProvider) -> Self {
        Self {
            provider,
            suite: Suite::default(),
            namespace: String::new(),
            collections: HashMap::new(),
            others: Fields::new(),
            beside: BTreeSet::new(),
        }
    }

    /// The cipher of a new store; one that is there keeps its own.
    #[must_use]
    pub const fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    /// The namespace everything is bound to: what is sealed in one opens in no other.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The fields of one collection that can be searched for. Every program that writes the collection must say the same; documents from
    /// before are brought up to it by `ensure_index`, which writes them anew, and by [`reseal`](super::Encrypt::reseal).
    #[must_use]
    pub fn collection(mut self, name: impl Into<String>, fields: Fields) -> Self {
        self.collections.insert(name.into(), fields);
        self
    }

    /// The keys of objects that are none of this layer's, such as the files of a database in the same directory:
    /// [`reseal`](super::Encrypt::reseal) and [`references`](super::Encrypt::references) pass over them, and a storage that holds nothing else
    /// is empty.
    #[must_use]
    pub fn beside(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.beside.extend(keys.into_iter().map(Into::into));
        self
    }

    /// The fields of every collection that is not named by [`collection`](Self::collection).
    #[must_use]
    pub fn every_collection(mut self, fields: Fields) -> Self {
        self.others = fields;
        self
    }
}
