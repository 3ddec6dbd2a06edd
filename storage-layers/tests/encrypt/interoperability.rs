//! The format, written down once more with other libraries: what one seals the other opens.

#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::ChaCha20Poly1305;
use hkdf::Hkdf;
use sha2::Sha512;
use storage_layers::encryption::{Context, HEADER_BYTES, Header, Key, Keyring, Kind, Suite};

const SECRET: [u8; 32] = [9; 32];
const CHUNK: usize = 4096;

fn ring(suite: Suite) -> Keyring {
    Keyring::new(Key::from_bytes(&mut SECRET.clone()))
        .suite(suite)
        .chunk_log2(12)
        .unwrap()
}

fn place() -> Context<'static> {
    Context::new(Kind::Object, "a").store(b"store").namespace("ns")
}

/// HKDF of RFC 5869 with SHA-512: extracted under a fixed salt, expanded with cipher and salt of the value.
fn derive(number: u8, salt: &[u8; 32]) -> ([u8; 32], [u8; 32]) {
    derive_from(&SECRET, number, salt)
}

pub(crate) fn derive_from(secret: &[u8; 32], number: u8, salt: &[u8; 32]) -> ([u8; 32], [u8; 32]) {
    let hkdf = Hkdf::<Sha512>::new(Some(b"storage-layers key 1"), secret);
    let info = [&b"storage-layers value\0"[..], &[number], salt].concat();
    let mut both = [0; 64];
    hkdf.expand(&info, &mut both).unwrap();
    (both[..32].try_into().unwrap(), both[32..].try_into().unwrap())
}

fn associated(header: &[u8]) -> Vec<u8> {
    associated_of([b"store", b"ns", b"object", b"", b"a", b""], header)
}

/// Of a place: store, namespace, kind, collection, name, what lies beside.
pub(crate) fn associated_of(place: [&[u8]; 6], header: &[u8]) -> Vec<u8> {
    let [store, namespace, kind, collection, name, beside] = place;
    let fields: [&[u8]; 8] = [
        b"storage-layers sealed 1",
        store,
        namespace,
        kind,
        collection,
        name,
        beside,
        header,
    ];
    let with_length = |field: &[u8]| [&(field.len() as u64).to_be_bytes()[..], field].concat();
    fields.iter().flat_map(|field| with_length(field)).collect()
}

pub(crate) fn nonce(number: u32, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

pub(crate) fn crypt<C: Aead + KeyInit>(
    key: &[u8; 32],
    nonce: [u8; 12],
    msg: &[u8],
    aad: &[u8],
    seal: bool,
) -> Vec<u8> {
    let cipher = C::new_from_slice(key).unwrap();
    let nonce = aes_gcm::aead::Nonce::<C>::try_from(&nonce[..]).unwrap();
    let payload = Payload { msg, aad };
    if seal {
        cipher.encrypt(&nonce, payload).unwrap()
    } else {
        cipher.decrypt(&nonce, payload).unwrap()
    }
}

fn both_ways<C: Aead + KeyInit>(suite: Suite, number: u8) {
    for length in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let sealed = ring(suite).seal(&place(), &plain).unwrap();
        let header = Header::read(&sealed).unwrap();
        let (key, commitment) = derive(number, &header.salt);
        assert_eq!(commitment, header.commitment);
        let aad = associated(&sealed[..HEADER_BYTES]);
        let chunks: Vec<&[u8]> = sealed[HEADER_BYTES..].chunks(CHUNK + 16).collect();
        let mut opened = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            let nonce = nonce(at as u32, at + 1 == chunks.len());
            opened.extend(crypt::<C>(&key, nonce, chunk, &aad, false));
        }
        assert!(opened == plain);

        // The other way: what the others sealed.
        let salt = [length as u8; 32];
        let (key, commitment) = derive(number, &salt);
        let mut header = header;
        (header.salt, header.commitment) = (salt, commitment);
        let mut foreign = header.to_bytes().to_vec();
        let aad = associated(&foreign);
        let count = plain.chunks(CHUNK).count().max(1);
        for at in 0..count {
            let chunk = &plain[at * CHUNK..plain.len().min((at + 1) * CHUNK)];
            foreign.extend(crypt::<C>(
                &key,
                nonce(at as u32, at + 1 == count),
                chunk,
                &aad,
                true,
            ));
        }
        assert!(ring(suite).open(&place(), &foreign).unwrap() == plain);
    }
}

#[test]
fn two_libraries_seal_and_open_the_same_aes_256_gcm() {
    both_ways::<Aes256Gcm>(Suite::Aes256Gcm, 1);
}

#[test]
fn two_libraries_seal_and_open_the_same_chacha20_poly1305() {
    both_ways::<ChaCha20Poly1305>(Suite::Chacha20Poly1305, 2);
}
