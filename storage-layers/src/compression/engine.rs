//! The libraries behind the codecs. Each thread keeps its contexts: making one costs more than compressing a small value.

use std::cell::RefCell;
use std::io::{BufRead, Cursor, Write};

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use storage_core::{Error, ErrorKind, Result};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

use super::Codec;

/// Deflate's window of 32 KiB, as a power of two.
const WINDOW_BITS: u8 = 15;

/// What one thread keeps between calls.
#[derive(Default)]
struct Contexts {
    gzip: Option<(i32, Compress)>,
    zlib: Option<(i32, Compress)>,
    gunzip: Option<Decompress>,
    unzlib: Option<Decompress>,
    lz4: Option<FrameEncoder<Vec<u8>>>,
    zstd: Option<(i32, Compressor<'static>)>,
    unzstd: Option<Decompressor<'static>>,
}

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

/// Appends to `out` what the codec makes of `plain`.
pub(crate) fn encode(codec: Codec, level: Option<i32>, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let level = level.or(codec.default_level()).unwrap_or_default();
    CONTEXTS.with_borrow_mut(|contexts| match codec {
        Codec::None => {
            out.extend_from_slice(plain);
            Ok(())
        }
        Codec::Gzip => deflate(&mut contexts.gzip, level, plain, out, || {
            Compress::new_gzip(flate_level(level), WINDOW_BITS)
        }),
        Codec::Deflate => deflate(&mut contexts.zlib, level, plain, out, || {
            Compress::new(flate_level(level), true)
        }),
        Codec::Lz4 => lz4(&mut contexts.lz4, plain, out),
        Codec::Zstd => zstd(&mut contexts.zstd, level, plain, out),
    })
}

/// Appends to `out` the `plain` bytes that `stored` stands for: exactly so many, out of all of `stored`.
///
/// # Errors
/// `Corrupt`. `out` may then have more than before.
pub(crate) fn decode(codec: Codec, stored: &[u8], plain: usize, out: &mut Vec<u8>) -> Result<()> {
    let before = out.len();
    out.try_reserve_exact(plain).map_err(|error| {
        Error::new(
            ErrorKind::LimitExceeded,
            "there is no memory for what it decompresses to",
        )
        .with_source(error)
    })?;
    CONTEXTS.with_borrow_mut(|contexts| match codec {
        Codec::None => {
            out.extend_from_slice(stored);
            Ok(())
        }
        Codec::Gzip => inflate(&mut contexts.gunzip, stored, plain, out, || {
            Decompress::new_gzip(WINDOW_BITS)
        }),
        Codec::Deflate => inflate(&mut contexts.unzlib, stored, plain, out, || Decompress::new(true)),
        Codec::Lz4 => unlz4(stored, plain, out),
        Codec::Zstd => unzstd(&mut contexts.unzstd, stored, out),
    })?;
    if out.len() - before == plain {
        return Ok(());
    }
    Err(damaged(codec, "it gives fewer or more bytes than it says"))
}

fn flate_level(level: i32) -> flate2::Compression {
    flate2::Compression::new(level.unsigned_abs())
}

fn deflate(
    slot: &mut Option<(i32, Compress)>,
    level: i32,
    plain: &[u8],
    out: &mut Vec<u8>,
    make: impl FnOnce() -> Compress,
) -> Result<()> {
    let context = match slot {
        Some((of, context)) if *of == level => {
            context.reset();
            context
        }
        _ => &mut slot.insert((level, make())).1,
    };
    // The bound zlib gives for its default memory, with gzip's header of 18 bytes.
    out.reserve(plain.len() + plain.len() / 1000 + 64);
    loop {
        let done = usize::try_from(context.total_in()).unwrap_or(usize::MAX);
        let status = context
            .compress_vec(plain.get(done..).unwrap_or_default(), out, FlushCompress::Finish)
            .map_err(|error| internal(Codec::Deflate).with_source(error))?;
        match status {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError => out.reserve(plain.len() / 8 + 64),
        }
    }
}

fn inflate(
    slot: &mut Option<Decompress>,
    stored: &[u8],
    plain: usize,
    out: &mut Vec<u8>,
    make: impl FnOnce() -> Decompress,
) -> Result<()> {
    let codec = Codec::Deflate;
    // A context whose stream was damaged is not used again.
    let mut context = slot.take().unwrap_or_else(make);
    // One byte more, so that a stream that goes on shows.
    out.reserve(plain + 1);
    let status = context
        .decompress_vec(stored, out, FlushDecompress::Finish)
        .map_err(|error| damaged(codec, "it is no valid stream").with_source(error))?;
    if status != Status::StreamEnd {
        return Err(damaged(codec, "it is cut short, or goes on"));
    }
    if context.total_in() != stored.len() as u64 {
        return Err(damaged(codec, "something stands behind its end"));
    }
    context.reset(true);
    *slot = Some(context);
    Ok(())
}

fn lz4(slot: &mut Option<FrameEncoder<Vec<u8>>>, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
    // The encoder begins a second frame only once it has written bytes of a first, so one that met nothing is not kept.
    let mut encoder = slot.take().unwrap_or_else(|| {
        let info = FrameInfo::new()
            .block_size(BlockSize::Max64KB)
            .block_mode(BlockMode::Independent)
            .content_checksum(true);
        FrameEncoder::with_frame_info(info, Vec::new())
    });
    out.reserve(lz4_flex::block::get_maximum_output_size(plain.len()) + 32);
    std::mem::swap(encoder.get_mut(), out);
    let written = encoder
        .write_all(plain)
        .map_err(|error| internal(Codec::Lz4).with_source(error))
        .and_then(|()| {
            encoder
                .try_finish()
                .map_err(|error| internal(Codec::Lz4).with_source(error))
        });
    std::mem::swap(encoder.get_mut(), out);
    written?;
    if !plain.is_empty() {
        *slot = Some(encoder);
    }
    Ok(())
}

fn unlz4(stored: &[u8], plain: usize, out: &mut Vec<u8>) -> Result<()> {
    let mut decoder = FrameDecoder::new(stored);
    let mut left = plain;
    loop {
        let piece = decoder
            .fill_buf()
            .map_err(|error| damaged(Codec::Lz4, "it is no valid frame").with_source(error))?;
        if piece.is_empty() {
            break;
        }
        let length = piece.len();
        left = left
            .checked_sub(length)
            .ok_or_else(|| damaged(Codec::Lz4, "it gives more bytes than it says"))?;
        out.extend_from_slice(piece);
        decoder.consume(length);
    }
    // The library takes a frame that ends without its end mark for a whole one.
    let ended = stored.len() >= 8 && stored[stored.len() - 8..stored.len() - 4] == [0; 4];
    if !decoder.get_ref().is_empty() || !ended {
        return Err(damaged(Codec::Lz4, "it does not end where it must"));
    }
    Ok(())
}

fn zstd(
    slot: &mut Option<(i32, Compressor<'static>)>,
    level: i32,
    plain: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    let failed = |error: std::io::Error| internal(Codec::Zstd).with_source(error);
    let context = match slot {
        Some((of, context)) if *of == level => context,
        _ => {
            let mut context = Compressor::new(level).map_err(failed)?;
            context
                .set_parameter(zstd_safe::CParameter::ChecksumFlag(true))
                .map_err(failed)?;
            &mut slot.insert((level, context)).1
        }
    };
    let start = out.len();
    out.reserve(zstd_safe::compress_bound(plain.len()));
    let mut cursor = Cursor::new(std::mem::take(out));
    cursor.set_position(start as u64);
    let written = context.compress_to_buffer(plain, &mut cursor);
    *out = cursor.into_inner();
    written.map_err(failed)?;
    Ok(())
}

fn unzstd(slot: &mut Option<Decompressor<'static>>, stored: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let context = match slot {
        Some(context) => context,
        None => slot.insert(Decompressor::new().map_err(|error| internal(Codec::Zstd).with_source(error))?),
    };
    let start = out.len();
    let mut cursor = Cursor::new(std::mem::take(out));
    cursor.set_position(start as u64);
    let read = context.decompress_to_buffer(stored, &mut cursor);
    *out = cursor.into_inner();
    read.map_err(|error| {
        damaged(Codec::Zstd, "it is no valid frame of the size it says").with_source(error)
    })?;
    Ok(())
}

fn damaged(codec: Codec, problem: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("what is stored cannot be decompressed ({codec}): {problem}"),
    )
}

fn internal(codec: Codec) -> Error {
    Error::new(ErrorKind::Internal, format!("{codec} could not compress"))
}
