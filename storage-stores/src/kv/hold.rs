//! [`Hold`]: an entry is kept from eviction.

use std::time::Duration;

use storage_core::{Result, Timestamp};

use super::entry::Held;
use super::names;
use super::store::Kv;

const OPERATION: &str = "hold entry";

/// An entry is neither evicted, nor cleared, nor cleaned up while anybody holds it, in this process or another. Deleting and overwriting it
/// is allowed.
///
/// Each hold is one: releasing it lets go of no other. It ends when it is [released](Self::release) or dropped, and for a holder that
/// crashed when its time is over.
#[derive(Debug)]
pub struct Hold {
    kv: Kv,
    key: String,
    id: String,
    until: Timestamp,
    released: bool,
}

impl Kv {
    /// Holds an entry for at most this long; `None` where there is none. [`Hold::renew`] begins the time anew.
    ///
    /// # Errors
    /// `PermissionDenied`; `InvalidName`; those of the medium.
    pub async fn hold(&self, key: impl AsRef<str>, time: Duration) -> Result<Option<Hold>> {
        let key = key.as_ref();
        self.admit_writes(OPERATION, key)?;
        self.store_waiting_of(key).await?;
        let id = names::nonce();
        let held = self
            .change(key, |entry, now| {
                entry.holds.retain(|held| held.until > now);
                let until = now.after(time);
                entry.holds.push(Held {
                    id: id.clone(),
                    until,
                });
                Some(until)
            })
            .await
            .map_err(|error| self.named(error, OPERATION, key))?;
        Ok(held.map(|until| Hold {
            kv: self.clone(),
            key: key.to_owned(),
            id,
            until,
            released: false,
        }))
    }
}

impl Hold {
    /// What is held.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// When it ends by itself.
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Holds it for at most this long from now on; `false` when the hold had ended, or the entry is gone.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn renew(&mut self, time: Duration) -> Result<bool> {
        let id = &self.id;
        let renewed = self.kv.change(&self.key, |entry, now| {
            let held = entry
                .holds
                .iter_mut()
                .find(|held| held.id == *id && held.until > now)?;
            held.until = now.after(time);
            Some(held.until)
        });
        let renewed = renewed.await?;
        if let Some(until) = renewed {
            self.until = until;
        }
        Ok(renewed.is_some())
    }

    /// Lets go at once.
    ///
    /// # Errors
    /// Those of the medium; it then ends by itself.
    pub async fn release(mut self) -> Result<()> {
        self.released = true;
        let_go(&self.kv, &self.key, &self.id).await
    }
}

async fn let_go(kv: &Kv, key: &str, id: &str) -> Result<()> {
    let gone = kv.change(key, |entry, _| {
        let before = entry.holds.len();
        entry.holds.retain(|held| held.id != id);
        (entry.holds.len() < before).then_some(())
    });
    gone.await.map(drop)
}

impl Drop for Hold {
    /// Lets go behind the scenes; outside a runtime it ends by itself.
    fn drop(&mut self) {
        let (false, Ok(runtime)) = (self.released, tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (kv, key, id) = (
            self.kv.clone(),
            std::mem::take(&mut self.key),
            std::mem::take(&mut self.id),
        );
        runtime.spawn(async move {
            // Whatever stands in the way: it ends by itself.
            let _ = let_go(&kv, &key, &id).await;
        });
    }
}
