//! [`Context`]: what a sealed value is and where it lies.

/// What a sealed value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A user's object.
    Object,
    /// An object of the overlay.
    Overlay,
    /// A document; its name is the collection and the id.
    Document,
    /// An entry of a log; its name is the log's. Its place within the log is not bound.
    LogEntry,
    /// An entry of a key-value store.
    Entry,
    /// A key under another key.
    WrappedKey,
    /// What proves that a keystore belongs to a root key.
    Keystore,
}

impl Kind {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Object => b"object",
            Self::Overlay => b"overlay",
            Self::Document => b"document",
            Self::LogEntry => b"log-entry",
            Self::Entry => b"entry",
            Self::WrappedKey => b"wrapped-key",
            Self::Keystore => b"keystore",
        }
    }
}

/// What a sealed value is and where it lies. Sealed in one context, it opens in no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The store it belongs to; empty where stores are not told apart.
    pub store: &'a [u8],
    /// The namespace within the store.
    pub namespace: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Its collection, where it has one.
    pub collection: &'a str,
    /// Its key, id or name.
    pub name: &'a str,
    /// What lies beside it and must not be changed either.
    pub beside: &'a [u8],
}

impl<'a> Context<'a> {
    /// A value of this kind under this name.
    pub const fn new(kind: Kind, name: &'a str) -> Self {
        Self {
            store: b"",
            namespace: "",
            kind,
            collection: "",
            name,
            beside: b"",
        }
    }

    /// In this store.
    #[must_use]
    pub const fn store(mut self, store: &'a [u8]) -> Self {
        self.store = store;
        self
    }

    /// In this namespace.
    #[must_use]
    pub const fn namespace(mut self, namespace: &'a str) -> Self {
        self.namespace = namespace;
        self
    }

    /// In this collection.
    #[must_use]
    pub const fn collection(mut self, collection: &'a str) -> Self {
        self.collection = collection;
        self
    }

    /// With these bytes beside it.
    #[must_use]
    pub const fn beside(mut self, beside: &'a [u8]) -> Self {
        self.beside = beside;
        self
    }

    /// The associated data: every field with its length before it, so that no two contexts give the same bytes.
    pub(super) fn associated(&self, header: &[u8]) -> Vec<u8> {
        let fields: [&[u8]; 8] = [
            b"storage-layers sealed 1",
            self.store,
            self.namespace.as_bytes(),
            self.kind.as_bytes(),
            self.collection.as_bytes(),
            self.name.as_bytes(),
            self.beside,
            header,
        ];
        let length = fields.iter().map(|field| field.len() + 8).sum();
        let mut associated = Vec::with_capacity(length);
        for field in fields {
            associated.extend_from_slice(&(field.len() as u64).to_be_bytes());
            associated.extend_from_slice(field);
        }
        associated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cannot_run_into_each_other() {
        let contexts = [
            Context::new(Kind::Entry, "ab"),
            Context::new(Kind::Entry, "b").collection("a"),
            Context::new(Kind::Entry, "b").namespace("a"),
            Context::new(Kind::Entry, "b").store(b"a"),
            Context::new(Kind::Object, "ab"),
            Context::new(Kind::Entry, "").collection("ab"),
        ];
        let associated: std::collections::HashSet<_> =
            contexts.iter().map(|context| context.associated(b"")).collect();
        assert_eq!(associated.len(), contexts.len());
    }
}
