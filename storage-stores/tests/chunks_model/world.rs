//! [`World`]: the storage as the protocol sees it. Every method that is not a check is one call, atomic like the real one.

use std::collections::BTreeMap;

/// A version, an upload or a revision.
pub(crate) type Token = u8;
/// What a chunk holds, initialization vector included.
pub(crate) type Bytes = u8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) version: Token,
    pub(crate) upload: Token,
    pub(crate) revision: Token,
    /// What it was completed as.
    pub(crate) complete: Option<Bytes>,
    pub(crate) deleting: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) version: Token,
    pub(crate) upload: Token,
    pub(crate) current: Option<Bytes>,
    /// A bit for each of the bytes that are intended.
    pub(crate) next: u16,
}

impl Record {
    pub(crate) const fn names(&self, bytes: Bytes) -> bool {
        matches!(self.current, Some(current) if current == bytes) || self.next & (1 << bytes) != 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    pub(crate) version: Token,
    pub(crate) bytes: Bytes,
}

/// What the protocol rules out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    AdoptUnwritten,
    WriteUnconditionally,
    WriteBeforeIntending,
    ForgetOthers,
    DoNotConfirm,
    DoNotMark,
    IgnoreRevision,
    IgnoreIntentions,
    IgnoreUpload,
    DoNotLookAtTheMark,
    DeleteByName,
}

/// One content of one chunk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) content: Option<Content>,
    pub(crate) record: Option<Record>,
    /// Of the chunk, under their names: the upload where that is part of the name, and 0 where it is not.
    pub(crate) objects: BTreeMap<Token, Object>,
    /// Whether objects are not deleted by their version, and the upload is part of their names.
    pub(crate) by_upload: bool,
    /// The uploads of which the chunk was acknowledged.
    pub(crate) acknowledged: Vec<Token>,
    pub(crate) last: Token,
}

impl World {
    /// A content whose chunk has not come.
    pub(crate) fn begun() -> Self {
        let content = Content {
            version: 1,
            upload: 2,
            revision: 3,
            complete: None,
            deleting: false,
        };
        Self {
            content: Some(content),
            record: None,
            objects: BTreeMap::new(),
            by_upload: false,
            acknowledged: Vec::new(),
            last: 5,
        }
    }

    /// The same, with an object that no record names.
    pub(crate) fn with_orphan(bytes: Bytes) -> Self {
        Self {
            objects: [(0, Object { version: 4, bytes })].into(),
            ..Self::begun()
        }
    }

    /// The same on a backend that does not delete objects by their version.
    pub(crate) fn on_a_bucket(self) -> Self {
        let upload = self.content.map_or(0, |content| content.upload);
        Self {
            objects: self
                .objects
                .into_values()
                .map(|object| (upload, object))
                .collect(),
            by_upload: true,
            ..self
        }
    }

    /// A content whose chunk is there and acknowledged.
    pub(crate) fn with_chunk(bytes: Bytes) -> Self {
        let record = Record {
            version: 5,
            upload: 2,
            current: Some(bytes),
            next: 0,
        };
        Self {
            record: Some(record),
            acknowledged: vec![2],
            ..Self::with_orphan(bytes)
        }
    }

    pub(crate) fn token(&mut self) -> Token {
        self.last = self.last.checked_add(1).unwrap();
        self.last
    }

    /// The object an upload knows.
    pub(crate) fn object(&self, upload: Token) -> Option<Object> {
        self.objects.get(&self.name(upload)).copied()
    }

    const fn name(&self, upload: Token) -> Token {
        if self.by_upload { upload } else { 0 }
    }

    /// Writes an upload's object under a condition.
    pub(crate) fn write(&mut self, upload: Token, bytes: Bytes, over: Option<Token>) -> bool {
        if self.object(upload).map(|object| object.version) != over {
            return false;
        }
        self.write_anyway(upload, bytes);
        true
    }

    pub(crate) fn write_anyway(&mut self, upload: Token, bytes: Bytes) {
        let version = self.token();
        self.objects.insert(self.name(upload), Object { version, bytes });
    }

    /// Deletes an object, by its version where that can be.
    pub(crate) fn delete_object(&mut self, name: Token, version: Token, by_name: bool) {
        let found = self.objects.get(&name).map(|object| object.version);
        if self.by_upload || by_name || found == Some(version) {
            self.objects.remove(&name);
        }
    }

    /// Swaps the record, and gives its new version.
    pub(crate) fn swap_record(&mut self, over: Option<Token>, record: Record) -> Option<Token> {
        if self.record.map(|record| record.version) != over {
            return None;
        }
        let version = self.token();
        self.record = Some(Record { version, ..record });
        Some(version)
    }

    /// Swaps the content's record, and gives its new version.
    pub(crate) fn swap_content(&mut self, over: Option<Token>, content: Content) -> Option<Token> {
        if self.content.map(|content| content.version) != over {
            return None;
        }
        let version = self.token();
        self.content = Some(Content { version, ..content });
        Some(version)
    }

    /// What is wrong, if anything.
    pub(crate) fn check(&self) -> Option<&'static str> {
        let content = self.content.filter(|content| !content.deleting)?;
        let record = self.record.filter(|record| record.upload == content.upload);
        let object = self.object(content.upload).map(|object| object.bytes);
        let current = record.and_then(|record| record.current);
        if let (Some(record), Some(_)) = (record, current)
            && !object.is_some_and(|bytes| record.names(bytes))
        {
            return Some("a reader meets an object its record does not name");
        }
        if let Some(complete) = content.complete
            && (current != Some(complete) || object != Some(complete))
        {
            return Some("a complete content is not what it was completed as");
        }
        if self.acknowledged.contains(&content.upload) && current.is_none() {
            return Some("an acknowledged chunk is gone");
        }
        None
    }
}
