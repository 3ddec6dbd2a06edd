//! Completion and reading whole contents.

use futures::TryStreamExt;
use storage_core::{ByteRange, Bytes, ErrorKind};
use storage_stores::chunks::ChunkStore;

use super::sample::{info, object, open, read_all, save_all};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { chunk_complete:
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] the_last_index_completes_nothing = "with the last chunk of three there, the content is incomplete and has two chunks to come";
    smoke [Documents, Indexes, CreateIfAbsent, CompareAndSwap] completing_too_early_says_what_is_missing = "completing is refused naming the first missing chunks and how many there are, and changes nothing";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] size_and_hash_are_those_of_all_chunks = "a complete content has the sum of its chunks' sizes and the hash of all its bytes";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] an_announced_size_is_checked = "a content with another size than was announced is not completed, naming both";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] an_incomplete_content_is_not_read_whole = "reading it whole is refused saying what is missing; its chunks can be had";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] ranges_are_exact = "every range of a content gives exactly its bytes, cut at the end, over chunks of any size";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] damage_stops_a_reader = "a chunk that is not what was saved is Corrupt naming it, alone, in the stream, in a range, and when completing";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] a_chunk_of_the_right_hash_in_the_wrong_content_stops_a_reader = "a record that was exchanged for another whole one is found by the content's hash";
    standard [Documents, Indexes, CreateIfAbsent, CompareAndSwap] deleting_while_it_is_read_is_told = "who reads a content that is deleted meanwhile is told NotFound, and never gets other bytes";
}

async fn the_last_index_completes_nothing(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("last", info("c", 2, 3)).await?;
    let content = store.content_metadata("c").await?.ok_or("it is there")?;
    ensure_eq!(
        (content.is_complete, content.total_size, content.total_chunks),
        (false, 0, 3),
        "the content"
    );
    ensure_eq!(
        store.missing_chunks("c").await?,
        Some(vec![0, 1]),
        "what is missing"
    );
    Ok(())
}

async fn completing_too_early_says_what_is_missing(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("x", info("c", 1, 15)).await?;
    let before = store.content_metadata("c").await?;
    let error = match crate::case::check_kind(store.mark_content_complete("c").await, ErrorKind::NotFound) {
        Ok(error) => error,
        Err(problem) => return Err(problem.into()),
    };
    ensure!(
        error.message().contains("14 of 15 chunks are missing: 0, 2, 3, "),
        "it says: {error}"
    );
    ensure_eq!(error.context_value("missing"), Some("14"), "how many");
    ensure_eq!(
        store.content_metadata("c").await?,
        before,
        "the content after a refusal"
    );
    Ok(())
}

async fn size_and_hash_are_those_of_all_chunks(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "one", &["abcdef"]).await?;
    save_all(&store, "three", &["a", "bcde", "f"]).await?;
    save_all(&store, "other", &["a", "bcde", "g"]).await?;
    let read = |id: &'static str| {
        let store = store.clone();
        async move { Ok::<_, Failure>(store.content_metadata(id).await?.ok_or("it is there")?) }
    };
    let (one, three, other) = (read("one").await?, read("three").await?, read("other").await?);
    ensure_eq!((one.total_size, three.total_size), (6, 6), "the sizes");
    ensure!(
        one.content_hash.is_some() && one.content_hash == three.content_hash,
        "equal bytes have unequal hashes"
    );
    ensure!(
        one.content_hash != other.content_hash,
        "unequal bytes have equal hashes"
    );
    Ok(())
}

async fn an_announced_size_is_checked(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("abc", info("c", 0, 2).content_size(7)).await?;
    store.save_chunk("def", info("c", 1, 2)).await?;
    let completed = store.mark_content_complete("c").await;
    let error = match crate::case::check_kind(completed, ErrorKind::InvalidArgument) {
        Ok(error) => error,
        Err(problem) => return Err(problem.into()),
    };
    ensure!(
        error.message().contains('6') && error.message().contains('7'),
        "it names not both sizes: {error}"
    );
    store.save_chunk("defg", info("c", 1, 2)).await?;
    ensure_eq!(
        store.mark_content_complete("c").await?.total_size,
        7,
        "the size that was announced"
    );
    Ok(())
}

async fn an_incomplete_content_is_not_read_whole(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    store.save_chunk("b", info("c", 1, 2)).await?;
    let read = store.read_content("c").await.map(|_| ());
    ensure_kind!(read, ErrorKind::NotFound, "reading it whole");
    let range = store.read_range("c", ByteRange::From(0)).await.map(|_| ());
    ensure_kind!(range, ErrorKind::NotFound, "reading a range");
    ensure_eq!(
        store.get_chunk("c", 1).await?.as_deref(),
        Some(&b"b"[..]),
        "its chunk"
    );
    store.save_chunk("a", info("c", 0, 2)).await?;
    let Err(error) = store.read_content("c").await.map(|_| ()) else {
        return Err("it was never completed".into());
    };
    ensure!(
        error.message().contains("not marked complete"),
        "it says: {error}"
    );
    Ok(())
}

async fn range(store: &ChunkStore, range: ByteRange) -> Result<Vec<u8>, Failure> {
    let parts: Vec<Bytes> = store.read_range("c", range).await?.try_collect().await?;
    ensure_eq!(
        parts.iter().filter(|part| part.is_empty()).count(),
        0,
        "empty parts"
    );
    Ok(parts.concat())
}

async fn ranges_are_exact(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let chunks = ["ab", "", "c", "defg", ""];
    save_all(&store, "c", &chunks).await?;
    let whole = chunks.concat().into_bytes();
    for start in 0..=9 {
        for end in start..=9 {
            let expected = &whole[start.min(7)..end.min(7)];
            let got = range(&store, ByteRange::Bounded(start as u64, end as u64)).await?;
            ensure_eq!(got, expected, "bytes {start}..{end}");
        }
    }
    ensure_eq!(
        range(&store, ByteRange::From(5)).await?,
        b"fg",
        "from the sixth on"
    );
    ensure_eq!(
        range(&store, ByteRange::Suffix(3)).await?,
        b"efg",
        "the last three"
    );
    let backwards = store.read_range("c", ByteRange::Bounded(3, 2)).await.map(|_| ());
    ensure_kind!(
        backwards,
        ErrorKind::InvalidArgument,
        "a range that ends before it begins"
    );
    Ok(())
}

async fn damage_stops_a_reader(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["abc", "def", "ghi"]).await?;
    for index in 0..2 {
        store.save_chunk("abc", info("half", index, 2)).await?;
    }
    for content in ["c", "half"] {
        let key = object(ctx.storage(), content, 1).await?;
        ctx.storage().objects().write(key, "d!f").await?;
    }
    let corrupt = ErrorKind::Corrupt;
    ensure_kind!(store.get_chunk("c", 1).await, corrupt, "the chunk");
    ensure_eq!(
        store.get_chunk("c", 0).await?.as_deref(),
        Some(&b"abc"[..]),
        "its neighbour"
    );
    let whole: Result<Vec<_>, _> = store.read_content("c").await?.try_collect().await;
    let error = match crate::case::check_kind(whole, corrupt) {
        Ok(error) => error,
        Err(problem) => return Err(problem.into()),
    };
    ensure_eq!(error.context_value("chunk"), Some("1"), "the chunk it names");
    let mut chunks = store.read_content("c").await?;
    ensure!(
        matches!(chunks.try_next().await, Ok(Some(_))),
        "the chunk before it"
    );
    ensure!(chunks.try_next().await.is_err(), "the chunk itself");
    ensure!(
        matches!(chunks.try_next().await, Ok(None)),
        "the stream goes on after an error"
    );
    let part: Result<Vec<_>, _> = store
        .read_range("c", ByteRange::Bounded(4, 5))
        .await?
        .try_collect()
        .await;
    ensure_kind!(part, corrupt, "a range within it");
    let beside: Vec<Bytes> = store
        .read_range("c", ByteRange::Bounded(0, 3))
        .await?
        .try_collect()
        .await?;
    ensure_eq!(beside.concat(), b"abc", "a range beside it");
    ensure_kind!(
        store.mark_content_complete("half").await,
        corrupt,
        "completing over it"
    );
    Ok(())
}

async fn a_chunk_of_the_right_hash_in_the_wrong_content_stops_a_reader(ctx: &Ctx) -> Verdict {
    use storage_core::bson::{Document, RawDocumentBuf};
    let store = open(ctx.storage()).await?;
    save_all(&store, "c", &["abc", "def"]).await?;
    store.save_chunk("xyz", info("d", 0, 1)).await?;
    let records = ctx.storage().collection::<RawDocumentBuf>("chunk_metadata");
    let read = |id: &'static str| {
        let records = records.clone();
        async move {
            let found = records.get(id).await?.ok_or("it is there")?;
            Document::try_from(&found.value).map_err(|error| Failure::new(error.to_string()))
        }
    };
    let (mut one, other) = (read("c/00000001").await?, read("d/00000000").await?);
    one.insert("hash", other.get("hash").cloned().ok_or("it has a hash")?);
    let one = RawDocumentBuf::try_from(&one).map_err(|error| error.to_string())?;
    records.put("c/00000001", &one).await?;
    let key = object(ctx.storage(), "c", 1).await?;
    ctx.storage().objects().write(key, "xyz").await?;
    let whole: Result<Vec<_>, _> = store.read_content("c").await?.try_collect().await;
    ensure_kind!(whole, ErrorKind::Corrupt, "reading it whole");
    Ok(())
}

async fn deleting_while_it_is_read_is_told(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let chunks: Vec<String> = (0..20).map(|index| format!("<{index}>")).collect();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    save_all(&store, "c", &chunks).await?;
    let mut reading = store.read_content("c").await?;
    ensure!(reading.try_next().await?.is_some(), "the first chunk");
    store.delete_content("c").await?;
    save_all(&store, "c", &["other"]).await?;
    let rest: Result<Vec<_>, _> = reading.try_collect().await;
    ensure_kind!(rest, ErrorKind::NotFound, "the rest");
    ensure_eq!(read_all(&store, "c").await?, "other", "the new content");
    Ok(())
}
