use proptest::prelude::*;
use storage_core::ErrorKind;

use super::*;

fn text() -> Vec<u8> {
    (0..400)
        .flat_map(|n| format!("{{\"n\":{n},\"name\":\"ada\"}}").into_bytes())
        .collect()
}

fn always(codec: Codec) -> Compression {
    Compression::new(codec).threshold(0)
}

#[test]
fn every_codec_gives_back_what_was_put_in_also_one_after_another_on_a_thread() {
    for _ in 0..2 {
        for codec in Codec::ALL {
            for plain in [Vec::new(), vec![7], text(), vec![0; 300_000], text().repeat(40)] {
                let frame = always(*codec).compress(&plain).unwrap();
                assert!(decompress(&frame, Limits::new()).unwrap() == plain, "{codec}");
                assert_eq!(inspect(&frame).unwrap().plain_bytes, plain.len() as u64);
            }
        }
    }
}

#[test]
fn every_level_a_codec_has_gives_back_what_was_put_in_and_no_other_is_taken() {
    for (codec, most) in [(Codec::Gzip, 9), (Codec::Deflate, 9), (Codec::Zstd, 22)] {
        for level in 1..=most {
            let frame = always(codec).level(level).unwrap().compress(&text()).unwrap();
            assert_eq!(inspect(&frame).unwrap().codec, codec);
            assert!(decompress(&frame, Limits::new()).unwrap() == text());
        }
        for level in [0, -1, most + 1] {
            assert_eq!(
                always(codec).level(level).unwrap_err().kind(),
                ErrorKind::InvalidArgument
            );
        }
    }
    assert_eq!(
        always(Codec::Lz4).level(1).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

#[test]
fn what_does_not_shrink_and_what_is_small_is_kept_without_a_copy() {
    let noise: Vec<u8> = (0..64)
        .flat_map(|_| storage_core::random_u128().to_le_bytes())
        .collect();
    for codec in Codec::ALL {
        let frame = always(*codec).compress(&noise).unwrap();
        assert_eq!(inspect(&frame).unwrap().codec, Codec::None);
        assert_eq!(frame.len(), noise.len() + FRAME_OVERHEAD);
        let plain = decompress(&frame, Limits::new()).unwrap();
        assert_eq!(plain.as_ptr(), frame[FRAME_OVERHEAD..].as_ptr());
        let small = Compression::new(*codec).compress(&[b'a'; 255]).unwrap();
        assert_eq!(inspect(&small).unwrap().codec, Codec::None);
    }
}

#[test]
fn a_frame_cut_anywhere_or_longer_is_refused() {
    for codec in Codec::ALL {
        let frame = always(*codec).compress(&text()).unwrap();
        for length in 0..frame.len() {
            assert!(
                decompress(&frame.slice(..length), Limits::new()).is_err(),
                "{codec} {length}"
            );
            // The same with a header that agrees with the cut.
            if length >= FRAME_OVERHEAD && *codec != Codec::None {
                let mut cut = frame[..length].to_vec();
                let stored = (length - FRAME_OVERHEAD) as u64;
                cut[16..24].copy_from_slice(&stored.to_le_bytes());
                assert!(
                    decompress(&cut.into(), Limits::new()).is_err(),
                    "{codec} {length}"
                );
            }
        }
        let longer = [&frame[..], b"x"].concat();
        assert!(decompress(&longer.into(), Limits::new()).is_err());
    }
}

#[test]
fn a_flipped_bit_never_gives_other_bytes_where_the_codec_has_a_checksum() {
    let plain = &text()[..2000];
    for codec in [Codec::Gzip, Codec::Deflate, Codec::Lz4, Codec::Zstd] {
        let frame = always(codec).compress(plain).unwrap();
        for at in 0..frame.len() * 8 {
            let mut flipped = frame.to_vec();
            flipped[at / 8] ^= 1 << (at % 8);
            if let Ok(bytes) = decompress(&flipped.into(), Limits::new()) {
                assert!(bytes == plain, "{codec}: bit {at} gives other bytes");
            }
        }
    }
}

#[test]
fn bombs_are_refused_before_anything_is_allocated() {
    for codec in [Codec::Gzip, Codec::Deflate, Codec::Lz4, Codec::Zstd] {
        let frame = always(codec).compress(&vec![0; 1 << 22]).unwrap();
        let small = Limits::new().max_plain_bytes(1 << 20);
        assert_eq!(
            decompress(&frame, small).unwrap_err().kind(),
            ErrorKind::LimitExceeded
        );
        let strict = Limits::new().max_ratio(10);
        assert_eq!(
            decompress(&frame, strict).unwrap_err().kind(),
            ErrorKind::LimitExceeded
        );
        // A header that promises more than any codec can keep, whatever the limits.
        let mut lie = frame.to_vec();
        lie[8..16].copy_from_slice(&(1_u64 << 62).to_le_bytes());
        let unlimited = Limits::new().max_plain_bytes(u64::MAX);
        assert_eq!(
            decompress(&lie.into(), unlimited).unwrap_err().kind(),
            ErrorKind::LimitExceeded
        );
        // One that promises less than it gives.
        let mut lie = frame.to_vec();
        lie[8..16].copy_from_slice(&1000_u64.to_le_bytes());
        assert_eq!(
            decompress(&lie.into(), Limits::new()).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
}

#[test]
fn what_is_written_within_a_ratio_can_be_read_within_it() {
    let limits = Limits::new().max_ratio(100);
    for codec in Codec::ALL {
        let frame = always(*codec).limits(limits).compress(&vec![0; 1 << 20]).unwrap();
        assert_eq!(decompress(&frame, limits).unwrap().len(), 1 << 20);
    }
    let tight = Compression::new(Codec::Zstd).limits(Limits::new().max_plain_bytes(10));
    assert_eq!(
        tight.compress(&[0; 11]).unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );
}

#[test]
fn what_is_no_frame_or_a_newer_one_is_told_apart() {
    let frame = always(Codec::Zstd).compress(&text()).unwrap();
    let with = |at: usize, byte: u8| {
        let mut frame = frame.to_vec();
        frame[at] = byte;
        inspect(&frame).unwrap_err().kind()
    };
    assert_eq!(with(0, b'{'), ErrorKind::Corrupt);
    assert_eq!(with(4, 2), ErrorKind::FormatTooNew);
    assert_eq!(with(4, 0), ErrorKind::Corrupt);
    assert_eq!(with(5, 5), ErrorKind::Corrupt);
    assert_eq!(with(6, 1), ErrorKind::Corrupt);
    assert_eq!(with(7, 1), ErrorKind::Corrupt);
    assert!(is_compressed(&frame) && !is_compressed(b"{}"));
}

#[test]
fn names_of_codecs_round_trip() {
    for codec in Codec::ALL {
        assert_eq!(codec.to_string().parse::<Codec>().unwrap(), *codec);
    }
    assert!(
        "brotli"
            .parse::<Codec>()
            .unwrap_err()
            .to_string()
            .contains("zstd")
    );
}

proptest! {
    #[test]
    fn any_bytes_round_trip(plain in proptest::collection::vec(any::<u8>(), 0..5000), repeat in 1_usize..20, codec in 0_usize..5) {
        let plain = plain.repeat(repeat);
        let frame = always(Codec::ALL[codec]).compress(&plain).unwrap();
        prop_assert_eq!(decompress(&frame, Limits::new()).unwrap(), plain);
    }

    #[test]
    fn any_bytes_are_an_error_or_a_frame(bytes in proptest::collection::vec(any::<u8>(), 0..200), codec in 0_u8..6, plain in 0_u64..1000) {
        let _ = decompress(&bytes.clone().into(), Limits::new());
        let mut frame = vec![0; FRAME_OVERHEAD];
        frame[..4].copy_from_slice(&MAGIC);
        frame[4] = VERSION;
        frame[5] = codec;
        frame[8..16].copy_from_slice(&plain.to_le_bytes());
        frame[16..24].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        frame.extend_from_slice(&bytes);
        let _ = decompress(&frame.into(), Limits::new());
    }
}
