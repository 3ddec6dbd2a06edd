//! Changing how long an entry lives without changing its value.

use storage_core::{Error, ErrorKind, Result};

use super::lifetime::Lifetime;
use super::store::Kv;

const OPERATION: &str = "touch entry";

impl Kv {
    /// Counts as a use of an entry, and lets it live on as said: a duration from now on, until a point in time, forever, or for
    /// [`Lifetime::Default`] as long as before. `true` if it was there. One that has expired stays so.
    ///
    /// # Errors
    /// `PermissionDenied`; `InvalidName`; those of the medium.
    pub async fn touch(&self, key: impl AsRef<str>, lifetime: impl Into<Lifetime>) -> Result<bool> {
        let (key, lifetime) = (key.as_ref(), lifetime.into());
        self.admit_writes(OPERATION, key)?;
        self.store_waiting_of(key).await?;
        let touched = Box::pin(self.recorded("touch", key, self.touch_now(key, lifetime)));
        touched.await.map_err(|error| self.named(error, OPERATION, key))
    }

    async fn touch_now(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        // What is in memory knows the old end.
        let _writing = self.shared.memory.writing(key);
        let life = match lifetime {
            Lifetime::Default => None,
            lifetime => Some(lifetime.life(None, self.now())?),
        };
        let pending = self.shared.memory.take_use(key).map_or(0, |used| used.times);
        let touched = self.change(key, |entry, now| {
            let uses = entry.uses().map_or(0, |known| known.uses) + pending + 1;
            if let Some(life) = life {
                entry.live_on(key, life, now);
            }
            entry.used(key, now, uses);
            Some(())
        });
        Ok(touched.await?.is_some())
    }
}

impl Kv {
    /// Puts an entry's last backup in the place of its value, which becomes a backup itself; `true` if there was one. It lives as long as
    /// it would have, had it not been replaced.
    ///
    /// # Errors
    /// `NotFound` where the entry has no backup; `PermissionDenied`; those of the medium.
    pub async fn restore(&self, key: impl AsRef<str>) -> Result<()> {
        let key = key.as_ref();
        self.admit_writes("restore value", key)?;
        self.store_waiting_of(key).await?;
        let _writing = self.shared.memory.writing(key);
        let restored = Box::pin(self.recorded("restore", key, async {
            let restored = self.change(key, |entry, now| entry.restore(key, now).then_some(()));
            restored
                .await?
                .ok_or_else(|| Error::new(ErrorKind::NotFound, "the entry has no backup"))
        }));
        restored
            .await
            .map_err(|error| self.named(error, "restore value", key))
    }
}
