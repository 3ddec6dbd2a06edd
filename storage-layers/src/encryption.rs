//! Encryption at rest: keys, where they come from, and sealed bytes.
//!
//! # What is promised
//! Whoever runs the medium may read, change, swap, cut and replay everything on it. Sealed bytes keep their content secret from him, and
//! what he changed, cut or moved to another name is refused when it is read. They do **not** hide sizes, counts, times, or names: keys
//! of objects, ids, collections and logs stay readable. And they do not show that something is **old**: he can put back what stood under
//! the same name before. Where that matters, keep versions or hashes in a place he does not run, such as an audit log.
//!
//! # How
//! Every value is sealed under a key of its own: `HKDF-SHA-512(key, 32 random bytes)` gives 32 bytes to encrypt with and 32 that commit
//! to the key. The content is cut into chunks of 64 KiB, each sealed by AES-256-GCM with its number and whether it is the last one as
//! nonce (STREAM). What the value is and where it lies ([`Context`]) is associated data: store, namespace, kind and name, so a value
//! opens nowhere else. The key is found by the id in the header, never by trying; the commitment is compared in constant time before
//! anything is decrypted.
//!
//! | to | use |
//! |---|---|
//! | get key material from somewhere | [`KeyProvider`] |
//! | hold keys, one of them active | [`Keyring`] |
//! | keep keys on the medium, sealed under a root key | [`Keystore`] |
//! | seal and open a value | [`Keyring::seal`], [`Keyring::open`] |
//! | seal and open a stream, or a range | [`Sealer`], [`Opener`], [`Geometry`](crate::chunked::Geometry) |
//! | give an entry a key that can be destroyed | [`Key::wrap`], [`Key::unwrap`] |
//!
//! # Why no key and nonce seal two chunks
//! A nonce is the number of a chunk and whether it is the last, so within a value no two are alike, and the 2^32nd chunk is refused. Two
//! values share none of them, because they share no key: each is sealed under `HKDF(key, salt)`, and its salt is 32 bytes from the
//! operating system's generator, drawn when the sealing begins and by nobody but the sealer, so a value that is written over, copied, sealed
//! anew or sent again, by another handle, process or machine, is a new value with a new salt. Salts of one key collide with a probability of
//! less than 2^-128 in 2^64 values; under different keys even that would give different derived keys. A sealer cannot be cloned or wound
//! back: after its last chunk it refuses another. What is kept for a second attempt, as by a retry, are the sealed bytes, which are the same
//! bytes. A virtual machine that is copied while it runs draws new salts too, because the generator is the kernel's and is asked each time.
//!
//! # Destroying data by destroying its key
//! Overwriting is no deletion: disks, journals, copies on write and versioned buckets keep old bytes. What can be destroyed is a key,
//! where its only copy lies in one document. So a caller who must be able to forget an entry makes a [`Key::random`] for it, keeps
//! [`Key::wrap`] of it in a document of his own, seals the entry under it, and overwrites that document to forget. That is as
//! good as the medium's promise about that one document: backups and old versions of it keep the key.
//!
//! # Format
//! `header 88 | chunk, tag 16 | chunk, tag 16 | …`, the header `magic 4 | version 1 | suite 1 | flags 1 | log2 of the chunk size 1 | key
//! id 16 | salt 32 | commitment 32`. Every chunk but the last is full; an empty value has one empty chunk.

mod context;
mod header;
mod key;
mod keyring;
mod keystore;
mod passphrase;
mod provider;
mod seal;
mod suite;

pub use self::context::{Context, Kind};
pub(crate) use self::header::not_sealed;
pub use self::header::{HEADER_BYTES, Header, is_sealed};
pub use self::key::{Key, KeyId};
pub use self::keyring::{KeyState, Keyring};
pub(crate) use self::keystore::plain_data;
pub use self::keystore::{KeyInfo, Keystore};
pub use self::passphrase::PassphraseParameters;
pub use self::provider::KeyProvider;
pub use self::seal::{Opener, Sealer, TAG_BYTES, sealed_geometry};
pub use self::suite::Suite;
