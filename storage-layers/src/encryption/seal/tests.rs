#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use proptest::prelude::*;

use super::*;
use crate::encryption::{Key, Kind, is_sealed};

fn place() -> Context<'static> {
    Context::new(Kind::Object, "a").store(b"store").namespace("ns")
}

fn ring() -> Keyring {
    Keyring::new(Key::from_bytes(&mut [7; 32]))
        .chunk_log2(12)
        .unwrap()
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn every_length_around_a_chunk_comes_back_in_either_suite() {
    for suite in Suite::ALL {
        let ring = ring().suite(*suite);
        for length in [0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 20_000] {
            let sealed = ring.seal(&place(), &content(length)).unwrap();
            assert_eq!(
                sealed.len() as u64,
                sealed_geometry(12).unwrap().stored(length as u64)
            );
            assert!(ring.open(&place(), &sealed).unwrap() == content(length));
            assert!(is_sealed(&sealed));
        }
    }
}

#[test]
fn every_flipped_bit_is_detected() {
    for length in [0, 1, 4097] {
        let sealed = ring().seal(&place(), &content(length)).unwrap();
        for at in 0..sealed.len() {
            let bits: &[u32] = if length > 1 {
                &[3]
            } else {
                &[0, 1, 2, 3, 4, 5, 6, 7]
            };
            for bit in bits {
                let mut flipped = sealed.to_vec();
                flipped[at] ^= 1 << bit;
                assert!(ring().open(&place(), &flipped).is_err(), "byte {at} bit {bit}");
            }
        }
    }
}

#[test]
fn every_truncation_and_extension_is_detected() {
    let sealed = ring().seal(&place(), &content(8200)).unwrap();
    for length in 0..sealed.len() {
        assert!(ring().open(&place(), &sealed[..length]).is_err(), "{length}");
    }
    for more in [&b"x"[..], &[0; 16], &sealed[HEADER_BYTES..]] {
        assert!(ring().open(&place(), &[&sealed[..], more].concat()).is_err());
    }
}

#[test]
fn chunks_cannot_change_places_or_values() {
    let ring = ring();
    let plain = content(4096 * 3);
    let (one, two) = (
        ring.seal(&place(), &plain).unwrap(),
        ring.seal(&place(), &plain).unwrap(),
    );
    assert_ne!(one, two, "two values of equal bytes are sealed alike");
    let chunk = |sealed: &[u8], number: usize| {
        let start = HEADER_BYTES + number * (4096 + TAG_BYTES);
        sealed[start..start + 4096 + TAG_BYTES].to_vec()
    };
    let swapped = [
        &one[..HEADER_BYTES],
        &chunk(&one, 1),
        &chunk(&one, 0),
        &chunk(&one, 2),
    ]
    .concat();
    let mixed = [
        &one[..HEADER_BYTES],
        &chunk(&two, 0),
        &chunk(&one, 1),
        &chunk(&one, 2),
    ]
    .concat();
    let repeated = [
        &one[..HEADER_BYTES],
        &chunk(&one, 0),
        &chunk(&one, 0),
        &chunk(&one, 2),
    ]
    .concat();
    for forged in [swapped, mixed, repeated] {
        assert_eq!(
            ring.open(&place(), &forged).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
}

#[test]
fn a_value_opens_in_its_own_place_only() {
    let sealed = ring().seal(&place(), b"x").unwrap();
    for other in [
        Context::new(Kind::Object, "b").store(b"store").namespace("ns"),
        Context::new(Kind::Overlay, "a").store(b"store").namespace("ns"),
        Context::new(Kind::Object, "a").store(b"other").namespace("ns"),
        Context::new(Kind::Object, "a").store(b"store").namespace("other"),
        place().collection("c"),
    ] {
        assert_eq!(
            ring().open(&other, &sealed).unwrap_err().kind(),
            ErrorKind::Corrupt,
            "{other:?}"
        );
    }
}

#[test]
fn no_key_a_wrong_key_and_no_seal_are_errors_of_their_own() {
    use crate::encryption::KeyState;
    let sealed = ring().seal(&place(), b"x").unwrap();
    let wrong = Keyring::new(Key::random());
    let kind = |ring: &Keyring, bytes: &[u8]| ring.open(&place(), bytes).unwrap_err().kind();
    assert_eq!(kind(&wrong, &sealed), ErrorKind::Unauthenticated);
    assert_eq!(kind(&ring(), b"plain"), ErrorKind::Corrupt);
    assert_eq!(kind(&ring(), b""), ErrorKind::Corrupt);
    let id = ring().active().id();
    for (state, expected) in [
        (KeyState::Disabled, ErrorKind::PermissionDenied),
        (KeyState::Destroyed, ErrorKind::NotFound),
    ] {
        let mut ring = Keyring::new(Key::random());
        ring.insert(id, state, None);
        assert_eq!(kind(&ring, &sealed), expected);
    }
    let rotated = Keyring::new(Key::random()).with_decrypt_only(Key::from_bytes(&mut [7; 32]));
    assert_eq!(rotated.open(&place(), &sealed).unwrap(), "x");
    // The id of a key that is there, over a value it did not seal.
    let mut forged = wrong.seal(&place(), b"x").unwrap().to_vec();
    forged[8..24].copy_from_slice(id.as_bytes());
    assert_eq!(kind(&ring(), &forged), ErrorKind::Corrupt);
}

#[test]
fn a_stream_is_sealed_as_the_whole_is() {
    let plain = content(10_000);
    let mut sealer = Sealer::begin(&ring(), &place()).unwrap();
    let mut sealed = sealer.header().to_vec();
    sealer.chunk(&plain[..4096], false, &mut sealed).unwrap();
    let short = sealer.chunk(&plain[..4095], false, &mut sealed).unwrap_err();
    assert_eq!(short.kind(), ErrorKind::InvalidArgument);
    sealer.chunk(&plain[4096..8192], false, &mut sealed).unwrap();
    sealer.chunk(&plain[8192..], true, &mut sealed).unwrap();
    assert!(
        sealer.chunk(b"", true, &mut sealed).is_err(),
        "something follows the last chunk"
    );
    assert!(ring().open(&place(), &sealed).unwrap() == plain);
}

#[test]
fn nothing_leaves_that_was_not_verified() {
    let mut sealed = ring().seal(&place(), &content(9000)).unwrap().to_vec();
    let at = sealed.len() - 1;
    sealed[at] ^= 1;
    let opener = Opener::begin(&ring(), &place(), Header::read(&sealed).unwrap()).unwrap();
    let mut out = Vec::new();
    assert!(
        opener
            .chunks(0..3, 9000, &sealed[HEADER_BYTES..], &mut out)
            .is_err()
    );
    assert!(
        out == content(8192),
        "what came before the damage is verified, what is damaged is not there"
    );
}

#[test]
fn the_last_number_a_chunk_can_have_is_the_last() {
    assert!(nonce(u64::from(u32::MAX), true).is_ok());
    assert_eq!(
        nonce(1 << 32, true).err().unwrap().kind(),
        ErrorKind::LimitExceeded
    );
}

#[test]
fn no_text_shows_a_key() {
    let ring = ring().with_decrypt_only(Key::from_bytes(&mut [0x5a; 32]));
    let sealer = Sealer::begin(&ring, &place()).unwrap();
    let text = format!("{ring:?} {sealer:?} {:?}", ring.active()).to_lowercase();
    assert!(
        !text.contains("0707")
            && !text.contains("5a5a")
            && !text.contains("7, 7")
            && !text.contains("90, 90")
    );
}

proptest! {
    #[test]
    fn any_range_of_chunks_opens_alone(length in 0_usize..30_000, start in 0_u64..30_000, wanted in 0_u64..30_000) {
        let (ring, plain) = (ring(), content(length));
        let sealed = ring.seal(&place(), &plain).unwrap();
        let opener = Opener::begin(&ring, &place(), Header::read(&sealed).unwrap()).unwrap();
        let total = opener.geometry().plain(sealed.len() as u64).unwrap();
        prop_assert_eq!(total, length as u64);
        let range = start.min(total)..(start + wanted).min(total);
        let chunks = opener.geometry().chunks_of(&range, total);
        let stored = opener.geometry().stored_range(&chunks, total);
        let mut out = Vec::new();
        if !chunks.is_empty() {
            opener.chunks(chunks.clone(), total, &sealed[stored.start as usize..stored.end as usize], &mut out).unwrap();
        }
        let first = chunks.start * 4096;
        if !range.is_empty() {
            prop_assert_eq!(&out[(range.start - first) as usize..(range.end - first) as usize], &plain[range.start as usize..range.end as usize]);
        }
    }

    #[test]
    fn any_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(ring().open(&place(), &bytes).is_err());
        let mut framed = ring().seal(&place(), b"").unwrap()[..HEADER_BYTES].to_vec();
        framed.extend_from_slice(&bytes);
        prop_assert!(ring().open(&place(), &framed).is_err());
    }
}
