//! Writing entries.

use std::time::Duration;

use serde::Serialize;
use storage_core::{Applied, Bytes, Error, Fence, Result, Version};

use super::entry::{Encoded, Entry, Found, Kind, Life, Next, Value};
use super::ledger::Reservation;
use super::lifetime::SetOptions;
use super::names;
use super::store::Kv;
use crate::race::{MAX_ATTEMPTS, busy, pause};

const OPERATION: &str = "set value";

/// A write that took longer looks whether its keys are still there: half the age at which a former key is destroyed.
const SLOW: Duration = Duration::from_secs(300);

/// A value on its way.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) plain: Bytes,
    pub(super) kind: Kind,
    pub(super) life: Life,
    pub(super) options: SetOptions,
}

/// What a write came to.
pub(super) struct Stored {
    pub(super) version: Version,
    pub(super) at: storage_core::Timestamp,
}

impl Kv {
    /// Stores a value under a key, replacing what was there and its expiry. It lives as [`KvOptions::ttl`](super::KvOptions::ttl) says.
    ///
    /// The value may be of any type that JSON can hold: `0`, `false`, `""` and `null` come back as they are. Numbers JSON does not have,
    /// such as NaN, become `null`.
    ///
    /// # Errors
    /// `InvalidArgument` for a value that cannot be JSON; `LimitExceeded` when there is no room, for a value or a key that is too large, and
    /// nothing happened; `PermissionDenied`; `InvalidName` for an empty key; those of the medium. Unless the error says `Unknown`, nothing
    /// changed.
    pub async fn set<T: Serialize + ?Sized + Sync>(&self, key: impl AsRef<str>, value: &T) -> Result<()> {
        self.set_with(key, value, SetOptions::new()).await
    }

    /// Stores a value as the options say.
    ///
    /// # Errors
    /// As [`set`](Self::set); `AlreadyExists` where [`if_absent`](SetOptions::if_absent) met a value; `InvalidArgument` for options that
    /// contradict each other; `Unsupported` for encryption without keys.
    pub async fn set_with<T: Serialize + ?Sized + Sync>(
        &self,
        key: impl AsRef<str>,
        value: &T,
        options: SetOptions,
    ) -> Result<()> {
        let key = key.as_ref();
        let plain = self.to_json(key, value)?;
        self.give(key, plain, Kind::Json, options).await
    }

    /// Stores bytes as they are; none at all are a value like any other.
    ///
    /// # Errors
    /// As [`set_with`](Self::set_with).
    pub async fn set_raw(
        &self,
        key: impl AsRef<str>,
        bytes: impl Into<Bytes>,
        options: SetOptions,
    ) -> Result<()> {
        self.give(key.as_ref(), bytes.into(), Kind::Bytes, options).await
    }

    pub(super) fn to_json<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<Bytes> {
        serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
            let error = Error::invalid_argument("the value cannot be JSON").with_source(error);
            self.named(error, OPERATION, key)
        })
    }

    async fn give(&self, key: &str, plain: Bytes, kind: Kind, options: SetOptions) -> Result<()> {
        let given = self.admit_value(key, plain, kind, options);
        let done = Box::pin(self.recorded("set", key, async {
            match given {
                Ok(given) if self.shared.options.write_back.is_some() => self.accept(key, given).await,
                Ok(given) => self.store(key, &given, None, None).await,
                Err(error) => Err(error),
            }
        }));
        done.await.map_err(|error| self.named(error, OPERATION, key))
    }

    /// Refuses what cannot be before anything happens.
    pub(super) fn admit_value(
        &self,
        key: &str,
        plain: Bytes,
        kind: Kind,
        options: SetOptions,
    ) -> Result<Given> {
        self.access.require_writes()?;
        self.check_key(key)?;
        let life = options.lifetime.life(self.shared.options.ttl, self.now())?;
        self.shared.values.check_options(&options)?;
        Ok(Given {
            plain,
            kind,
            life,
            options,
        })
    }

    /// Makes a value durable and visible.
    pub(super) async fn store(
        &self,
        key: &str,
        given: &Given,
        room: Option<Reservation>,
        fence: Option<Fence>,
    ) -> Result<()> {
        let mut room = room;
        for _ in 0..MAX_ATTEMPTS {
            let began = self.now();
            let encoded = self.shared.values.encode(key, given).await?;
            self.check_size(key, &encoded)?;
            let room = room.take().unwrap_or_else(|| self.shared.ledger.reserve());
            let writing = self.shared.memory.writing(key);
            let stored = if encoded.bytes.len() as u64 <= self.shared.options.inline_limit {
                self.store_inline(key, given, &encoded, room, fence.clone())
                    .await?
            } else {
                self.store_object(key, given, &encoded, room, fence.clone())
                    .await?
            };
            // For a writer this slow the key may be gone by now: after a rotation, or a cleanup that took the writer for dead.
            let slow = began.after(SLOW.min(self.shared.options.upload_age / 2)) <= self.now();
            if slow && !self.shared.values.can_be_opened(&encoded).await? {
                continue;
            }
            writing.stored(
                given.plain.clone(),
                given.kind,
                stored.version,
                given.life.expires_at,
                stored.at,
            );
            return Ok(());
        }
        Err(busy())
    }

    /// What could not be stored even if nothing else were there.
    fn check_size(&self, key: &str, encoded: &Encoded) -> Result<()> {
        let size = encoded.bytes.len() as u64;
        let objects = self.storage().declaration().objects.max_object_bytes;
        let least = size + key.len() as u64;
        match (self.shared.options.size_limit, objects) {
            (Some(limit), _) if least > limit => {
                Err(Error::limit_exceeded("the namespace in bytes", limit, least))
            }
            (_, Some(limit)) if size > limit && size > self.shared.options.inline_limit => {
                Err(Error::limit_exceeded("the value in bytes", limit, size))
            }
            _ => Ok(()),
        }
    }

    async fn store_inline(
        &self,
        key: &str,
        given: &Given,
        encoded: &Encoded,
        mut room: Reservation,
        fence: Option<Fence>,
    ) -> Result<Stored> {
        for attempt in 0..MAX_ATTEMPTS {
            let found = self.find(key).await?;
            let Some(stored) = self
                .commit(key, given, encoded, None, found, &mut room, fence.clone())
                .await?
            else {
                pause(attempt).await;
                continue;
            };
            return Ok(stored);
        }
        Err(busy())
    }

    /// Names an object in the entry, writes it, and commits it. What a crash leaves is named, or nobody's.
    async fn store_object(
        &self,
        key: &str,
        given: &Given,
        encoded: &Encoded,
        mut room: Reservation,
        fence: Option<Fence>,
    ) -> Result<Stored> {
        for attempt in 0..MAX_ATTEMPTS {
            let found = self.find(key).await?;
            // Nobody writes what there is no room for.
            self.check_absence(given, found.as_ref())?;
            let (_, before, after) = self.replaced(key, given, encoded, Some(String::new()), found.as_ref());
            self.make_room(&mut room, after.saturating_sub(before), key)
                .await?;
            let object = names::object(self.namespace(), key);
            let Some(announced) = self.announce(key, &object, found, fence.clone()).await? else {
                pause(attempt).await;
                continue;
            };
            self.objects().write(&object, encoded.bytes.clone()).await?;
            let mut found = Some(announced);
            for attempt in 0..MAX_ATTEMPTS {
                let named = found
                    .as_ref()
                    .is_some_and(|found| found.entry.next.iter().any(|next| next.object == object));
                if !named {
                    // A cleanup took this writer for one that is gone.
                    self.objects().delete(&object).await?;
                    break;
                }
                let place = Some(object.clone());
                let committed = self
                    .commit(key, given, encoded, place, found, &mut room, fence.clone())
                    .await;
                match committed {
                    Ok(Some(stored)) => return Ok(stored),
                    Ok(None) => pause(attempt).await,
                    Err(error) => {
                        if error.applied() == Applied::No {
                            // Whatever stands in the way: a cleanup finds it.
                            let _ = self.objects().delete(&object).await;
                        }
                        return Err(error);
                    }
                }
                found = self.find(key).await?;
            }
        }
        Err(busy())
    }

    /// Says in the entry that an object is about to be written; `None` when somebody else was faster.
    pub(super) async fn announce(
        &self,
        key: &str,
        object: &str,
        found: Option<Found>,
        fence: Option<Fence>,
    ) -> Result<Option<Found>> {
        let now = self.now();
        let mut entry = found
            .as_ref()
            .map_or_else(Entry::empty, |found| found.entry.clone());
        self.forget_old_uploads(&mut entry);
        entry.next.push(Next {
            object: object.to_owned(),
            since: now,
        });
        entry.wait_until(now.after(self.shared.options.upload_age));
        let version = found.map(|found| found.version);
        let swapped = self.swap(key, version.as_ref(), &entry, fence).await?;
        Ok(swapped.map(|version| Found {
            key: key.to_owned(),
            version,
            entry,
        }))
    }

    /// Swaps the entry for one with this value: the commit point. `None` when somebody else was faster.
    #[allow(clippy::too_many_arguments, reason = "what is written, over what, under what")]
    async fn commit(
        &self,
        key: &str,
        given: &Given,
        encoded: &Encoded,
        object: Option<String>,
        found: Option<Found>,
        room: &mut Reservation,
        fence: Option<Fence>,
    ) -> Result<Option<Stored>> {
        self.check_absence(given, found.as_ref())?;
        let (entry, before, after) = self.replaced(key, given, encoded, object, found.as_ref());
        self.make_room(room, after.saturating_sub(before), key).await?;
        let at = self.now();
        room.begins();
        let version = found.as_ref().map(|found| &found.version);
        let swapped = match self.swap(key, version, &entry, fence).await {
            Ok(swapped) => swapped,
            Err(error) => {
                if error.applied() == Applied::No {
                    room.did_not_happen();
                }
                return Err(error);
            }
        };
        let Some(version) = swapped else {
            room.did_not_happen();
            return Ok(None);
        };
        let old = found.map(|found| found.entry);
        let was_there = old.as_ref().is_some_and(|old| old.value.is_some());
        room.happened(before, after, i64::from(!was_there));
        if let Some(old) = old {
            self.clear_away(&old, Some(&entry)).await;
        }
        // What stands in the way leaves keys nobody needs, which a cleanup finds.
        let _ = self.shared.values.destroy(&entry.condemned).await;
        Ok(Some(Stored { version, at }))
    }

    /// The entry with the new value, and what is counted for it before and after.
    fn replaced(
        &self,
        key: &str,
        given: &Given,
        encoded: &Encoded,
        object: Option<String>,
        found: Option<&Found>,
    ) -> (Entry, u64, u64) {
        let now = self.now();
        let mut entry = found.map_or_else(Entry::empty, |found| found.entry.clone());
        let before = entry.charge(key);
        entry.next.retain(|next| Some(&next.object) != object.as_ref());
        self.forget_old_uploads(&mut entry);
        // Their keys were destroyed when they were condemned, or a cleanup will do it.
        entry.condemned.clear();
        let value = Value::new(encoded, object, given.life, now);
        entry.replace(key, value, self.shared.options.backups, now);
        let after = entry.charge(key);
        (entry, before, after)
    }

    fn forget_old_uploads(&self, entry: &mut Entry) {
        let now = self.now();
        entry
            .next
            .retain(|next| next.since.after(self.shared.options.upload_age) > now);
    }

    fn check_absence(&self, given: &Given, found: Option<&Found>) -> Result<()> {
        let there = found.is_some_and(|found| found.entry.live(self.now()).is_some());
        if given.options.if_absent && there {
            return Err(Error::already_exists());
        }
        Ok(())
    }

    /// Makes sure there is room, by eviction where there is a policy.
    pub(super) async fn make_room(&self, room: &mut Reservation, bytes: u64, key: &str) -> Result<()> {
        for attempt in 0..MAX_ATTEMPTS {
            let Err(missing) = room.at_least(bytes).await? else {
                return Ok(());
            };
            if self.evict(missing, Some(key)).await?.bytes == 0 {
                let limit = self.shared.options.size_limit.unwrap_or(u64::MAX);
                return Err(Error::limit_exceeded(
                    "the namespace in bytes",
                    limit,
                    limit + missing,
                ));
            }
            // What was evicted for this one, another may have taken.
            if attempt > 0 {
                pause(attempt).await;
            }
        }
        Err(busy())
    }

    /// Deletes the objects of an entry that its successor does not have. What stands in the way leaves orphans, which a cleanup finds.
    pub(super) async fn clear_away(&self, old: &Entry, new: Option<&Entry>) {
        let kept: Vec<&str> = new.into_iter().flat_map(Entry::objects).collect();
        let gone: Vec<&str> = old.objects().filter(|object| !kept.contains(object)).collect();
        if !gone.is_empty() {
            let _ = self.objects().delete_many(gone).await;
        }
    }

    /// Changes an entry with a value by compare-and-swap; `None` where there is none, or `change` gives none and nothing is written.
    pub(super) async fn change<R: Send>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut Entry, storage_core::Timestamp) -> Option<R> + Send,
    ) -> Result<Option<R>> {
        for attempt in 0..MAX_ATTEMPTS {
            let Some(mut found) = self.find(key).await? else {
                return Ok(None);
            };
            let now = self.now();
            if found.entry.live(now).is_none() {
                return Ok(None);
            }
            let Some(outcome) = change(&mut found.entry, now) else {
                return Ok(None);
            };
            match self.swap(key, Some(&found.version), &found.entry, None).await? {
                Some(_) => return Ok(Some(outcome)),
                None => pause(attempt).await,
            }
        }
        Err(busy())
    }

    /// Refuses a handle that may not write.
    pub(super) fn admit_writes(&self, operation: &'static str, key: &str) -> Result<()> {
        self.access
            .require_writes()
            .and_then(|()| {
                if key.is_empty() {
                    Ok(())
                } else {
                    self.check_key(key)
                }
            })
            .map_err(|error| self.named(error, operation, key))
    }
}
