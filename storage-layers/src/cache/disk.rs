//! [`Disk`]: objects kept on a backend of the cache's own, over restarts.
//!
//! One object of the backend for each, named by the hash of its key. At rest: `SLCACHE1`, the length of the version as two bytes, the
//! version, the time of writing as eight bytes (the least number for none), the BLAKE3 hash of all that and of the bytes, the bytes;
//! numbers big-endian.
//! Whatever cannot be read is as if it were not there: it is a cache.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures::FutureExt;
use moka::notification::RemovalCause;
use storage_core::{
    Area, DeleteRequest, Key, ListEntry, ListRequest, Object, ObjectMeta, ReadRequest, Result,
    StorageBackend, Timestamp, Version, WriteRequest,
};

const MAGIC: &[u8; 8] = b"SLCACHE1";
const NO_TIME: i64 = i64::MIN;

#[derive(Debug)]
pub(super) struct Disk {
    backend: Arc<dyn StorageBackend>,
    /// What is there, by its size: chooses what goes.
    index: moka::future::Cache<Key, u32>,
}

impl Disk {
    pub(super) async fn open(backend: Arc<dyn StorageBackend>, bytes: u64) -> Result<Self> {
        let evicted = Arc::clone(&backend);
        let index = moka::future::Cache::builder()
            .max_capacity(bytes)
            .weigher(|_: &Key, size: &u32| *size)
            .async_eviction_listener(move |key: Arc<Key>, _, cause| {
                let backend = Arc::clone(&evicted);
                async move {
                    if cause != RemovalCause::Replaced {
                        remove(&*backend, &key).await;
                    }
                }
                .boxed()
            })
            .build();
        let mut request = ListRequest::new("");
        request.with_meta = true;
        loop {
            let page = backend.list(Area::Objects, request.clone()).await?;
            for entry in page.entries {
                if let ListEntry::Object(key, Some(meta)) = entry {
                    index.insert(key, weight(meta.size)).await;
                }
            }
            match page.next {
                Some(next) => request.start_after = Some(next),
                None => break,
            }
        }
        index.run_pending_tasks().await;
        Ok(Self { backend, index })
    }

    pub(super) async fn get(&self, key: &Key) -> Option<Object> {
        let place = place(key)?;
        self.index.get(&place).await?;
        let stored = self
            .backend
            .read(Area::Objects, &place, ReadRequest::default())
            .await;
        let object = stored.ok().flatten().and_then(|stored| decode(&stored.bytes));
        if object.is_none() {
            self.index.invalidate(&place).await;
        }
        object
    }

    pub(super) async fn keep(&self, key: &Key, object: &Object) {
        let Some((place, bytes)) = place(key).zip(encode(object)) else {
            return;
        };
        let size = weight(bytes.len() as u64);
        match self
            .backend
            .write(Area::Objects, &place, bytes, WriteRequest::default())
            .await
        {
            Ok(_) => self.index.insert(place, size).await,
            Err(error) => tracing::warn!(%error, "the cache's disk took nothing"),
        }
    }

    pub(super) async fn bytes(&self) -> u64 {
        self.index.run_pending_tasks().await;
        self.index.weighted_size()
    }

    pub(super) async fn close(&self) -> Result<()> {
        self.backend.close().await
    }
}

async fn remove(backend: &dyn StorageBackend, key: &Key) {
    if let Err(error) = backend.delete(Area::Objects, key, DeleteRequest::default()).await {
        tracing::warn!(%error, "what went out of the cache stays on its disk");
    }
}

fn weight(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// Where it lies: 256 directories, and a name every backend takes.
fn place(key: &Key) -> Option<Key> {
    let hash = blake3::hash(key.as_str().as_bytes()).to_hex();
    let (directory, name) = hash.split_at(2);
    Key::new(format!("{directory}/{name}")).ok()
}

fn encode(object: &Object) -> Option<Bytes> {
    let version = object.meta.version.to_string();
    let mut bytes = BytesMut::with_capacity(64 + version.len() + object.bytes.len());
    bytes.put_slice(MAGIC);
    bytes.put_u16(u16::try_from(version.len()).ok()?);
    bytes.put_slice(version.as_bytes());
    bytes.put_i64(object.meta.modified.map_or(NO_TIME, Timestamp::as_millis));
    let hash = hash(&bytes, &object.bytes);
    bytes.put_slice(hash.as_bytes());
    bytes.put_slice(&object.bytes);
    Some(bytes.freeze())
}

fn hash(head: &[u8], bytes: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(head).update(bytes).finalize()
}

fn decode(stored: &Bytes) -> Option<Object> {
    let rest = stored.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (version, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (hash, bytes) = rest.split_first_chunk::<32>()?;
    let time = i64::from_be_bytes(*time);
    let version: Version = std::str::from_utf8(version).ok()?.parse().ok()?;
    let head = &stored[..stored.len() - bytes.len() - hash.len()];
    if self::hash(head, bytes).as_bytes() != hash {
        return None;
    }
    let size = bytes.len() as u64;
    Some(Object {
        meta: ObjectMeta {
            size,
            version,
            modified: (time != NO_TIME).then(|| Timestamp::from_millis(time)),
        },
        range: 0..size,
        bytes: stored.slice_ref(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_as_it_was_and_damage_reads_as_nothing() {
        let object = Object {
            meta: ObjectMeta {
                size: 5,
                version: Version::from_u128(7),
                modified: Some(Timestamp::from_millis(9)),
            },
            range: 0..5,
            bytes: Bytes::from_static(b"bytes"),
        };
        let stored = encode(&object).unwrap();
        assert_eq!(decode(&stored), Some(object));
        for at in 0..stored.len() {
            let cut = stored.slice(..at);
            assert_eq!(decode(&cut), None, "cut at {at}");
        }
        for at in 0..stored.len() {
            let mut damaged = stored.to_vec();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged.into()), None, "changed at {at}");
        }
    }
}
