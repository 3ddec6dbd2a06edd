//! [`Entity`]: what is kept; [`Stored`]: one of them as it is kept.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;
use storage_core::{DocumentId, Index, Timestamp, Version};

/// A type whose values are kept in a collection of their own.
///
/// It serializes as a map or struct. The fields `created`, `updated` and `_schema` are the store's, beside those of the type; they may
/// be indexed and asked for like any other. Fields the type does not have are gone after an update: give the type a
/// `#[serde(flatten)]` map to keep them.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use storage_core::Index;
/// use storage_stores::collections::Entity;
///
/// #[derive(Serialize, Deserialize)]
/// struct User { name: String, email: String }
///
/// impl Entity for User {
///     const COLLECTION: &'static str = "users";
///     fn indexes() -> Vec<Index> {
///         vec![Index::hash("by_email", ["email"]).unique(), Index::btree("by_created", ["created"])]
///     }
///     fn validate(&self) -> Result<(), String> {
///         if self.email.contains('@') { Ok(()) } else { Err(format!("{:?} is no address", self.email)) }
///     }
/// }
/// ```
pub trait Entity: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The collection its values are kept in.
    const COLLECTION: &'static str;

    /// The indexes it needs. They are made before the first operation that may need one.
    fn indexes() -> Vec<Index> {
        Vec::new()
    }

    /// Whether this value may be stored. Asked before every write, after [`update`](super::Entities::update)'s closure too.
    ///
    /// # Errors
    /// What is wrong with it.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

/// An entity as it is stored: its id, when it came to be and was last changed, and the token of this state.
///
/// It is a value of its own: changing it changes nothing that is stored until it is [replaced](super::Entities::replace).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stored<T> {
    /// Its id within the collection.
    pub id: DocumentId,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed. Never before what was there, also where writers' clocks differ.
    pub updated: Timestamp,
    /// The token of this state.
    pub version: Version,
    /// The entity.
    pub value: T,
    /// What a replacement keeps as it is.
    pub(super) kept: Kept,
}

/// What a document carries that is neither the entity's nor of concern to its user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kept {
    /// When it disappears; entities written by this store never do.
    pub(super) expires_at: Option<Timestamp>,
    /// The last migration applied to it.
    pub(super) schema: Option<String>,
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
