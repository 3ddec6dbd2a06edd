//! Typed entities: for applications that keep their model in a store.

mod by_index;
mod cache;
mod entities;
mod entity;
mod extension;
mod find;
mod ids;
mod indexes;
mod keyed;
mod lock;
mod options;
mod read;
mod record;
mod update;
mod write;

pub use self::cache::CacheStats;
pub use self::entities::Entities;
pub use self::entity::{Entity, Stored};
pub use self::extension::EntityStorage;
pub use self::find::{EntityPage, FoundEntities};
pub use self::lock::EntityLock;
pub use self::options::EntityOptions;
