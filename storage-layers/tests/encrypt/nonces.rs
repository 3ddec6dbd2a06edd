//! No key and nonce seal two values: every salt that was ever written is counted, also of what was written over since.
//!
//! A cipher's key is derived from the key of the store and the salt of the value, and within a value nonces are numbers of chunks. So no two
//! salts under one key of the store are the same, or the audit fails.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use storage_core::bson::doc;
use storage_core::*;
use storage_layers::Encrypt;
use storage_layers::encryption::{Header, Suite};

use super::bent::{Bend, Bent};
use super::{key, options};

/// Every sealed value that reaches the medium, the same one once for each time.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<Header>>>);

impl Seen {
    /// Keeps the headers of all sealed values in here, wherever they begin: in a document they are within an envelope.
    fn keep(&self, bytes: &[u8]) {
        let mut from = 0;
        while let Some(at) = bytes[from..].windows(4).position(|window| window == b"\xB7SE\n") {
            if let Ok(header) = Header::read(&bytes[from + at..]) {
                self.0.lock().unwrap().push(header);
            }
            from += at + 4;
        }
    }
}

#[async_trait]
impl Bend for Seen {
    async fn write(
        &self,
        inner: &dyn StorageAdapter,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        self.keep(&bytes);
        inner.write(area, key, bytes, request).await
    }

    async fn put(
        &self,
        inner: &dyn StorageAdapter,
        collection: &Name,
        request: PutRequest,
    ) -> Result<Version> {
        self.keep(request.body.as_bytes());
        inner.put(collection, request).await
    }

    async fn append(
        &self,
        inner: &dyn StorageAdapter,
        log: &Name,
        request: AppendRequest,
    ) -> Result<Appended> {
        request.entries.iter().for_each(|entry| self.keep(entry));
        inner.append(log, request).await
    }

    async fn open_writer(
        &self,
        inner: Arc<dyn StorageAdapter>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        let inner = inner.open_writer(area, key, request).await?;
        let seen = self.clone();
        Ok(Box::new(Listening { seen, inner }))
    }
}

#[derive(Debug)]
struct Listening {
    seen: Seen,
    inner: Box<dyn ObjectWriter>,
}

#[async_trait]
impl ObjectWriter for Listening {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.seen.keep(&bytes);
        self.inner.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<Version> {
        self.inner.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.inner.abort().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_and_nonce_are_used_twice() {
    for suite in Suite::ALL {
        let (memory, seen) = (Memory::new(), Seen::default());
        let open = async || {
            let below: Arc<dyn StorageAdapter> = Arc::new(Bent {
                bend: seen.clone(),
                inner: Arc::new(memory.clone()),
            });
            Arc::new(Encrypt::open(below, options(7).suite(*suite)).await.unwrap())
        };
        // Two handles of one key, which know nothing of each other, and write the same bytes to the same names at the same time.
        let handles = [open().await, open().await];
        let writing = handles.clone().map(|layer| {
            tokio::spawn(async move {
                let storage = Storage::from_arc(layer.clone());
                let documents = storage.collection::<bson::Document>("c");
                for round in 0..200 {
                    let objects = storage.objects();
                    objects.write("the same", "the same bytes").await.unwrap();
                    objects
                        .write(format!("o/{}", round % 10), vec![7; 70_000])
                        .await
                        .unwrap();
                    documents.put("d", &doc! { "n": 1 }).await.unwrap();
                    storage.log("l").append("entry").await.unwrap();
                }
                for _ in 0..20 {
                    let (layer, place) = (Arc::clone(&layer), key("s"));
                    let begun = layer.open_writer(Area::Objects, &place, WriteRequest::default());
                    let mut writer = begun.await.unwrap();
                    writer.write(vec![1; 200_000].into()).await.unwrap();
                    writer.finish().await.unwrap();
                }
            })
        });
        for work in writing {
            work.await.unwrap();
        }
        // Copies, and everything sealed anew twice, under keys that are new and then again under one of them.
        let [one, other] = &handles;
        let now = Storage::new(memory.clone()).now();
        one.copy(
            Area::Objects,
            &key("the same"),
            &key("copy"),
            WriteRequest::default(),
        )
        .await
        .unwrap();
        for layer in [one, other] {
            layer.rotate(now).await.unwrap();
            layer.reseal(now).await.unwrap();
        }
        let seen = seen.0.lock().unwrap();
        assert!(seen.len() > 1_600, "{} values were sealed", seen.len());
        let keys: BTreeSet<_> = seen.iter().map(|header| header.key).collect();
        assert!(keys.len() >= 3, "three keys sealed");
        let used: BTreeSet<_> = seen.iter().map(|header| (header.key, header.salt)).collect();
        assert_eq!(used.len(), seen.len(), "a salt was used twice under {suite}");
        let salts: BTreeSet<_> = seen.iter().map(|header| header.salt).collect();
        assert_eq!(salts.len(), seen.len(), "not even under different keys");
    }
}
