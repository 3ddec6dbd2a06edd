//! [`Site`]: hashed bytes on one replica. Nothing is handed out unless its hash is the one it is kept under.

use std::time::Duration;

use storage_core::{
    ByteRange, Bytes, Capability, Consistency, Error, ErrorKind, Object, ObjectMeta, ReadRequest, Result,
    Retry, Storage, Version, Versions, WriteOptions, random_u128,
};
use tokio::sync::OnceCell;

use super::format::Format;
use super::hash::{Hash, HashAlgorithm};
use super::names::Names;
use super::replica::Role;
use super::signing::PublicKey;

/// How much is read at once, and held at once while something is verified.
pub(super) const PIECE_BYTES: u64 = 1024 * 1024;

/// What is larger is moved as a stream, where the storage can.
pub(super) const LARGE_BYTES: u64 = 8 * 1024 * 1024;

/// How often a look that others come between begins anew.
const MAX_LOOKS: usize = 8;

/// One replica of a store that is open.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) storage: Storage,
    pub(super) names: Names,
    /// Known once it was reached.
    pub(super) format: OnceCell<Format>,
}

/// What is under a key, as it was read.
pub(super) struct Found {
    pub(super) meta: ObjectMeta,
    /// Of the bytes that were read.
    pub(super) hash: Hash,
}

/// What became of something damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    /// It is in quarantine and nowhere else.
    Moved,
    /// It is in quarantine and also where it was, because the storage cannot delete exactly what was looked at. It is overwritten by the
    /// next put of the right bytes.
    Copied,
    /// A second look found it whole.
    Sound,
    /// It is gone.
    Gone,
}

/// Gets each piece in order; the first of a new attempt begins at 0.
pub(super) type Sink<'a> = &'a mut (dyn FnMut(&Object) + Send);

impl Site {
    /// Reads all of an object, a piece at a time, and hashes it.
    pub(super) async fn look(
        &self,
        key: &str,
        algorithm: HashAlgorithm,
        each: Sink<'_>,
    ) -> Result<Option<Found>> {
        let objects = self.storage.objects();
        'anew: for _ in 0..MAX_LOOKS {
            let mut hasher = algorithm.hasher();
            let mut request = ReadRequest::default();
            request.range = Some(ByteRange::Bounded(0, PIECE_BYTES));
            loop {
                let object = match objects.read_with(key, request.clone()).await {
                    Ok(Some(object)) => object,
                    Ok(None) => return Ok(None),
                    // Replaced or deleted between two pieces.
                    Err(error) if error.kind() == ErrorKind::PreconditionFailed => continue 'anew,
                    Err(error) => return Err(error),
                };
                hasher.update(&object.bytes);
                each(&object);
                let (end, meta) = (object.range.end, object.meta);
                if end >= meta.size {
                    let hash = hasher.finish();
                    return Ok(Some(Found { meta, hash }));
                }
                request.range = Some(ByteRange::Bounded(end, end + PIECE_BYTES));
                request.if_version = Some(meta.version);
            }
        }
        Err(busy(key))
    }

    /// Reads an object that has to have this hash; `false` where there is none. What is damaged is moved aside.
    pub(super) async fn read_sound(
        &self,
        key: &str,
        algorithm: HashAlgorithm,
        expected: &Hash,
        each: Sink<'_>,
    ) -> Result<bool> {
        for _ in 0..MAX_LOOKS {
            match self.look(key, algorithm, each).await? {
                None => return Ok(false),
                Some(found) if found.hash == *expected => return Ok(true),
                Some(_) => {}
            }
            match self.set_aside(key, algorithm, expected).await {
                Ok(Aside::Sound) => {}
                Ok(Aside::Moved) => return Err(damaged(key, "it is in quarantine")),
                Ok(Aside::Copied) => return Err(damaged(key, "a copy is in quarantine")),
                Ok(Aside::Gone) => return Err(damaged(key, "somebody else removed it")),
                Err(error) => {
                    return Err(damaged(key, "it could not be moved to quarantine").with_source(error));
                }
            }
        }
        Err(busy(key))
    }

    /// Moves what is damaged into quarantine, unless a second look finds it whole: what a bad cable did to the first is no reason.
    pub(super) async fn set_aside(
        &self,
        key: &str,
        algorithm: HashAlgorithm,
        expected: &Hash,
    ) -> Result<Aside> {
        self.move_aside(key, algorithm, Some(expected)).await
    }

    /// Moves something into quarantine, unless it has this hash.
    pub(super) async fn move_aside(
        &self,
        key: &str,
        algorithm: HashAlgorithm,
        unless: Option<&Hash>,
    ) -> Result<Aside> {
        for _ in 0..MAX_LOOKS {
            let Some(found) = self.look(key, algorithm, &mut |_| {}).await? else {
                return Ok(Aside::Gone);
            };
            if unless == Some(&found.hash) {
                return Ok(Aside::Sound);
            }
            // The copy first: at no moment is there none.
            match self.copy_aside(key, &found).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => return Err(error),
            }
            if !self.has(Capability::DeleteIf) {
                return Ok(Aside::Copied);
            }
            match self.storage.objects().delete_if(key, found.meta.version).await {
                Ok(()) => return Ok(Aside::Moved),
                // Somebody put the right bytes there, or moved it aside too.
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error),
            }
        }
        Err(busy(key))
    }

    /// Copies exactly what was found into quarantine; `false` if it was replaced meanwhile.
    async fn copy_aside(&self, key: &str, found: &Found) -> Result<bool> {
        let objects = self.storage.objects();
        let to = self.names.quarantined(key, &found.hash);
        if let Some(there) = objects.stat(&to).await?
            && there.size == found.meta.size
        {
            return Ok(true);
        }
        let copied = if found.meta.size > LARGE_BYTES && self.has(Capability::StreamingWrite) {
            match objects.reader(key).await? {
                Some(reader) if reader.meta().version == found.meta.version => objects
                    .write_stream(&to, reader, WriteOptions::new())
                    .await
                    .map(|_| true),
                _ => Ok(false),
            }
        } else {
            let mut request = ReadRequest::default();
            request.if_version = Some(found.meta.version.clone());
            match objects.read_with(key, request).await? {
                Some(object) => objects.write(&to, object.bytes).await.map(|_| true),
                None => Ok(false),
            }
        };
        match copied {
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(false),
            copied => copied,
        }
    }

    /// Makes bytes durable under the key of their hash. What is there already is read and compared, so that nothing damaged is ever
    /// acknowledged; what the collector might take before the caller has named it is written anew.
    pub(super) async fn place(
        &self,
        key: &str,
        algorithm: HashAlgorithm,
        expected: &Hash,
        bytes: &Bytes,
        refreshed_after: Option<Duration>,
    ) -> Result<()> {
        if self
            .is_in_place(key, algorithm, expected, refreshed_after)
            .await?
        {
            return Ok(());
        }
        self.storage.objects().write(key, bytes.clone()).await.map(drop)
    }

    /// Whether a sound and young enough object is there. What is damaged was moved aside; what cannot be read at all may be written over
    /// by the bytes its name calls for.
    pub(super) async fn is_in_place(
        &self,
        key: &str,
        algorithm: HashAlgorithm,
        expected: &Hash,
        refreshed_after: Option<Duration>,
    ) -> Result<bool> {
        match self.look(key, algorithm, &mut |_| {}).await {
            Ok(None) => Ok(false),
            Ok(Some(found)) if found.hash == *expected => {
                Ok(!refreshed_after.is_some_and(|age| self.is_old(&found.meta, age)))
            }
            Ok(Some(_)) => {
                self.set_aside(key, algorithm, expected).await?;
                Ok(false)
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The mark of a channel: as long as it is the same, nobody has told of a new event here. `None` where that says nothing: nobody has
    /// told of any, it cannot be written where it is as it was seen, or a listing may come behind it.
    pub(super) async fn mark(&self, channel: &PublicKey) -> Result<Option<Version>> {
        if !self.has(Capability::CompareAndSwap)
            || self.storage.declaration().objects.consistency != Consistency::Linearizable
        {
            return Ok(None);
        }
        let meta = self.storage.objects().stat(self.names.changed(channel)).await?;
        Ok(meta.map(|meta| meta.version))
    }

    /// Tells everybody that an event is here. Gives the mark where nobody else told of one since `seen`: who had seen everything still has.
    pub(super) async fn tell(&self, channel: &PublicKey, seen: Option<Version>) -> Result<Option<Version>> {
        let (objects, key) = (self.storage.objects(), self.names.changed(channel));
        let nonce = format!("{:032x}", random_u128());
        if let Some(seen) = seen {
            match objects.write_if(&key, nonce.clone(), seen).await {
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                written => return written.map(Some),
            }
        }
        objects.write(&key, nonce).await.map(|_| None)
    }

    /// Whether something is so old that it has to be written anew. Where nothing can be collected, nothing has to.
    fn is_old(&self, meta: &ObjectMeta, age: Duration) -> bool {
        let written = meta.modified.map(|modified| modified.after(age));
        self.collectable().is_ok() && written.is_some_and(|due| due <= self.storage.now())
    }

    /// Refuses where blocks cannot be deleted safely beside writers: that takes a deletion bound to a version, and versions that a second
    /// write of the same bytes changes.
    pub(super) fn collectable(&self) -> Result<()> {
        let declaration = self.storage.declaration();
        declaration.require(Capability::DeleteIf)?;
        if declaration.objects.versions == Versions::ContentHash {
            return Err(Error::unsupported(
                "deleting blocks safely, where equal bytes have equal versions,",
            ));
        }
        Ok(())
    }

    pub(super) fn has(&self, capability: Capability) -> bool {
        self.storage.declaration().support(capability).is_present()
    }
}

pub(super) fn damaged(key: &str, what: &str) -> Error {
    Error::corrupt(
        key,
        format!("its bytes do not have the hash it is named by; {what}"),
    )
}

fn busy(key: &str) -> Error {
    Error::new(ErrorKind::Conflict, "others keep changing it")
        .with_retry(Retry::Later)
        .with_key(key)
}
