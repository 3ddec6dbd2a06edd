//! Everything is read back.

use futures::stream::TryStreamExt;
use sha2::{Digest, Sha256};
use storage_core::ListEntry;

use super::keep::{AT_ONCE, Kept, PREFIX, Shelf, hex};
use crate::failure::{Failure, Result};

/// Reads every object and compares it with its document. Says how many there were, and how many bytes.
pub(super) async fn verify(shelf: &Shelf, kept: &Kept) -> Result<(u64, u64)> {
    let entries = shelf.storage.objects().list(PREFIX).map_err(Failure::from);
    let mut sizes = std::pin::pin!(
        entries
            .map_ok(|entry| verify_one(shelf, entry))
            .try_buffer_unordered(AT_ONCE)
    );
    let (mut objects, mut bytes) = (0, 0);
    while let Some(size) = sizes.try_next().await? {
        objects += 1;
        bytes += size;
    }
    if (objects, bytes) != (kept.files, kept.bytes) {
        return Err(Failure::Wrong(format!(
            "{} files of {} bytes were stored, but {objects} of {bytes} bytes are there",
            kept.files, kept.bytes
        )));
    }
    Ok((objects, bytes))
}

async fn verify_one(shelf: &Shelf, entry: ListEntry) -> Result<u64> {
    let path = &entry.name()[PREFIX.len()..];
    let wrong = |what: &str| Failure::Wrong(format!("{path}: {what}"));
    let Some(record) = shelf.records.get(shelf.id(path)).await? else {
        return Err(wrong("the object has no document"));
    };
    let Some(mut reader) = shelf.storage.objects().reader(entry.name()).await? else {
        return Err(wrong("the object is listed but not there"));
    };
    let (mut hasher, mut size) = (Sha256::new(), 0);
    while let Some(bytes) = reader.try_next().await? {
        hasher.update(&bytes);
        size += bytes.len() as u64;
    }
    if size != record.value.size
        || hex(&hasher.finalize()) != record.value.sha256
        || record.value.path != path
    {
        return Err(wrong("the object is not what its document says"));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use storage_core::{Memory, Storage};

    use super::super::files::Files;
    use super::*;

    async fn toured() -> (tempfile::TempDir, Shelf, Kept) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.txt"), "hello").unwrap();
        let shelf = Shelf::new(&Storage::new(Memory::new()));
        let files = Files::of(directory.path().to_owned());
        let kept = shelf.keep(files).await.unwrap();
        verify(&shelf, &kept).await.unwrap();
        (directory, shelf, kept)
    }

    #[tokio::test]
    async fn one_changed_byte_is_found() {
        let (_directory, shelf, kept) = toured().await;
        shelf
            .storage
            .objects()
            .write("tour/a.txt", "hellO")
            .await
            .unwrap();
        assert!(matches!(verify(&shelf, &kept).await, Err(Failure::Wrong(_))));
    }

    #[tokio::test]
    async fn a_missing_object_and_a_missing_document_are_found() {
        let (_directory, shelf, kept) = toured().await;
        shelf.records.delete("a.txt").await.unwrap();
        assert!(matches!(verify(&shelf, &kept).await, Err(Failure::Wrong(_))));
        let (_directory, shelf, kept) = toured().await;
        shelf.storage.objects().delete("tour/a.txt").await.unwrap();
        assert!(matches!(verify(&shelf, &kept).await, Err(Failure::Wrong(_))));
    }
}
