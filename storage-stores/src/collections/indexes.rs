//! The indexes of a collection of entities.

use std::sync::PoisonError;

use storage_core::{Error, ErrorKind, Index, IndexInfo, IndexStats, Result};

use super::entities::Entities;
use super::entity::Entity;

impl<T: Entity> Entities<T> {
    /// Makes an index beside those of the type: creates and fills it, or does nothing when the same definition is there. `true` if created.
    ///
    /// # Errors
    /// `AlreadyExists` when another definition has the name; `UniqueViolation`, `InvalidArgument` or `LimitExceeded` when an entity does
    /// not fit, naming it, and the index then does not exist.
    pub async fn create_index(&self, index: Index) -> Result<bool> {
        let created = self.shared.documents.ensure_index(index.clone()).await?;
        self.remember_index(index);
        Ok(created)
    }

    /// Drops an index; `true` if it was there. One of the type's own is made again by the next process.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn drop_index(&self, index: impl AsRef<str>) -> Result<bool> {
        let index = index.as_ref();
        // First, so that it is not made again by the first operation of these entities.
        self.ensure_indexes().await?;
        let dropped = self.shared.documents.drop_index(index).await?;
        self.forget_index(index);
        Ok(dropped)
    }

    /// The indexes, by name.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn indexes(&self) -> Result<Vec<IndexInfo>> {
        self.ensure_indexes().await?;
        self.shared.documents.indexes().await
    }

    /// Figures about an index: its distinct keys, its entries, and how many of these a key has on average.
    ///
    /// # Errors
    /// `NotFound` for an index that is not there, naming those that are.
    pub async fn index_stats(&self, index: impl AsRef<str>) -> Result<IndexStats> {
        let index = index.as_ref();
        self.index("read figures of index", index).await?;
        self.shared.documents.index_stats(index).await
    }

    /// Builds every index anew from the documents, while others read and write.
    ///
    /// # Errors
    /// As [`create_index`](Self::create_index); those before the one that fails are built.
    pub async fn rebuild_indexes(&self) -> Result<()> {
        for info in self.indexes().await? {
            self.shared.documents.rebuild_index(&info.index.name).await?;
        }
        Ok(())
    }

    /// The definition of an index.
    pub(super) async fn index(&self, operation: &'static str, name: &str) -> Result<Index> {
        self.ensure_indexes().await?;
        if let Some(index) = self.known_index(name) {
            return Ok(index);
        }
        let infos = self.shared.documents.indexes().await?;
        match infos.iter().find(|info| info.index.name == name) {
            Some(info) => {
                self.remember_index(info.index.clone());
                Ok(info.index.clone())
            }
            None => {
                let names = infos.iter().map(|info| info.index.name.as_str());
                let error = no_such_index(name, names.collect());
                Err(self.named(error, operation, ""))
            }
        }
    }

    fn known_index(&self, name: &str) -> Option<Index> {
        let known = self.shared.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|index| index.name == name).cloned()
    }
}

fn no_such_index(name: &str, names: Vec<&str>) -> Error {
    let there = if names.is_empty() {
        "there are none".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    };
    let message = format!("there is no index {name:?}; {there}");
    Error::new(ErrorKind::NotFound, message).with_context("index", name)
}
