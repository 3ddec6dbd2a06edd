//! What the cases of chunks share.

use std::time::Duration;

use futures::TryStreamExt;
use storage_core::Storage;
use storage_core::bson::RawDocumentBuf;
use storage_stores::chunks::{Chunk, ChunkInfo, ChunkOptions, ChunkStore, ContentList};

use crate::case::Failure;

/// The options of a store that cleans up only when it is told to.
pub(super) const fn options() -> ChunkOptions {
    ChunkOptions::new().cleanup_interval(Duration::ZERO)
}

pub(super) async fn open(storage: &Storage) -> Result<ChunkStore, Failure> {
    open_with(storage, options()).await
}

pub(super) async fn open_with(storage: &Storage, options: ChunkOptions) -> Result<ChunkStore, Failure> {
    Ok(ChunkStore::open(storage.clone(), options).await?)
}

/// A chunk of a content in session `s`, its initialization vector told by its index.
pub(super) fn info(content: &str, index: u32, total: u32) -> ChunkInfo {
    ChunkInfo::new(content, "s", index, total).iv(iv(index))
}

pub(super) fn iv(index: u32) -> Vec<u8> {
    vec![u8::try_from(index % 256).unwrap_or_default(); 12]
}

/// A content of session `s` with these chunks, complete.
pub(super) async fn save_all(store: &ChunkStore, content: &str, chunks: &[&str]) -> Result<(), Failure> {
    save_in(store, "s", content, chunks).await
}

pub(super) async fn save_in(
    store: &ChunkStore,
    session: &str,
    content: &str,
    chunks: &[&str],
) -> Result<(), Failure> {
    let total = u32::try_from(chunks.len()).unwrap_or_default();
    for (chunk, index) in chunks.iter().zip(0..) {
        let info = ChunkInfo::new(content, session, index, total).iv(iv(index));
        store.save_chunk((*chunk).to_owned(), info).await?;
    }
    store.mark_content_complete(content).await?;
    Ok(())
}

/// The bytes of a complete content, by way of its stream.
pub(super) async fn read_all(store: &ChunkStore, content: &str) -> Result<String, Failure> {
    let chunks: Vec<Chunk> = store.read_content(content).await?.try_collect().await?;
    let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
    String::from_utf8(bytes).map_err(|_| Failure::new("what was saved as text is not UTF-8"))
}

/// The key of a chunk's object. Where objects are not deleted by their version it has the upload in it.
pub(super) async fn object(storage: &Storage, content: &str, index: u32) -> Result<String, Failure> {
    let hex: String = content.bytes().map(|byte| format!("{byte:02x}")).collect();
    let contents = storage.collection::<RawDocumentBuf>("content_metadata");
    let found = contents.get(content).await?.ok_or("the content is there")?;
    if !found.value.get_bool("named_by_upload").unwrap_or(false) {
        return Ok(format!("chunks/{hex}/{index}.bin"));
    }
    let upload = found.value.get_str("upload").map_err(|error| error.to_string())?;
    Ok(format!("chunks/{hex}/{upload}/{index}.bin"))
}

pub(super) fn ids(list: &ContentList) -> Vec<&str> {
    list.items
        .iter()
        .map(|content| content.content_id.as_str())
        .collect()
}
