//! Large objects as streams.

use std::io::{Read, Write};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, WriteMultipart};
use storage_core::{Bytes, WriteOptions};
use tokio::io::AsyncReadExt;

use super::{OBJECT_STORE, OPENDAL, OURS, Peers, STD, TOKIO};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const NAME: &str = "large.bin";
const MEBIBYTE: usize = 1 << 20;
/// As ours does.
const GIVEN: &str = "std::fs, each piece given away";

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    let pieces = run.amount(64, 2);
    write(run, peers, pieces).await?;
    read(run, peers, pieces).await
}

async fn write(run: &mut Run, peers: &Peers, pieces: u64) -> Outcome {
    let piece = Bytes::from(vec![7; MEBIBYTE]);
    let objects = peers.ours.objects();
    let store = Arc::clone(&peers.object_store);
    let operator = peers.opendal.clone();
    let path = peers.plain.join(NAME);
    let (ours, theirs, others) = (piece.clone(), piece.clone(), piece.clone());
    Table::new(
        "fs-stream-write",
        format!("Files: streamed durable write of {pieces} MiB"),
    )
    .contender(OURS, move |_| {
        let (objects, piece) = (objects.clone(), ours.clone());
        async move {
            let mut upload = objects.upload(NAME, WriteOptions::new()).await?;
            for _ in 0..pieces {
                upload.write(piece.clone()).await?;
            }
            upload.finish().await?;
            Ok(())
        }
    })
    .contender(OBJECT_STORE, move |_| {
        let (store, piece) = (Arc::clone(&store), theirs.clone());
        async move {
            let upload = store.put_multipart(&NAME.into()).await?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, MEBIBYTE);
            for _ in 0..pieces {
                upload.wait_for_capacity(1).await?;
                upload.put(piece.clone());
            }
            upload.finish().await?;
            Ok(())
        }
    })
    .contender(OPENDAL, move |_| {
        let (operator, piece) = (operator.clone(), others.clone());
        async move {
            let mut writer = operator.writer(NAME).await?;
            for _ in 0..pieces {
                writer.write(piece.clone()).await?;
            }
            writer.close().await?;
            Ok(())
        }
    })
    .contender(STD, move |_| {
        let (path, piece) = (path.clone(), piece.clone());
        async move {
            tokio::task::spawn_blocking(move || {
                let staged = path.with_extension("staged");
                let mut file = std::fs::File::create(&staged)?;
                for _ in 0..pieces {
                    file.write_all(&piece)?;
                }
                file.sync_data()?;
                std::fs::rename(&staged, &path)?;
                std::fs::File::open(path.parent().unwrap_or(&path))?.sync_all()
            })
            .await??;
            Ok(())
        }
    })
    .goal(Goal::within(STD, 1.3))
    .run(run)
    .await
}

async fn read(run: &mut Run, peers: &Peers, pieces: u64) -> Outcome {
    let objects = peers.ours.objects();
    let store = Arc::clone(&peers.object_store);
    let operator = peers.opendal.clone();
    let path = peers.plain.join(NAME);
    let (blocking, giving) = (path.clone(), path.clone());
    let expected = pieces * (1 << 20);
    Table::new(
        "fs-stream-read",
        format!("Files: streamed read of {pieces} MiB in the page cache"),
    )
    .contender(OURS, move |_| {
        let objects = objects.clone();
        async move {
            let mut reader = objects.reader(NAME).await?.ok_or("nothing there")?;
            let mut length = 0;
            while let Some(bytes) = reader.try_next().await? {
                length += bytes.len() as u64;
            }
            assert_eq!(length, expected);
            Ok(())
        }
    })
    .contender(OBJECT_STORE, move |_| {
        let store = Arc::clone(&store);
        async move {
            let mut stream = store.get(&NAME.into()).await?.into_stream();
            let mut length = 0;
            while let Some(bytes) = stream.next().await {
                length += bytes?.len() as u64;
            }
            assert_eq!(length, expected);
            Ok(())
        }
    })
    .contender(OPENDAL, move |_| {
        let operator = operator.clone();
        async move {
            let reader = operator.reader_with(NAME).chunk(MEBIBYTE).await?;
            let mut stream = reader.into_bytes_stream(0..expected).await?;
            let mut length = 0;
            while let Some(bytes) = stream.try_next().await? {
                length += bytes.len() as u64;
            }
            assert_eq!(length, expected);
            Ok(())
        }
    })
    .contender(TOKIO, move |_| {
        let path = path.clone();
        async move {
            let mut file = tokio::fs::File::open(path).await?;
            file.set_max_buf_size(MEBIBYTE);
            let mut piece = vec![0; MEBIBYTE];
            let mut length = 0;
            loop {
                match file.read(&mut piece).await? {
                    0 => break,
                    some => length += some as u64,
                }
            }
            assert_eq!(length, expected);
            Ok(())
        }
    })
    .contender(GIVEN, move |_| {
            let path = giving.clone();
            async move {
                let length = tokio::task::spawn_blocking(move || {
                    let mut file = std::fs::File::open(path)?;
                    let mut length = 0;
                    loop {
                        let mut piece = Vec::with_capacity(MEBIBYTE);
                        match Read::by_ref(&mut file).take(1 << 20).read_to_end(&mut piece)? {
                            0 => return std::io::Result::Ok(length),
                            some => length += some as u64,
                        }
                        std::hint::black_box(piece);
                    }
                })
                .await??;
                assert_eq!(length, expected);
                Ok(())
            }
        })
        .contender(STD, move |_| {
        let path = blocking.clone();
        async move {
            let length = tokio::task::spawn_blocking(move || {
                let mut file = std::fs::File::open(path)?;
                let mut piece = vec![0; MEBIBYTE];
                let mut length = 0;
                loop {
                    match file.read(&mut piece)? {
                        0 => return std::io::Result::Ok(length),
                        some => length += some as u64,
                    }
                }
            })
            .await??;
            assert_eq!(length, expected);
            Ok(())
        }
    })
    .goal(Goal::within(GIVEN, 1.3))
    .note("std::fs, by hand, and tokio::fs fill one buffer again and again, which costs no memory that is new to the processor; the others give each piece away.")
    .run(run)
    .await
}
