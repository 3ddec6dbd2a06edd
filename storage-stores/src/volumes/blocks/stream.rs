//! Blocks larger than memory. What they are called is known only at their end, so they arrive under a random name and are then copied to
//! the one that follows from their content. What a crash leaves of that is swept with the garbage.

use bytes::BytesMut;
use futures::future::join_all;
use futures::{Stream, TryStreamExt};
use storage_core::{Bytes, Capability, Error, ErrorKind, ObjectUpload, Result, WriteOptions, random_u128};

use super::super::hash::Hash;
use super::super::site::{LARGE_BYTES, PIECE_BYTES, Site, damaged};
use super::super::store::{Item, VolumeStore};
use super::{Blocks, Whole};

impl Blocks {
    /// Puts a stream as one block and gives its hash. An error of the stream leaves everything as it was. Up to a MiB is held in memory.
    ///
    /// # Errors
    /// The stream's; `Unsupported` for more than a MiB where no durable replica can take a streamed write; as [`put`](Self::put).
    pub async fn put_stream<S>(&self, stream: S) -> Result<Hash>
    where
        S: Stream<Item = Result<Bytes>> + Send,
    {
        let mut stream = std::pin::pin!(stream);
        let mut first = BytesMut::new();
        while (first.len() as u64) < PIECE_BYTES {
            match stream.try_next().await? {
                Some(bytes) => first.extend_from_slice(&bytes),
                None => return self.put(first.freeze()).await,
            }
        }
        let store = &self.store;
        let mut hasher = store.hash_algorithm().hasher();
        let mut uploads = Uploads::begin(store).await;
        let mut next = Some(first.freeze());
        while let Some(bytes) = next {
            hasher.update(&bytes);
            uploads.write(&bytes).await;
            next = match stream.try_next().await {
                Ok(next) => next,
                Err(error) => {
                    uploads.abort().await;
                    return Err(error);
                }
            };
        }
        let hash = hasher.finish();
        uploads.finish(&Item::Block(hash)).await?;
        Ok(hash)
    }
}

/// The key something arrives under, and its upload.
type Staged = (String, ObjectUpload);

async fn write_one(upload: &mut Result<Staged>, bytes: Bytes) {
    let failed = match upload {
        Ok((_, upload)) => upload.write(bytes).await.err(),
        Err(_) => None,
    };
    if let Some(error) = failed {
        *upload = Err(error);
    }
}

/// One upload for each replica that still takes part.
struct Uploads<'a> {
    store: &'a VolumeStore,
    under_way: Vec<(&'a Site, Result<Staged>)>,
}

impl<'a> Uploads<'a> {
    async fn begin(store: &'a VolumeStore) -> Self {
        let begun = join_all(store.sites().iter().map(|site| store.stage(site))).await;
        Self {
            store,
            under_way: store.sites().iter().zip(begun).collect(),
        }
    }

    /// A replica that fails is out.
    async fn write(&mut self, bytes: &Bytes) {
        let writing = self
            .under_way
            .iter_mut()
            .map(|(_, upload)| write_one(upload, bytes.clone()));
        join_all(writing).await;
    }

    async fn abort(self) {
        for (site, upload) in self.under_way {
            if let Ok((_, upload)) = upload
                && let Err(error) = upload.abort().await
            {
                self.store.remember(site, &error);
            }
        }
    }

    async fn finish(self, item: &Item) -> Result<()> {
        let store = self.store;
        let (sites, uploads): (Vec<&Site>, Vec<Result<Staged>>) = self.under_way.into_iter().unzip();
        let mut finishing = Vec::new();
        for (site, upload) in sites.iter().zip(uploads) {
            finishing.push(store.finish_upload(site, upload, item));
        }
        let results = join_all(finishing).await;
        store.settle(sites.into_iter().zip(results).collect())
    }
}

impl VolumeStore {
    /// Begins an upload under a name nobody has.
    async fn stage(&self, site: &Site) -> Result<Staged> {
        self.ready(site).await?;
        let key = format!("{}{:032x}.bin", site.names.staging(), random_u128());
        let upload = site.storage.objects().upload(&key, WriteOptions::new()).await?;
        Ok((key, upload))
    }

    async fn finish_upload(&self, site: &Site, upload: Result<Staged>, item: &Item) -> Result<()> {
        let (staged, upload) = upload?;
        upload.finish().await?;
        self.publish(site, &staged, item).await
    }

    /// Gives what was staged the name it has by its hash.
    async fn publish(&self, site: &Site, staged: &str, item: &Item) -> Result<()> {
        let objects = site.storage.objects();
        let format = self.ready(site).await?;
        if !self.is_in_place(site, item).await? {
            let key = item.key(&site.names, format);
            let copied = if site.has(Capability::Copy) {
                objects.copy(staged, &key).await?
            } else {
                match objects.reader(staged).await? {
                    Some(reader) => Some(objects.write_stream(&key, reader, WriteOptions::new()).await?),
                    None => None,
                }
            };
            if copied.is_none() {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "what was uploaded was swept before it was published; is the grace shorter than an upload takes?",
                )
                .with_key(staged));
            }
        }
        // What stays is swept later.
        if let Err(error) = objects.delete(staged).await {
            self.remember(site, &error);
        }
        Ok(())
    }

    /// Copies an item from one replica to another, verified on the way: what is damaged never gets there. Gives its size; `None` where
    /// there is nothing to copy.
    pub(in super::super) async fn transfer(
        &self,
        from: &Site,
        to: &Site,
        item: &Item,
    ) -> Result<Option<u64>> {
        let format = self.ready(from).await?;
        let key = item.key(&from.names, format);
        let Some(meta) = from.storage.objects().stat(&key).await? else {
            return Ok(None);
        };
        if meta.size <= LARGE_BYTES || !to.has(Capability::StreamingWrite) {
            let mut whole = Whole::default();
            if !self.read_on(from, item, &mut |piece| whole.take(piece)).await? {
                return Ok(None);
            }
            let bytes = whole.bytes();
            self.place_on(to, item, &bytes).await?;
            return Ok(Some(bytes.len() as u64));
        }
        let Some(mut reader) = from.storage.objects().reader(&key).await? else {
            return Ok(None);
        };
        let (staged, mut upload) = self.stage(to).await?;
        let mut hasher = format.hash.hasher();
        let mut copied = 0;
        loop {
            match reader.try_next().await {
                Ok(Some(bytes)) => {
                    hasher.update(&bytes);
                    copied += bytes.len() as u64;
                    upload.write(bytes).await?;
                }
                Ok(None) => break,
                Err(error) => {
                    upload.abort().await?;
                    return Err(error);
                }
            }
        }
        if hasher.finish() != *item.hash() {
            upload.abort().await?;
            from.set_aside(&key, format.hash, item.hash()).await?;
            return Err(damaged(&key, "it was not copied"));
        }
        upload.finish().await?;
        self.publish(to, &staged, item).await?;
        Ok(Some(copied))
    }
}
