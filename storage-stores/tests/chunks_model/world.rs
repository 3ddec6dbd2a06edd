//! [`World`]: the storage as the protocol sees it. Every method that is not a check is one call, atomic like the real one.

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
    pub(crate) object: Option<Object>,
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
            object: None,
            acknowledged: Vec::new(),
            last: 5,
        }
    }

    /// The same, with an object that no record names.
    pub(crate) fn with_orphan(bytes: Bytes) -> Self {
        let object = Some(Object { version: 4, bytes });
        Self {
            object,
            ..Self::begun()
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

    /// Writes the object under a condition.
    pub(crate) fn write(&mut self, bytes: Bytes, over: Option<Token>) -> bool {
        if self.object.map(|object| object.version) != over {
            return false;
        }
        self.write_anyway(bytes);
        true
    }

    pub(crate) fn write_anyway(&mut self, bytes: Bytes) {
        let version = self.token();
        self.object = Some(Object { version, bytes });
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
        let object = self.object.map(|object| object.bytes);
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
