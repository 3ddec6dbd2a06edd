//! Under which names what is stored: ids are data, and never navigate.

use storage_core::bson::Bson;
use storage_core::{DocumentId, Error, Result, Storage, encode_bson};

use super::info::ChunkInfo;

/// More chunks than this of one content are refused: eight digits number them, and 10 TB come in pieces of 1 MiB.
pub(super) const MAX_CHUNKS: u32 = 10_000_000;
/// More bytes of an initialization vector than any cipher in use takes.
const MAX_IV_BYTES: usize = 64;
/// What stands behind the content's id in the id of a chunk's record: a slash and eight digits.
const CHUNK_SUFFIX_BYTES: u64 = 9;
/// What an index key holds beside the session's id: whether it is pinned, and when it was created.
const ORDER_BYTES: u64 = 32;

/// The length of an upload's name.
const UPLOAD_BYTES: usize = 32;

/// What stands before every object's key.
pub(super) const OBJECTS: &str = "chunks/";

/// The id of a chunk's record. The last nine bytes always are the index, so no two chunks share one, whatever the content's id.
pub(super) fn record_id(content_id: &str, index: u32) -> String {
    format!("{content_id}/{index:08}")
}

/// The content and the index that a chunk's record has in its id.
pub(super) fn of_record_id(id: &str) -> Option<(&str, u32)> {
    let (content, index) = id.rsplit_once('/')?;
    Some((content, index.parse().ok().filter(|_| index.len() == 8)?))
}

/// Where the objects of a content lie, whichever upload they are of.
pub(super) fn directory(content_id: &str) -> String {
    let hex: String = content_id.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{OBJECTS}{hex}/")
}

/// What a key in the directory of an upload, or of a content whose objects lie right in its own, says of the index.
pub(super) fn index_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".bin")?;
    let index: u32 = digits.parse().ok()?;
    // `07.bin` and `+7.bin` are not what this store writes for 7.
    (index.to_string() == digits).then_some(index)
}

/// What an object's key is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ObjectName {
    pub(super) content_id: String,
    /// The upload, where it is part of the name.
    pub(super) upload: Option<String>,
    pub(super) index: u32,
}

/// What an object's key is about.
pub(super) fn of_object_key(key: &str) -> Option<ObjectName> {
    let (hex, name) = key.strip_prefix(OBJECTS)?.split_once('/')?;
    let (upload, name) = match name.split_once('/') {
        Some((upload, name)) => (Some(upload.to_owned()), name),
        None => (None, name),
    };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect();
    Some(ObjectName {
        content_id: String::from_utf8(bytes?).ok().filter(|_| rest.is_empty())?,
        upload,
        index: index_of(name)?,
    })
}

/// Refuses a content id that any of its names would be too long for.
pub(super) fn check_content_id(storage: &Storage, id: &str) -> Result<()> {
    DocumentId::new(id)?;
    let declaration = storage.declaration();
    let documents = declaration.documents.as_ref();
    let by_document = documents.map_or(u64::MAX, |section| {
        section.max_id_bytes.saturating_sub(CHUNK_SUFFIX_BYTES)
    });
    let beside = (OBJECTS.len() + UPLOAD_BYTES + "//".len() + "10000000.bin".len()) as u64;
    let by_object = declaration.objects.max_key_bytes.saturating_sub(beside) / 2;
    within("the content id in bytes", by_document.min(by_object), id)
}

/// Refuses a session id that a document or the index of contents could not have.
pub(super) fn check_session_id(storage: &Storage, id: &str) -> Result<()> {
    DocumentId::new(id)?;
    let Some(documents) = &storage.declaration().documents else {
        return Ok(());
    };
    let room = documents.max_index_key_bytes.saturating_sub(ORDER_BYTES);
    let encoded = encode_bson(&Bson::String(id.to_owned())).len() as u64;
    // Some characters take two bytes in an index key.
    let longer = encoded.saturating_sub(id.len() as u64);
    let by_index = room.saturating_sub(longer);
    within(
        "the session id in bytes",
        documents.max_id_bytes.min(by_index),
        id,
    )
}

fn within(what: &'static str, limit: u64, id: &str) -> Result<()> {
    if id.len() as u64 > limit {
        return Err(Error::limit_exceeded(what, limit, id.len() as u64));
    }
    Ok(())
}

/// Refuses what a sender says about a chunk of so many bytes, before anything is stored.
pub(super) fn check_info(storage: &Storage, info: &ChunkInfo, bytes: u64, limit: Option<u64>) -> Result<()> {
    check_content_id(storage, &info.content_id)?;
    check_session_id(storage, &info.session_id)?;
    if info.total_chunks > MAX_CHUNKS {
        return Err(Error::limit_exceeded(
            "the number of chunks",
            MAX_CHUNKS.into(),
            info.total_chunks.into(),
        ));
    }
    if info.chunk_index >= info.total_chunks {
        let message = format!(
            "there is no chunk {} of {}; the first is 0",
            info.chunk_index, info.total_chunks
        );
        return Err(Error::invalid_argument(message));
    }
    if info.iv.len() > MAX_IV_BYTES {
        let what = "the initialization vector in bytes";
        return Err(Error::limit_exceeded(
            what,
            MAX_IV_BYTES as u64,
            info.iv.len() as u64,
        ));
    }
    if let Some(size) = info.size.filter(|size| *size != bytes) {
        let message = format!("the chunk is said to have {size} bytes and has {bytes}; nothing was stored");
        return Err(Error::invalid_argument(message));
    }
    if let Some(size) = info.content_size.filter(|size| *size < bytes) {
        let message = format!("the content is said to have {size} bytes, and this chunk alone has {bytes}");
        return Err(Error::invalid_argument(message));
    }
    if let Some(size) = info.content_size.filter(|size| i64::try_from(*size).is_err()) {
        return Err(Error::limit_exceeded(
            "the content in bytes",
            i64::MAX.unsigned_abs(),
            size,
        ));
    }
    let declared = storage.declaration().objects.max_object_bytes;
    let limit = limit.unwrap_or(u64::MAX).min(declared.unwrap_or(u64::MAX));
    if bytes > limit {
        return Err(Error::limit_exceeded("the chunk in bytes", limit, bytes));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_what_they_are_of() {
        for content in ["a", "../..", "a/00000001", "é/🦀", "a\u{1}b"] {
            for index in [0, 7, MAX_CHUNKS - 1] {
                assert_eq!(of_record_id(&record_id(content, index)), Some((content, index)));
                for upload in [None, Some("0123456789abcdef0123456789abcdef".to_owned())] {
                    let within = upload
                        .as_ref()
                        .map(|upload| format!("{upload}/"))
                        .unwrap_or_default();
                    let key = format!("{}{within}{index}.bin", directory(content));
                    let name = ObjectName {
                        content_id: content.to_owned(),
                        upload,
                        index,
                    };
                    assert_eq!(of_object_key(&key), Some(name));
                }
            }
        }
        for other in [
            "chunks/61/07.bin",
            "chunks/61/+7.bin",
            "chunks/6/7.bin",
            "chunks/ff/7.bin",
            "chunks/61/7",
            "61/7.bin",
            "chunks/61/a/b/7.bin",
        ] {
            assert_eq!(of_object_key(other), None, "{other}");
        }
    }
}
