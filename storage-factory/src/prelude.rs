//! What an application imports: `use storage_factory::prelude::*;`

#[doc(no_inline)]
pub use futures::{StreamExt as _, TryStreamExt as _};
#[doc(no_inline)]
pub use serde::{Deserialize, Serialize};
#[doc(no_inline)]
pub use storage_core::{Bytes, Collection, Document, Index, Query, Storage, Version};
#[cfg(feature = "chunks")]
#[doc(no_inline)]
pub use storage_stores::chunks::{ChunkInfo, ChunkOptions, ChunkStore};
#[cfg(feature = "collections")]
#[doc(no_inline)]
pub use storage_stores::collections::{
    Entities, Entity, EntityOptions, EntityStorage, Files, Migration, Migrations, Step, Stored,
};
#[cfg(feature = "executions")]
#[doc(no_inline)]
pub use storage_stores::executions::{Execution, ExecutionState, ExecutionStorage, Program};
#[cfg(feature = "kv")]
#[doc(no_inline)]
pub use storage_stores::kv::{
    Eviction, KeyProvider, Kv, KvOptions, KvSettings, Lifetime, Sealing, SetOptions,
};
#[cfg(feature = "volumes")]
#[doc(no_inline)]
pub use storage_stores::volumes::{
    Ed25519Key, Replica, Signer, Snapshot, Volume, VolumeOptions, VolumeStore,
};
