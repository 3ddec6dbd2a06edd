//! The primitives give what their standards say: AES-256-GCM, ChaCha20-Poly1305, HMAC-SHA-512, HKDF, BLAKE3. That the layer puts them together
//! as its format says is checked in `interoperability`, and here on the golden files.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use sha2::Sha256;
use storage_layers::encryption::{Context, HEADER_BYTES, Header, Key, Keyring, Kind};

use super::interoperability::{associated_of, crypt, derive_from, nonce};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// One vector: seals to these bytes, opens again, and does not open with any bit of the tag, the text or the associated data flipped.
fn holds(algorithm: &'static Algorithm, [key, nonce, associated, plain, sealed]: [&str; 5]) {
    let [key, nonce, associated, plain, sealed] = [key, nonce, associated, plain, sealed].map(hex);
    let cipher = LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap());
    let nonce = || Nonce::try_assume_unique_for_key(&nonce).unwrap();
    let mut bytes = plain.clone();
    cipher
        .seal_in_place_append_tag(nonce(), Aad::from(&associated), &mut bytes)
        .unwrap();
    assert_eq!(bytes, sealed);
    let open = |associated: &[u8], mut bytes: Vec<u8>| {
        let opened = cipher.open_in_place(nonce(), Aad::from(associated), &mut bytes);
        opened.map(|plain| plain.to_vec()).ok()
    };
    assert_eq!(open(&associated, sealed.clone()), Some(plain));
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&associated, flipped), None, "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert_eq!(
            open(&associated, sealed[..length].to_vec()),
            None,
            "cut to {length}"
        );
    }
    let other = [&associated[..], b"x"].concat();
    assert_eq!(open(&other, sealed), None, "other associated data");
}

/// Test cases 13 to 16 of "The Galois/Counter Mode of Operation", which NIST SP 800-38D rests on.
#[test]
fn aes_256_gcm_as_nist_has_it() {
    let zero = "00".repeat(32);
    let (none, nonce) = ("", "00".repeat(12));
    holds(
        &AES_256_GCM,
        [&zero, &nonce, none, none, "530f8afbc74536b9a963b4f1c4cb738b"],
    );
    holds(
        &AES_256_GCM,
        [
            &zero,
            &nonce,
            none,
            &"00".repeat(16),
            "cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919",
        ],
    );
    let key = "feffe9928665731c6d6a8f9467308308 feffe9928665731c6d6a8f9467308308";
    let nonce = "cafebabefacedbaddecaf888";
    let plain = "d9313225f88406e5a55909c5aff5269a 86a7a9531534f7da2e4c303d8a318a72
                 1c3c0c95956809532fcf0e2449a6b525 b16aedf5aa0de657ba637b39";
    let sealed = "522dc1f099567d07f47f37a32a84427d 643a8cdcbfe5c0c97598a2bd2555d1aa
                  8cb08e48590dbb3da7b08b1056828838 c5f61e6393ba7a0abcc9f662";
    let whole = format!("{plain} 1aafd255");
    let tagged = format!("{sealed} 898015ad b094dac5d93471bdec1a502270e3cc6c");
    holds(&AES_256_GCM, [key, nonce, none, &whole, &tagged]);
    let associated = "feedfacedeadbeeffeedfacedeadbeef abaddad2";
    let tagged = format!("{sealed} 76fc6ece0f4e1768cddf8853bb2d551b");
    holds(&AES_256_GCM, [key, nonce, associated, plain, &tagged]);
}

/// Section 2.8.2 of RFC 8439.
#[test]
fn chacha20_poly1305_as_rfc_8439_has_it() {
    let plain: String = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let sealed = "d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6
                  3dbea45e8ca9671282fafb69da92728b 1a71de0a9e060b2905d6a5b67ecd3b36
                  92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc
                  3ff4def08e4b7a9de576d26586cec64b 6116
                  1ae10b594f09e26a7e902ecbd0600691";
    let key = "808182838485868788898a8b8c8d8e8f 909192939495969798999a9b9c9d9e9f";
    holds(
        &CHACHA20_POLY1305,
        [
            key,
            "070000004041424344454647",
            "50515253c0c1c2c3c4c5c6c7",
            &plain,
            sealed,
        ],
    );
}

/// Test cases 1 and 2 of RFC 4231: what keys are derived with.
#[test]
fn hmac_sha_512_as_rfc_4231_has_it() {
    for (key, message, tag) in [
        (
            vec![0x0b; 20],
            &b"Hi There"[..],
            "87aa7cdea5ef619d4ff0b4241a1d6cb0 2379f4e2ce4ec2787ad0b30545e17cde
             daa833b7d6b8a702038b274eaea3f4e4 be9d914eeb61f1702e696c203a126854",
        ),
        (
            b"Jefe".to_vec(),
            &b"what do ya want for nothing?"[..],
            "164b7a7bfcf819e2e395fbe73b56e0a3 87bd64222e831fd610270cd7ea250554
             9758bf75c05a994a6d034f65f8f0e6fd caeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        let key = hmac::Key::new(hmac::HMAC_SHA512, &key);
        assert_eq!(hmac::sign(&key, message).as_ref(), hex(tag));
    }
}

/// Test case 1 of RFC 5869. It has none for SHA-512; the construction is the same, and `interoperability` compares ours with it.
#[test]
fn hkdf_as_rfc_5869_has_it() {
    let (salt, info) = (hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"));
    let (extracted, hkdf) = Hkdf::<Sha256>::extract(Some(&salt), &[0x0b; 22]);
    assert_eq!(
        extracted[..],
        hex("077709362c2e32df0ddc3f0dc47bba63 90b6c73bb50f9c3122ec844ad7c2b3e5")
    );
    let mut out = [0; 42];
    hkdf.expand(&info, &mut out).unwrap();
    assert_eq!(
        out[..],
        hex("3cb25f25faacd57a90434f64d0362f2a 2d2d0a90cf1a5a4c5db02d56ecc4c5bf 34007208d5b887185865")
    );
}

/// Lengths around a chunk, of the file of vectors BLAKE3 comes with: bytes that count up to 250 and begin anew.
#[test]
fn blake3_as_its_authors_have_it() {
    #[allow(clippy::cast_possible_truncation, reason = "a remainder of 251")]
    let input: Vec<u8> = (0..1025).map(|at: usize| (at % 251) as u8).collect();
    for (length, hash) in [
        (
            0,
            "af1349b9f5f9a1a6a0404dea36dcc949 9bcb25c9adc112b7cc9a93cae41f3262",
        ),
        (
            1,
            "2d3adedff11b61f14c886e35afa03673 6dcd87a74d27b5c1510225d0f592e213",
        ),
        (
            1024,
            "42214739f095a406f3fc83deb889744a c00df831c10daa55189b5d121c855af7",
        ),
        (
            1025,
            "d00278ae47eb27b34faecf67b4fe263f 82d5412916c1ffd97c8cb7fb814b8444",
        ),
    ] {
        assert_eq!(
            blake3::hash(&input[..length]).as_bytes()[..],
            hex(hash),
            "{length} bytes"
        );
    }
    let keyed = blake3::keyed_hash(b"whats the Elvish word for friend", b"");
    assert_eq!(
        keyed.as_bytes()[..],
        hex("92b2b75604ed3c761f9d6f62392c8a92 27ad0ea3f09573e783f1498a4ed60d26")
    );
}

/// What the first version wrote, taken apart with other libraries: chunk by chunk, with the nonces of STREAM.
#[test]
fn the_golden_streams_are_streams() {
    let secret = [0x42; 32];
    let text: String = (0..200)
        .map(|n| format!("{{\"n\":{n},\"name\":\"ada\"}}\n"))
        .collect();
    for (name, number) in [("aes-256-gcm", 1), ("chacha20-poly1305", 2)] {
        let path = format!("{}/tests/golden/value.{name}", env!("CARGO_MANIFEST_DIR"));
        let sealed = std::fs::read(path).unwrap();
        let header = Header::read(&sealed).unwrap();
        let (key, commitment) = derive_from(&secret, number, &header.salt);
        assert_eq!(commitment, header.commitment, "{name}");
        let place = [&b"golden"[..], b"profiles", b"entry", b"", b"user:7", b""];
        let aad = associated_of(place, &sealed[..HEADER_BYTES]);
        let full = (1 << header.chunk_log2) + 16;
        let chunks: Vec<&[u8]> = sealed[HEADER_BYTES..].chunks(full).collect();
        let mut opened = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            let nonce = nonce(u32::try_from(at).unwrap(), at + 1 == chunks.len());
            opened.extend(match number {
                1 => crypt::<Aes256Gcm>(&key, nonce, chunk, &aad, false),
                _ => crypt::<ChaCha20Poly1305>(&key, nonce, chunk, &aad, false),
            });
        }
        assert!(opened == text.as_bytes(), "{name}");
    }
}

/// A known answer of the whole construction: key, header and place are given, so every byte is.
#[test]
fn a_stream_of_three_chunks_has_known_bytes() {
    let secret = [0x42; 32];
    let salt = [0x17; 32];
    let ring = Keyring::new(Key::from_bytes(&mut secret.clone()))
        .chunk_log2(12)
        .unwrap();
    let place = Context::new(Kind::Object, "a").store(b"known");
    let header = Header::read(&ring.seal(&place, b"").unwrap()).unwrap();
    let (key, commitment) = derive_from(&secret, 1, &salt);
    let mut header = header;
    (header.salt, header.commitment) = (salt, commitment);
    let mut sealed = header.to_bytes().to_vec();
    let aad = associated_of([&b"known"[..], b"", b"object", b"", b"a", b""], &sealed);
    let plain = [[1; 4096].as_slice(), &[2; 4096], &[3; 100]];
    for (at, chunk) in plain.iter().enumerate() {
        let cipher = Aes256Gcm::new_from_slice(&key).unwrap();
        let nonce = nonce(u32::try_from(at).unwrap(), at == 2);
        let nonce = aes_gcm::aead::Nonce::<Aes256Gcm>::try_from(&nonce[..]).unwrap();
        let payload = Payload {
            msg: chunk,
            aad: &aad,
        };
        sealed.extend(cipher.encrypt(&nonce, payload).unwrap());
    }
    assert_eq!(
        blake3::hash(&sealed).to_hex().as_str(),
        "aac9dfa1daf697c98e912ba070c4f52ffa1f651d217e6c85e7163298bcdb0928",
        "the bytes of the format have changed"
    );
    assert!(ring.open(&place, &sealed).unwrap() == plain.concat());
}
