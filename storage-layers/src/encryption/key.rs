//! [`Key`]: 32 secret bytes, what is derived from them, and the id everybody may know.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use bytes::Bytes;
use storage_core::{Error, ErrorKind, Result};
use zeroize::{Zeroize, Zeroizing};

use super::context::{Context, Kind};
use super::keyring::Keyring;
use super::suite::Suite;

/// The salt of HKDF-Extract. What tells values apart goes into HKDF-Expand, so that a key is extracted once.
const EXTRACT_SALT: &[u8] = b"storage-layers key 1";

/// What keys of values are expanded from, before the cipher and the salt.
const VALUE_INFO: &[u8; 21] = b"storage-layers value\0";

/// The number of HKDF-Expand's first block, which is its last.
const BLOCK: u8 = 1;

/// What a [`Key`] is called: 128 bits derived from it, which say nothing about it. Equal keys have equal ids, in every store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 16]);

impl KeyId {
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = Error;

    /// # Errors
    /// `InvalidArgument` for anything but 32 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = [0; 16];
        if decode_hex(text.as_bytes(), &mut bytes) {
            return Ok(Self(bytes));
        }
        Err(Error::invalid_argument(format!(
            "{text:?} is not the id of a key: 32 hexadecimal digits"
        )))
    }
}

impl serde::Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[allow(clippy::missing_trait_methods, reason = "the other method is serde's own")]
impl<'de> serde::Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// 32 secret bytes. Cheap to clone; the bytes are overwritten when the last clone goes, and show in no text.
#[derive(Clone)]
pub struct Key(Arc<Secret>);

struct Secret {
    id: KeyId,
    bytes: Zeroizing<[u8; 32]>,
    /// The extracted key, ready to expand from.
    extracted: hmac::Key,
}

impl Key {
    /// The key of these bytes, which must be as good as random: text a person made up goes through
    /// [`KeyProvider::passphrase`](super::KeyProvider::passphrase). The caller's copy is overwritten.
    pub fn from_bytes(bytes: &mut [u8; 32]) -> Self {
        let secret = Zeroizing::new(*bytes);
        bytes.zeroize();
        let mut extracted = Zeroizing::new([0; 64]);
        let salt = hmac::Key::new(hmac::HMAC_SHA512, EXTRACT_SALT);
        authenticate(&salt, secret.as_slice(), &mut extracted);
        let extracted = hmac::Key::new(hmac::HMAC_SHA512, extracted.as_slice());
        let mut id = Zeroizing::new([0; 64]);
        expand(&extracted, &[b"storage-layers key id"], &mut id);
        let mut short = [0; 16];
        short.copy_from_slice(&id[..16]);
        Self(Arc::new(Secret {
            id: KeyId(short),
            bytes: secret,
            extracted,
        }))
    }

    /// A key nobody has: 256 bits from the operating system's generator.
    pub fn random() -> Self {
        Self::from_bytes(&mut storage_core::random_bytes())
    }

    /// What it is called.
    pub fn id(&self) -> KeyId {
        self.0.id
    }

    /// Another key that depends on this one and a purpose, such as the name of a namespace. Who has the derived key cannot come back to
    /// this one or to a sister.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        let mut derived = Zeroizing::new([0; 64]);
        expand(
            &self.0.extracted,
            &[b"storage-layers derived key\0", purpose.as_bytes()],
            &mut derived,
        );
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&derived[..32]);
        Self::from_bytes(&mut bytes)
    }

    /// Another key, sealed under this one, for a place of its own that its name says.
    ///
    /// # Errors
    /// `Internal` where the cipher fails.
    pub fn wrap(&self, key: &Self, store: &[u8]) -> Result<Bytes> {
        let name = key.id().to_string();
        let context = Context::new(Kind::WrappedKey, &name).store(store);
        Keyring::new(self.clone()).seal(&context, key.0.bytes.as_slice())
    }

    /// The key that was wrapped under this one.
    ///
    /// # Errors
    /// `Unauthenticated` where this is not the key it was wrapped under; `Corrupt` where it was changed, or is not the key `id`.
    pub fn unwrap(&self, id: KeyId, wrapped: &[u8], store: &[u8]) -> Result<Self> {
        let name = id.to_string();
        let context = Context::new(Kind::WrappedKey, &name).store(store);
        let opened = Keyring::new(self.clone()).open_secret(&context, wrapped)?;
        let mut bytes = Zeroizing::new([0; 32]);
        if opened.len() != bytes.len() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "a wrapped key has not the length of a key",
            ));
        }
        bytes.copy_from_slice(&opened);
        let key = Self::from_bytes(&mut bytes);
        if key.id() != id {
            return Err(Error::new(
                ErrorKind::Corrupt,
                "a wrapped key is not the one it is kept as",
            ));
        }
        Ok(key)
    }

    /// A keyed hash of a field's value, for indexes that answer equality only: 128 bits.
    pub(crate) fn blind(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut message: Vec<u8> = Vec::new();
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        let mut out = Zeroizing::new([0; 64]);
        expand(
            &self.0.extracted,
            &[b"storage-layers blind index\0", &message],
            &mut out,
        );
        let mut short = [0; 16];
        short.copy_from_slice(&out[..16]);
        short
    }

    /// What seals one value, and what commits to this key.
    pub(super) fn of_value(&self, suite: Suite, salt: &[u8; 32]) -> ValueKeys {
        let mut both = Zeroizing::new([0; 64]);
        // What `expand` would put together, without memory of its own: nothing in it is secret.
        let mut message = [0; VALUE_INFO.len() + 1 + 32 + 1];
        let (info, rest) = message.split_at_mut(VALUE_INFO.len());
        info.copy_from_slice(VALUE_INFO);
        rest[0] = suite.number();
        rest[1..33].copy_from_slice(salt);
        rest[33] = BLOCK;
        authenticate(&self.0.extracted, &message, &mut both);
        ValueKeys(both)
    }
}

/// HKDF-Expand (RFC 5869) of one block, which is all of 64 bytes with SHA-512: `HMAC(extracted, info | 0x01)`.
fn expand(extracted: &hmac::Key, info: &[&[u8]], out: &mut [u8; 64]) {
    let mut message = Zeroizing::new(Vec::with_capacity(
        info.iter().map(|part| part.len()).sum::<usize>() + 1,
    ));
    for part in info {
        message.extend_from_slice(part);
    }
    message.push(BLOCK);
    authenticate(extracted, &message, out);
}

fn authenticate(key: &hmac::Key, message: &[u8], out: &mut [u8; 64]) {
    #[allow(clippy::expect_used, reason = "it fails for a buffer that is too small only")]
    hmac::sign_to_buffer(key, message, out).expect("64 bytes hold an HMAC-SHA-512");
}

/// The two halves that are derived for one value.
pub(super) struct ValueKeys(Zeroizing<[u8; 64]>);

impl ValueKeys {
    /// What the cipher is keyed with.
    pub(super) fn cipher(&self) -> &[u8] {
        &self.0[..32]
    }

    /// What the header carries.
    pub(super) fn commitment(&self) -> &[u8] {
        &self.0[32..]
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

/// Reads exactly as many bytes as `out` holds; `false` for anything else.
pub(super) fn decode_hex(text: &[u8], out: &mut [u8]) -> bool {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    if text.len() != out.len() * 2 {
        return false;
    }
    for (pair, byte) in text.chunks_exact(2).zip(out) {
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
            return false;
        };
        *byte = high << 4 | low;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_the_key_alone_and_round_trip() {
        let key = || Key::from_bytes(&mut [7; 32]);
        assert_eq!(key().id(), key().id());
        assert_ne!(key().id(), Key::from_bytes(&mut [8; 32]).id());
        assert_eq!(key().id().to_string().parse::<KeyId>().unwrap(), key().id());
        for rubbish in ["", "00", &"g".repeat(32), &"0".repeat(34)] {
            assert!(rubbish.parse::<KeyId>().is_err());
        }
    }

    #[test]
    fn the_bytes_a_key_is_made_of_are_overwritten() {
        let mut bytes = [7; 32];
        Key::from_bytes(&mut bytes);
        assert_eq!(bytes, [0; 32]);
    }

    #[test]
    fn derived_keys_differ_by_purpose() {
        let key = Key::from_bytes(&mut [7; 32]);
        assert_eq!(key.derive("a").id(), key.derive("a").id());
        assert_ne!(key.derive("a").id(), key.derive("b").id());
        assert_ne!(key.derive("a").id(), key.id());
    }

    #[test]
    fn a_wrapped_key_comes_back_under_its_key_and_as_itself_only() {
        let (root, data) = (Key::random(), Key::random());
        let wrapped = root.wrap(&data, b"store").unwrap();
        assert_eq!(
            root.unwrap(data.id(), &wrapped, b"store").unwrap().id(),
            data.id()
        );
        let kind = |result: Result<Key>| result.unwrap_err().kind();
        assert_eq!(
            kind(Key::random().unwrap(data.id(), &wrapped, b"store")),
            ErrorKind::Unauthenticated
        );
        assert_eq!(
            kind(root.unwrap(root.id(), &wrapped, b"store")),
            ErrorKind::Corrupt
        );
        assert_eq!(
            kind(root.unwrap(data.id(), &wrapped, b"other")),
            ErrorKind::Corrupt
        );
    }
}
