//! [`Head`]: what a key's document says.

use std::fmt;
use std::time::SystemTime;

use bson::raw::{RawBinaryRef, RawBsonRef, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, RawDocument, RawDocumentBuf};
use bytes::Bytes;
use storage_core::{Error, Key, ObjectMeta, Result, Timestamp, Version, random_u128};

/// The name under which the bytes of a large object are kept. Never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Blob([u8; 16]);

impl Blob {
    pub(super) fn random() -> Self {
        Self(random_u128().to_be_bytes())
    }

    /// The one of this value, if it is one.
    pub(crate) fn of(value: RawBsonRef<'_>) -> Option<Self> {
        bits(value).map(Self)
    }

    /// As it is stored.
    pub(crate) fn to_bson(self) -> Bson {
        binary(self.0)
    }

    pub(super) const fn as_raw(&self) -> RawBinaryRef<'_> {
        RawBinaryRef {
            subtype: BinarySubtype::Generic,
            bytes: &self.0,
        }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({:032x})", u128::from_be_bytes(self.0))
    }
}

/// A version as it is stored; `None` for a token this backend never gave, which is no object's version.
pub(super) fn version_value(version: &Version) -> Option<Bson> {
    version.as_u128().map(|bits| binary(bits.to_be_bytes()))
}

fn binary(bits: [u8; 16]) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bits.to_vec(),
    })
}

fn bits(value: RawBsonRef<'_>) -> Option<[u8; 16]> {
    value.as_binary()?.bytes.try_into().ok()
}

/// A key's document.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) meta: ObjectMeta,
    pub(super) content: Content,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// In the head.
    Inline(Bytes),
    /// In chunks of `chunk_bytes`; the last may be shorter.
    Chunks { blob: Blob, chunk_bytes: u64 },
}

impl Head {
    /// A new state of an object.
    pub(super) fn new(size: u64, content: Content) -> Self {
        Self {
            meta: ObjectMeta {
                size,
                version: Version::random(),
                modified: Some(Timestamp::from(SystemTime::now())),
            },
            content,
        }
    }

    /// The document under a key.
    pub(super) fn encode(&self, key: &Key) -> RawDocumentBuf {
        let mut document = RawDocumentBuf::new();
        let version = self.meta.version.as_u128().unwrap_or_default().to_be_bytes();
        let generic = |bytes| RawBinaryRef {
            subtype: BinarySubtype::Generic,
            bytes,
        };
        document.append(cstr!("_id"), key.as_str());
        document.append(cstr!("version"), RawBsonRef::Binary(generic(&version)));
        // An object of 2^63 bytes cannot be uploaded.
        document.append(cstr!("size"), i64::try_from(self.meta.size).unwrap_or(i64::MAX));
        let modified = self.meta.modified.map_or(0, Timestamp::as_millis);
        document.append(cstr!("modified"), DateTime::from_millis(modified));
        match &self.content {
            Content::Inline(bytes) => document.append(cstr!("data"), RawBsonRef::Binary(generic(bytes))),
            Content::Chunks { blob, chunk_bytes } => {
                document.append(cstr!("blob"), RawBsonRef::Binary(blob.as_raw()));
                document.append(
                    cstr!("chunk_bytes"),
                    i64::try_from(*chunk_bytes).unwrap_or(i64::MAX),
                );
            }
        }
        document
    }

    /// Reads a key's document; its bytes are not copied.
    ///
    /// # Errors
    /// `Corrupt`, naming the key.
    pub(super) fn decode(key: &str, document: RawDocumentBuf) -> Result<Self> {
        let corrupt = |what: &'static str| Error::corrupt(key, what);
        let meta = meta(key, &document)?;
        let field = |name: &str| document.get(name).ok().flatten();
        let content = match (field("data"), field("blob")) {
            (Some(RawBsonRef::Binary(data)), None) => {
                let start = data.bytes.as_ptr() as usize - document.as_bytes().as_ptr() as usize;
                let length = data.bytes.len();
                if length as u64 != meta.size {
                    return Err(corrupt("the object is not as long as it says; write it anew"));
                }
                Content::Inline(Bytes::from(document.into_bytes()).slice(start..start + length))
            }
            (None, Some(blob)) => {
                let chunk_bytes = field("chunk_bytes").and_then(integer).filter(|bytes| *bytes > 0);
                match (Blob::of(blob), chunk_bytes) {
                    (Some(blob), Some(chunk_bytes)) => Content::Chunks { blob, chunk_bytes },
                    _ => {
                        return Err(corrupt(
                            "where the object's bytes are cannot be read; write it anew",
                        ));
                    }
                }
            }
            _ => {
                return Err(corrupt(
                    "the object's head has no bytes and names none; write it anew",
                ));
            }
        };
        Ok(Self { meta, content })
    }
}

/// The facts in a key's document.
///
/// # Errors
/// `Corrupt`, naming the key.
pub(super) fn meta(key: &str, document: &RawDocument) -> Result<ObjectMeta> {
    let field = |name: &str| document.get(name).ok().flatten();
    let meta = || {
        Some(ObjectMeta {
            size: integer(field("size")?)?,
            version: Version::from_u128(u128::from_be_bytes(bits(field("version")?)?)),
            modified: Some(Timestamp::from_millis(
                field("modified")?.as_datetime()?.timestamp_millis(),
            )),
        })
    };
    meta().ok_or_else(|| Error::corrupt(key, "the head of the object cannot be read; write it anew"))
}

fn integer(value: RawBsonRef<'_>) -> Option<u64> {
    match value {
        RawBsonRef::Int64(value) => u64::try_from(value).ok(),
        RawBsonRef::Int32(value) => u64::try_from(value).ok(),
        _ => None,
    }
}

/// The blob a replaced or deleted head named.
pub(super) fn named_blob(document: &RawDocument) -> Option<Blob> {
    Blob::of(document.get("blob").ok().flatten()?)
}

#[cfg(test)]
mod tests {
    use storage_core::ErrorKind;

    use super::*;

    fn key() -> Key {
        Key::new("a/b").unwrap()
    }

    #[test]
    fn heads_round_trip() {
        let blob = Blob::random();
        for content in [
            Content::Inline(Bytes::from_static(b"hello")),
            Content::Chunks { blob, chunk_bytes: 7 },
        ] {
            let head = Head::new(5, content);
            let read = Head::decode("a/b", head.encode(&key())).unwrap();
            assert_eq!(read.meta, head.meta);
            match (read.content, head.content) {
                (Content::Inline(read), Content::Inline(written)) => assert_eq!(read, written),
                (
                    Content::Chunks {
                        blob: read,
                        chunk_bytes,
                    },
                    Content::Chunks { blob: written, .. },
                ) => {
                    assert_eq!((read, chunk_bytes), (written, 7));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_head_is_corrupt() {
        let mut short = Head::new(6, Content::Inline(Bytes::from_static(b"hello"))).encode(&key());
        let empty = RawDocumentBuf::new();
        let mut both = Head::new(5, Content::Inline(Bytes::from_static(b"hello"))).encode(&key());
        both.append(cstr!("blob"), RawBsonRef::Binary(Blob::random().as_raw()));
        short.append(cstr!("more"), 1);
        for document in [short, empty, both] {
            let error = Head::decode("a/b", document).unwrap_err();
            assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some("a/b")));
        }
    }
}
