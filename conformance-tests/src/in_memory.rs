//! [`InMemory`]: a harness for whatever stands on a medium in memory, such as a layer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use storage_core::{Result, StorageAdapter};

use crate::facility::{Facility, Failing};
use crate::faulty::Fault;
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
    failing: Option<fn(M, usize, Fault) -> Failing>,
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
            failing: None,
        }
    }

    /// Puts the adapter on a medium that goes wrong at a given call: [`Facility::Failures`].
    #[must_use]
    pub fn with_failures(mut self, failing: fn(M, usize, Fault) -> Failing) -> Self {
        self.failing = Some(failing);
        self
    }

    /// The medium of a place.
    fn medium(&self, place: &Place) -> M {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry(place.clone()).or_default().clone()
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
        Ok((self.adapter)(self.medium(place)))
    }

    async fn open_failing(&self, place: &Place, at: usize, fault: Fault) -> Result<Option<Failing>> {
        Ok(self.failing.map(|failing| failing(self.medium(place), at, fault)))
    }

    fn facilities(&self) -> &[Facility] {
        if self.failing.is_some() {
            &[Facility::Failures]
        } else {
            &[]
        }
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
