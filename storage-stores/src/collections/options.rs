//! [`EntityOptions`].

use std::time::Duration;

use super::migrations::Migrations;

/// How [`Entities`](super::Entities) behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EntityOptions {
    pub(super) cache_enabled: bool,
    pub(super) cache_ttl: Duration,
    pub(super) max_cache_size: u64,
    pub(super) lock_timeout: Duration,
    pub(super) migrations: Option<Migrations>,
}

impl Default for EntityOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl EntityOptions {
    /// A cache of 100 entities for 5 minutes, and 30 seconds for a lock.
    pub const fn new() -> Self {
        Self {
            cache_enabled: true,
            cache_ttl: Duration::from_secs(5 * 60),
            max_cache_size: 100,
            lock_timeout: Duration::from_secs(30),
            migrations: None,
        }
    }

    /// Whether entities that were read by id are kept in memory; `true` by default.
    #[must_use]
    pub const fn cache_enabled(mut self, enabled: bool) -> Self {
        self.cache_enabled = enabled;
        self
    }

    /// How long an entity in the cache may be given without looking; 5 minutes by default. Within this time a write by somebody else, be
    /// it another process or another [`Entities`](super::Entities), is seen. Writes through the same one are seen at once.
    #[must_use]
    pub const fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache_ttl = ttl;
        self
    }

    /// How many entities the cache holds at most; 100 by default. Those used least go first.
    #[must_use]
    pub const fn max_cache_size(mut self, entities: u64) -> Self {
        self.max_cache_size = entities;
        self
    }

    /// How long [`lock`](super::Entities::lock) and [`update`](super::Entities::update) wait for others before they fail with `Timeout`;
    /// 30 seconds by default.
    #[must_use]
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// What an entity lacks is applied to it when it is read, in memory; written back, it has it. New entities count as migrated. An
    /// index finds entities by what is stored, so a field that a migration fills is found once the entity is written or
    /// [`migrate`](Migrations::migrate) has run. An entity that a later program migrated is `FormatTooNew`.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.migrations = Some(migrations);
        self
    }
}
