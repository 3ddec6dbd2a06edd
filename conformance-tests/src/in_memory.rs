//! [`InMemory`]: a harness for whatever stands on a medium in memory, such as a layer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use storage_core::{Result, StorageAdapter};

use crate::harness::{Harness, Label, Place};

/// One medium in memory for each place; `open` puts an adapter on a clone of it. Clones of the medium must share their data.
///
/// ```
/// use std::sync::Arc;
/// use conformance_tests::InMemory;
/// use storage_core::Memory;
///
/// let harness = InMemory::new("memory", |memory: Memory| Arc::new(memory));
/// ```
pub struct InMemory<M, F> {
    label: Label,
    adapter: F,
    places: Mutex<HashMap<Place, M>>,
    secrets: Vec<String>,
}

impl<M, F> InMemory<M, F>
where
    M: Clone + Default + Send + 'static,
    F: Fn(M) -> Arc<dyn StorageAdapter> + Send + Sync + 'static,
{
    /// A harness whose adapters are made by this function.
    pub fn new(backend: impl Into<String>, adapter: F) -> Self {
        Self {
            label: Label::new(backend, ""),
            adapter,
            places: Mutex::default(),
            secrets: Vec::new(),
        }
    }

    /// Names a secret the adapters are given, such as a key, which must show nowhere.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }
}

#[async_trait]
impl<M, F> Harness for InMemory<M, F>
where
    M: Clone + Default + Send + 'static,
    F: Fn(M) -> Arc<dyn StorageAdapter> + Send + Sync + 'static,
{
    fn label(&self) -> Label {
        self.label.clone()
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let medium = self
            .places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(place.clone())
            .or_default()
            .clone();
        Ok((self.adapter)(medium))
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        self.places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(place);
        Ok(())
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }
}

impl<M, F> fmt::Debug for InMemory<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}
