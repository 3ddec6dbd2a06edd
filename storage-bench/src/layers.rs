//! Layers on bytes: every codec and cipher beside its own library with the same settings, on 64 KiB.

use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use storage_core::Bytes;
use storage_layers::compression::{Codec, Compression, FRAME_OVERHEAD, Limits, decompress};
use storage_layers::encryption::{Context, Key, Keyring, Kind, Suite};

use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const LENGTH: usize = 64 * 1024;

/// JSON as applications keep it: records alike in shape, unlike in numbers.
fn json() -> Bytes {
    let mut text = String::new();
    let mut random = 7_u64;
    while text.len() < LENGTH {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text += &format!(
            "{{\"id\":{},\"name\":\"user-{}\",\"email\":\"user{}@example.org\",\"active\":{},\"score\":{}}}\n",
            random >> 40,
            random % 9973,
            random % 9973,
            random.is_multiple_of(3),
            (random >> 20) % 100_000
        );
    }
    text.truncate(LENGTH);
    text.into()
}

pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## Compression and encryption");
    for codec in [Codec::Gzip, Codec::Deflate, Codec::Lz4, Codec::Zstd] {
        compress(run, codec).await?;
        expand(run, codec).await?;
    }
    for suite in Suite::ALL {
        seal(run, *suite).await?;
        open(run, *suite).await?;
    }
    Ok(())
}

/// How many operations make a short round.
const fn per_round(codec: Codec) -> u64 {
    match codec {
        Codec::Gzip | Codec::Deflate => 1,
        _ => 8,
    }
}

async fn compress(run: &mut Run, codec: Codec) -> Outcome {
    let (plain, how) = (json(), Compression::new(codec));
    let ours = {
        let plain = plain.clone();
        move |_| {
            let plain = plain.clone();
            async move {
                black_box(how.compress(&plain)?);
                Ok(())
            }
        }
    };
    let library = Arc::new(Mutex::new(Library::new(codec)?));
    let title = format!(
        "{codec}: compress 64 KiB of JSON to {} bytes",
        how.compress(&plain)?.len()
    );
    Table::new(format!("compress-{codec}"), title)
        .per_round(per_round(codec))
        .contender("ours", ours)
        .contender("the library, one context", move |_| {
            let (plain, library) = (plain.clone(), Arc::clone(&library));
            async move {
                let mut library = library.lock().unwrap_or_else(PoisonError::into_inner);
                black_box(library.compress(&plain)?);
                Ok(())
            }
        })
        .goal(Goal::within("the library, one context", 1.1))
        .run(run)
        .await
}

async fn expand(run: &mut Run, codec: Codec) -> Outcome {
    let frame = Compression::new(codec).compress(&json())?;
    let stored = frame.slice(FRAME_OVERHEAD..);
    let ours = {
        let frame = frame.clone();
        move |_| {
            let frame = frame.clone();
            async move {
                black_box(decompress(&frame, Limits::new())?);
                Ok(())
            }
        }
    };
    let library = Arc::new(Mutex::new(Library::new(codec)?));
    Table::new(
        format!("decompress-{codec}"),
        format!("{codec}: decompress 64 KiB of JSON"),
    )
    .per_round(8)
    .contender("ours", ours)
    .contender("the library, one context", move |_| {
        let (stored, library) = (stored.clone(), Arc::clone(&library));
        async move {
            let mut library = library.lock().unwrap_or_else(PoisonError::into_inner);
            black_box(library.expand(&stored)?);
            Ok(())
        }
    })
    .goal(Goal::within("the library, one context", 1.1))
    .run(run)
    .await
}

/// A codec's library as one would use it by hand: contexts kept, the output in a vector of its own.
enum Library {
    Flate(Box<flate2::Compress>, Box<flate2::Decompress>),
    Lz4,
    Zstd(
        Box<zstd::bulk::Compressor<'static>>,
        Box<zstd::bulk::Decompressor<'static>>,
    ),
}

impl Library {
    fn new(codec: Codec) -> std::io::Result<Self> {
        let level = flate2::Compression::new(6);
        Ok(match codec {
            Codec::Gzip => Self::Flate(
                Box::new(flate2::Compress::new_gzip(level, 15)),
                Box::new(flate2::Decompress::new_gzip(15)),
            ),
            Codec::Deflate => Self::Flate(
                Box::new(flate2::Compress::new(level, true)),
                Box::new(flate2::Decompress::new(true)),
            ),
            Codec::Lz4 => Self::Lz4,
            _ => {
                let mut compressor = zstd::bulk::Compressor::new(3)?;
                compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
                Self::Zstd(Box::new(compressor), Box::new(zstd::bulk::Decompressor::new()?))
            }
        })
    }

    fn compress(&mut self, plain: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Flate(context, _) => {
                context.reset();
                let mut out = Vec::with_capacity(plain.len());
                context.compress_vec(plain, &mut out, flate2::FlushCompress::Finish)?;
                Ok(out)
            }
            Self::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new()
                    .block_size(lz4_flex::frame::BlockSize::Max64KB)
                    .content_checksum(true);
                let out = Vec::with_capacity(plain.len());
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, out);
                encoder.write_all(plain)?;
                Ok(encoder.finish()?)
            }
            Self::Zstd(context, _) => context.compress(plain),
        }
    }

    fn expand(&mut self, stored: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Flate(_, context) => {
                context.reset(true);
                let mut out = Vec::with_capacity(LENGTH + 1);
                context.decompress_vec(stored, &mut out, flate2::FlushDecompress::Finish)?;
                Ok(out)
            }
            Self::Lz4 => {
                let mut out = Vec::with_capacity(LENGTH);
                lz4_flex::frame::FrameDecoder::new(stored).read_to_end(&mut out)?;
                Ok(out)
            }
            Self::Zstd(_, context) => context.decompress(stored, LENGTH),
        }
    }
}

fn keys(suite: Suite) -> Keyring {
    Keyring::new(Key::from_bytes(&mut [7; 32])).suite(suite)
}

fn place() -> Context<'static> {
    Context::new(Kind::Object, "notes/a.txt").store(b"0123456789abcdef")
}

const fn algorithm(suite: Suite) -> &'static Algorithm {
    match suite {
        Suite::Aes256Gcm => &AES_256_GCM,
        _ => &CHACHA20_POLY1305,
    }
}

fn failed<E>(_: E) -> std::io::Error {
    std::io::Error::other("the cipher failed")
}

async fn seal(run: &mut Run, suite: Suite) -> Outcome {
    let (plain, keys) = (json(), keys(suite));
    let ours = {
        let plain = plain.clone();
        move |_| {
            let (plain, keys) = (plain.clone(), keys.clone());
            async move {
                black_box(keys.seal(&place(), &plain)?);
                Ok(())
            }
        }
    };
    let key = Arc::new(LessSafeKey::new(
        UnboundKey::new(algorithm(suite), &[7; 32]).map_err(failed)?,
    ));
    let number = Arc::new(AtomicU64::new(0));
    Table::new(format!("seal-{suite}"), format!("{suite}: seal 64 KiB"))
        .per_round(20)
        .contender("ours: a key of its own for each value", ours)
        .contender("the library, one key, a counted nonce", move |_| {
            let (plain, key, number) = (plain.clone(), Arc::clone(&key), Arc::clone(&number));
            async move {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&number.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                let mut out = vec![0; plain.len() + 16];
                let (sealed, tag) = out.split_at_mut(plain.len());
                let nonce = Nonce::assume_unique_for_key(nonce);
                key.seal_out_of_place_scatter(nonce, Aad::empty(), &plain, sealed, &[], tag)
                    .map_err(failed)?;
                black_box(out);
                Ok(())
            }
        })
        .goal(Goal::within("the library, one key, a counted nonce", 1.2))
        .run(run)
        .await
}

async fn open(run: &mut Run, suite: Suite) -> Outcome {
    let keys = keys(suite);
    let sealed = keys.seal(&place(), &json())?;
    let ours = move |_| {
        let (sealed, keys) = (sealed.clone(), keys.clone());
        async move {
            black_box(keys.open(&place(), &sealed)?);
            Ok(())
        }
    };
    let key = Arc::new(LessSafeKey::new(
        UnboundKey::new(algorithm(suite), &[7; 32]).map_err(failed)?,
    ));
    let mut stored = json().to_vec();
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut stored)
        .map_err(failed)?;
    let stored = Bytes::from(stored);
    Table::new(format!("open-{suite}"), format!("{suite}: open 64 KiB"))
        .per_round(20)
        .contender("ours: finds the key, checks the commitment", ours)
        .contender("the library, one key", move |_| {
            let (stored, key) = (stored.clone(), Arc::clone(&key));
            async move {
                let (sealed, tag) = stored.split_at(LENGTH);
                let mut out = vec![0; LENGTH];
                key.open_separate_gather(nonce(), Aad::empty(), sealed, tag, &mut out)
                    .map_err(failed)?;
                black_box(out);
                Ok(())
            }
        })
        .goal(Goal::within("the library, one key", 1.2))
        .run(run)
        .await
}
