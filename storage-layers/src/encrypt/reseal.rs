//! Rotation: what was sealed before is sealed anew under the active key, while others read and write.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use storage_core::bson::RawDocument;
use storage_core::{
    Area, ByteRange, Capability, Condition, Error, ErrorKind, Filter, FindRequest, Index, Key, ListEntry,
    ListRequest, Name, PutRequest, ReadRequest, Result, Retry, StorageAdapter, StorageBackend,
    StoredDocument, Timestamp, WriteRequest,
};

use super::sealing::SETTLED;
use super::{Encrypt, envelope};
use crate::encryption::{HEADER_BYTES, Header, KeyId, KeyInfo, KeyState, is_sealed};

/// Where the work stands, so that it goes on after a crash.
const CURSOR: &str = "encryption/reseal";

const NAMES_PER_PAGE: usize = 1000;
const DOCUMENTS_PER_PAGE: usize = 100;

/// What sealing anew did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ResealReport {
    /// Objects sealed anew, those of the overlay included.
    pub objects: u64,
    /// Documents sealed anew.
    pub documents: u64,
    /// What somebody else wrote or deleted at the same moment, and so needed nothing.
    pub overtaken: u64,
}

/// How many values are sealed under each key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct References {
    /// By key.
    pub keys: BTreeMap<KeyId, u64>,
    /// What is not sealed, or cannot be read so far as to see its key.
    pub unreadable: u64,
}

impl References {
    fn count(&mut self, bytes: &[u8]) {
        match Header::read(bytes) {
            Ok(header) => *self.keys.entry(header.key).or_default() += 1,
            Err(_) => self.unreadable += 1,
        }
    }
}

/// How far the work is: everything before it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Cursor {
    format: u32,
    /// The key that was active; for another one the work begins anew.
    key: String,
    /// 0 for objects, 1 for the overlay's, 2 for documents.
    stage: u32,
    /// The last key or collection that is done.
    after: Option<String>,
}

impl<A: StorageBackend> Encrypt<A> {
    /// The keys there are and were, the oldest first.
    ///
    /// # Errors
    /// `Unsupported` where the keys were given rather than kept in a keystore; those of the medium.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>> {
        self.sealing.refresh().await?;
        Ok(self.sealing.keystore()?.0.keys())
    }

    /// Makes a new key and seals under it from now on; within a minute every other process does. What was sealed before is still read, and
    /// sealed anew by [`reseal`](Self::reseal) or, on a backend, [`reseal_objects`](Self::reseal_objects). A streamed write that began
    /// under the key before, and ends when that is known, is `Conflict` and has to be done again.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    pub async fn rotate(&self, now: Timestamp) -> Result<KeyId> {
        let (mut keystore, medium) = self.sealing.keystore()?;
        let id = keystore.rotate(medium, now.as_millis()).await?;
        self.sealing.take(keystore)?;
        Ok(id)
    }

    /// Forbids or allows again to open with a key that is not active.
    ///
    /// # Errors
    /// As [`Keystore::set_state`](crate::encryption::Keystore::set_state).
    pub async fn set_key_state(&self, id: KeyId, state: KeyState) -> Result<()> {
        let (mut keystore, medium) = self.sealing.keystore()?;
        keystore.set_state(medium, id, state).await?;
        self.sealing.take(keystore)
    }

    /// Seals every object anew that is not under the active key, in both areas; each by compare and swap, so nobody's write is lost.
    /// Versions change. After a crash it goes on where it was.
    ///
    /// # Errors
    /// `Unsupported` without `compare-and-swap`; the first object that cannot be opened stops it.
    pub async fn reseal_objects(&self) -> Result<ResealReport> {
        let mut report = ResealReport::default();
        let mut cursor = self.cursor().await?;
        self.objects_anew(&mut cursor, &mut report).await?;
        self.finish().await?;
        Ok(report)
    }

    async fn objects_anew(&self, cursor: &mut Cursor, report: &mut ResealReport) -> Result<()> {
        for (stage, area) in [(0, Area::Objects), (1, Area::Overlay)] {
            if cursor.stage > stage {
                continue;
            }
            loop {
                let mut request = ListRequest::new("");
                request.limit = NAMES_PER_PAGE;
                request.start_after.clone_from(&cursor.after);
                let page = self.inner.list(area, request).await?;
                for entry in &page.entries {
                    if let ListEntry::Object(key, _) = entry
                        && !self.is_beside(area, key)
                    {
                        self.object_anew(area, key, report).await?;
                    }
                }
                let Some(next) = page.next else { break };
                cursor.after = Some(next);
                self.save(cursor).await?;
            }
            (cursor.stage, cursor.after) = (stage + 1, None);
            self.save(cursor).await?;
        }
        Ok(())
    }

    async fn object_anew(&self, area: Area, key: &Key, report: &mut ResealReport) -> Result<()> {
        let Some((head, version)) = self.head(area, key).await? else {
            return Ok(());
        };
        // The overlay's area also holds the keystore, and what an adapter below keeps for itself.
        if area == Area::Overlay && !is_sealed(&head) {
            return Ok(());
        }
        let header = Header::read(&head).map_err(|error| error.with_key(key.as_str()))?;
        if header.key == self.sealing.keys().active().id() {
            return Ok(());
        }
        let request = WriteRequest::when(Condition::IfVersion(version));
        match self.copy_anew(area, key, key, request).await {
            Ok(Some(_)) => report.objects += 1,
            Ok(None) => report.overtaken += 1,
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => report.overtaken += 1,
            Err(error) => return Err(error.with_key(key.as_str())),
        }
        Ok(())
    }

    /// Whether this was said to be none of the layer's objects.
    fn is_beside(&self, area: Area, key: &Key) -> bool {
        area == Area::Objects && self.beside.contains(key.as_str())
    }

    async fn head(&self, area: Area, key: &Key) -> Result<Option<(bytes::Bytes, storage_core::Version)>> {
        let mut request = ReadRequest::default();
        request.range = Some(ByteRange::Bounded(0, HEADER_BYTES as u64));
        let object = self.inner.read(area, key, request).await?;
        Ok(object.map(|object| (object.bytes, object.meta.version)))
    }

    /// How many objects are sealed under each key.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn object_references(&self) -> Result<References> {
        let mut references = References::default();
        for area in [Area::Objects, Area::Overlay] {
            let mut after = None;
            loop {
                let mut request = ListRequest::new("");
                request.limit = NAMES_PER_PAGE;
                request.start_after = after;
                let page = self.inner.list(area, request).await?;
                for entry in &page.entries {
                    let ListEntry::Object(key, _) = entry else {
                        continue;
                    };
                    if self.is_beside(area, key) {
                        continue;
                    }
                    match self.head(area, key).await? {
                        Some((head, _)) if area == Area::Objects || is_sealed(&head) => {
                            references.count(&head)
                        }
                        _ => {}
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(references)
    }

    /// Where the work stands; at the beginning where another key is active since.
    async fn cursor(&self) -> Result<Cursor> {
        self.inner.declaration().require(Capability::CompareAndSwap)?;
        self.sealing.refresh().await?;
        let key = self.sealing.keys().active().id().to_string();
        let read = self
            .inner
            .read(Area::Overlay, &Key::new(CURSOR)?, ReadRequest::default())
            .await?;
        let saved = read.and_then(|object| serde_json::from_slice::<Cursor>(&object.bytes).ok());
        Ok(saved
            .filter(|cursor| cursor.format == 1 && cursor.key == key)
            .unwrap_or(Cursor {
                format: 1,
                key,
                ..Cursor::default()
            }))
    }

    async fn save(&self, cursor: &Cursor) -> Result<()> {
        let bytes = serde_json::to_vec(cursor).map_err(|error| {
            Error::new(ErrorKind::Internal, "where the work stands could not be written").with_source(error)
        })?;
        // A cursor that is lost, or another's that is older, costs work and nothing else: what is done is seen to be done.
        self.inner
            .write(
                Area::Overlay,
                &Key::new(CURSOR)?,
                bytes.into(),
                WriteRequest::default(),
            )
            .await?;
        Ok(())
    }

    async fn finish(&self) -> Result<()> {
        self.inner
            .delete(
                Area::Overlay,
                &Key::new(CURSOR)?,
                storage_core::DeleteRequest::default(),
            )
            .await
    }
}

impl<A: StorageAdapter> Encrypt<A> {
    /// Seals every object and document anew that is not under the active key, or does not show the declared fields; each by compare and swap, so
    /// nobody's write is lost. Versions change. After a crash it goes on where it was. Where no fields of any collection are declared,
    /// documents go on showing those they show.
    ///
    /// Entries of logs cannot be written anew: they keep their key until their log is deleted.
    ///
    /// # Errors
    /// `Unsupported` without `compare-and-swap`; the first value that cannot be opened stops it.
    pub async fn reseal(&self, now: Timestamp) -> Result<ResealReport> {
        let mut report = ResealReport::default();
        let mut cursor = self.cursor().await?;
        self.objects_anew(&mut cursor, &mut report).await?;
        if self.declaration.documents.is_some() {
            let mut after = cursor.after.take().map(Name::new).transpose()?;
            loop {
                let names = self.inner.collections(after.as_ref(), NAMES_PER_PAGE).await?;
                let Some(last) = names.last().cloned() else { break };
                for name in names {
                    self.documents_anew(&name, now, &mut report).await?;
                    cursor.after = Some(name.to_string());
                    self.save(&cursor).await?;
                }
                after = Some(last);
            }
        }
        self.finish().await?;
        Ok(report)
    }

    /// How many values are sealed under each key: objects, documents that have not expired, entries of logs.
    ///
    /// # Errors
    /// Those of the medium.
    pub async fn references(&self, now: Timestamp) -> Result<References> {
        let mut references = self.object_references().await?;
        if self.declaration.documents.is_some() {
            let mut after: Option<Name> = None;
            loop {
                let names = self.inner.collections(after.as_ref(), NAMES_PER_PAGE).await?;
                for name in &names {
                    self.each_document(name, now, &mut |found| match found {
                        Ok(document) => match envelope::parts(&document.body) {
                            Ok((_, sealed)) => references.count(sealed),
                            Err(_) => references.unreadable += 1,
                        },
                        Err(_) => references.unreadable += 1,
                    })
                    .await?;
                }
                after = names.last().cloned();
                if after.is_none() {
                    break;
                }
            }
        }
        if self.declaration.logs.is_some() {
            let mut after: Option<Name> = None;
            loop {
                let names = self.inner.logs(after.as_ref(), NAMES_PER_PAGE).await?;
                for name in &names {
                    let mut from = 0;
                    loop {
                        let page = self.inner.read_log(name, from, NAMES_PER_PAGE).await?;
                        let Some(last) = page.entries.last() else { break };
                        from = last.sequence + 1;
                        page.entries
                            .iter()
                            .for_each(|entry| references.count(&entry.bytes));
                    }
                }
                after = names.last().cloned();
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(references)
    }

    /// Destroys a key that is not active, after looking at every value whether one is sealed under it.
    ///
    /// Another process may seal under a key for up to a minute after it was [rotated](Self::rotate) out, so for two minutes, which leaves
    /// one for clocks that differ, it is refused. What a process that was paused in the middle of a write for longer than that goes on to
    /// write cannot be read: end such processes first. Copies and backups of data are not looked at, and cannot be read any more.
    ///
    /// # Errors
    /// `Conflict` while something may still be sealed under it, saying for how long; `InvalidArgument` where something is, or cannot be
    /// read so far as to tell; as [`Keystore::destroy`](crate::encryption::Keystore::destroy).
    pub async fn destroy_key(&self, id: KeyId, now: Timestamp) -> Result<()> {
        self.sealing.refresh().await?;
        if let Some(retired_ms) = self.sealing.keystore()?.0.retired_ms(id) {
            let settled = Timestamp::from_millis(retired_ms).after(SETTLED);
            if now < settled {
                let left = settled
                    .as_millis()
                    .saturating_sub(now.as_millis())
                    .div_euclid(1000)
                    + 1;
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!(
                        "key {id} was rotated out a moment ago, and others may still seal under it; destroy it in {left} seconds"
                    ),
                )
                .with_retry(Retry::Later));
            }
        }
        let references = self.references(now).await?;
        let count = references.keys.get(&id).copied().unwrap_or(0);
        if count > 0 || references.unreadable > 0 {
            return Err(Error::invalid_argument(format!(
                "key {id} is not destroyed: {count} values are sealed under it, and of {} it cannot be told",
                references.unreadable
            )));
        }
        let (mut keystore, medium) = self.sealing.keystore()?;
        keystore.destroy(medium, id).await?;
        self.sealing.take(keystore)
    }

    /// Whether this very index is there already.
    pub(super) async fn is_indexed(&self, collection: &Name, index: &Index) -> Result<bool> {
        let indexes = self.inner.indexes(collection).await?;
        Ok(indexes.iter().any(|info| info.index == *index && info.ready))
    }

    /// Writes documents anew that do not show the declared fields.
    pub(super) async fn show_fields(&self, collection: &Name, now: Timestamp) -> Result<()> {
        self.documents_anew(collection, now, &mut ResealReport::default())
            .await
    }

    async fn documents_anew(
        &self,
        collection: &Name,
        now: Timestamp,
        report: &mut ResealReport,
    ) -> Result<()> {
        let mut stale = Vec::new();
        let mut after = None;
        loop {
            let mut request = FindRequest::new(Filter::All, Vec::new(), now);
            request.limit = DOCUMENTS_PER_PAGE;
            request.after = after;
            let mut page = self.inner.find(collection, request).await?;
            if let Some(error) = page.unreadable.pop() {
                return Err(error);
            }
            for stored in page.documents {
                if let Some(request) = self.document_anew(collection, stored, now).await? {
                    stale.push(request);
                }
            }
            for request in stale.drain(..) {
                match self.inner.put(collection, request).await {
                    Ok(_) => report.documents += 1,
                    Err(error) if error.kind() == ErrorKind::PreconditionFailed => report.overtaken += 1,
                    Err(error) => return Err(error),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The write that brings a document up to date, where it is not.
    async fn document_anew(
        &self,
        collection: &Name,
        stored: StoredDocument,
        now: Timestamp,
    ) -> Result<Option<PutRequest>> {
        let (beside, sealed) = envelope::parts(&stored.body)?;
        let key = Header::read(sealed)?.key;
        let opened = self.opened(collection, stored.clone()).await?;
        let body: &RawDocument = &opened.body;
        // Who declares nothing does not know what is searched for, and leaves it as it stands.
        let shown = if self.declared.any() {
            let shown = self.declared.shown(collection, body, self.sealing.index_key())?;
            storage_core::bson::RawDocumentBuf::try_from(&shown).map_err(storage_core::malformed)?
        } else {
            beside.clone()
        };
        if key == self.sealing.keys().active().id() && shown == beside {
            return Ok(None);
        }
        let sealed = envelope::seal_beside(&self.sealing, shown, collection, &opened.id, body)?;
        let mut request = PutRequest::new(opened.id.clone(), sealed, now);
        request.condition = Condition::IfVersion(opened.version);
        request.expires_at = opened.expires_at;
        Ok(Some(request))
    }

    async fn each_document(
        &self,
        collection: &Name,
        now: Timestamp,
        visit: &mut (dyn FnMut(Result<StoredDocument>) + Send),
    ) -> Result<()> {
        let mut after = None;
        loop {
            let mut request = FindRequest::new(Filter::All, Vec::new(), now);
            request.limit = DOCUMENTS_PER_PAGE;
            request.after = after;
            let page = self.inner.find(collection, request).await?;
            page.documents
                .into_iter()
                .for_each(|document| visit(Ok(document)));
            page.unreadable.into_iter().for_each(|error| visit(Err(error)));
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
