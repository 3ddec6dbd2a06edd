//! [`EntityStorage`]: entities on the storage itself.

use storage_core::Storage;

use super::entities::Entities;
use super::entity::Entity;
use super::files::Files;
use super::options::EntityOptions;

/// Entities on every [`Storage`].
pub trait EntityStorage {
    /// The entities of this type. Each call gives a store with a cache of its own: keep one, and clone it.
    fn entities<T: Entity>(&self) -> Entities<T>;

    /// The entities of this type, with options.
    fn entities_with<T: Entity>(&self, options: EntityOptions) -> Entities<T>;

    /// The files of a project, with their versions.
    fn files(&self, project: impl Into<String>) -> Files;
}

impl EntityStorage for Storage {
    fn entities<T: Entity>(&self) -> Entities<T> {
        Entities::new(self.clone())
    }

    fn entities_with<T: Entity>(&self, options: EntityOptions) -> Entities<T> {
        Entities::with_options(self.clone(), options)
    }

    fn files(&self, project: impl Into<String>) -> Files {
        Files::new(self.clone(), project)
    }
}
