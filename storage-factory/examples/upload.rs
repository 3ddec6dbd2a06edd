//! A file is uploaded by several clients at once, out of order; one of them dies and the upload is resumed; a newcomer to the room is
//! sent the newest content, and a download that was cut short goes on where it ended.
//!
//!     cargo run -p storage-factory --features chunks --example upload
//!
//! It keeps everything in `./data/sessions`, or in `CHUNK_STORAGE_PATH`.

use futures::TryStreamExt;
use futures::future::try_join_all;
use storage_core::{ByteRange, Bytes, ErrorKind, Result};
use storage_stores::chunks::{ChunkInfo, ChunkStore};

#[tokio::main]
async fn main() -> Result<()> {
    let store = storage_factory::chunks_from_env().await?;
    let done = run(&store).await;
    store.close().await?;
    for line in done? {
        println!("{line}");
    }
    Ok(())
}

const ROOM: &str = "room-7";
const FILE: &str = "holiday.jpg";
const CHUNK: usize = 64 * 1024;

/// Everything above, on any store; what there is to say about it.
pub(crate) async fn run(store: &ChunkStore) -> Result<Vec<String>> {
    let file = Bytes::from_iter((0..1_000_000_u32).map(|at| at.to_le_bytes()[at as usize % 3]));
    let chunks: Vec<Bytes> = file.chunks(CHUNK).map(|chunk| file.slice_ref(chunk)).collect();
    let mut said = Vec::new();

    // A run before this one may have left its upload behind.
    store.delete_content(FILE).await?;

    // Three clients, each with every third chunk, from the end to the beginning. The third dies half way.
    let clients = (0..3).map(|client| send(store, &chunks, client));
    try_join_all(clients).await?;

    // Completing it now is refused, and says what is missing.
    match store.mark_content_complete(FILE).await {
        Err(error) if error.kind() == ErrorKind::NotFound => said.push(error.message().to_owned()),
        other => drop(other?),
    }

    // Whoever resumes asks what is missing and sends that. Sending a chunk twice does no harm.
    for index in store.missing_chunks(FILE).await?.unwrap_or_default() {
        save(store, &chunks, index).await?;
    }
    save(store, &chunks, 0).await?;
    let content = store.mark_content_complete(FILE).await?;
    said.push(format!(
        "{}: {} bytes in {} chunks",
        content.content_id, content.total_size, content.total_chunks
    ));

    // A newcomer to the room sees the newest of that room, and of no other.
    let newcomer = store.session(ROOM);
    let newest = newcomer.newest().await?;
    said.push(format!("a newcomer is sent {} item(s)", newest.items.len()));

    // Every chunk is verified before it is given out, and comes with what decrypts it.
    let mut received = Vec::new();
    let mut download = newcomer.read_content(FILE).await?;
    while received.len() < file.len() / 2 {
        let Some(chunk) = download.try_next().await? else {
            break;
        };
        received.extend_from_slice(&chunk.bytes);
    }
    drop(download);

    // The connection broke. The rest is a range from where it ended.
    let from = received.len() as u64;
    let rest: Vec<Bytes> = newcomer
        .read_range(FILE, ByteRange::From(from))
        .await?
        .try_collect()
        .await?;
    received.extend(rest.concat());
    said.push(format!(
        "the download went on at byte {from}, and is {}",
        if received == file { "the file" } else { "broken" }
    ));
    Ok(said)
}

async fn send(store: &ChunkStore, chunks: &[Bytes], client: usize) -> Result<()> {
    let mine = (0..chunks.len()).filter(|index| index % 3 == client);
    let until = if client == 2 { 3 } else { usize::MAX };
    for index in mine.rev().take(until) {
        save(store, chunks, u32::try_from(index).unwrap_or(u32::MAX)).await?;
    }
    Ok(())
}

async fn save(store: &ChunkStore, chunks: &[Bytes], index: u32) -> Result<()> {
    let bytes = chunks[index as usize].clone();
    let total = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    let info = ChunkInfo::new(FILE, ROOM, index, total)
        // A real client encrypts the chunk, with a fresh random vector each time.
        .iv(vec![index.to_le_bytes()[0]; 12])
        .content_type("image/jpeg")
        .content_size(chunks.iter().map(|chunk| chunk.len() as u64).sum());
    store.save_chunk(bytes, info).await
}
