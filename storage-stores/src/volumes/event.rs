//! [`Event`]: a signed entry of a channel, and its bytes.
//!
//! ```text
//! "VEVT"  magic
//! u8      format version, 1
//! u8      length of the scheme's name, then the name
//! u16     length of the public key, then the key
//! u16     number of parents, then their hashes, ascending, each once
//! u32     length of the payload, then the payload
//! u16     length of the signature, then the signature
//! ```
//!
//! Numbers are big-endian. What is signed is [`DOMAIN`] and everything before the length of the signature; the hash that names the event
//! covers all of it, so that a hash never stands for two byte strings. There is one way to write an event, and nothing may follow it.

use std::fmt;
use std::sync::Arc;

use storage_core::{Bytes, Error, ErrorKind, Result};

use super::hash::{Hash, HashAlgorithm};
use super::signing::{MAX_KEY_BYTES, PublicKey, Signer, Verifier};

const MAGIC: &[u8; 4] = b"VEVT";
const VERSION: u8 = 1;

/// What stands before the signed bytes, so that a signature made for something else is never one of an event.
const DOMAIN: &[u8] = b"storage volumes event 1\0";

/// The largest event, in bytes. Contents belong into blocks.
pub(super) const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// The most parents: heads beyond these are merged by the next event.
pub(super) const MAX_PARENTS: usize = 1024;

const MAX_SCHEME_BYTES: usize = 32;

/// A signed entry of a channel. It says which events its writer had seen: its parents, and theirs.
#[derive(Clone)]
pub struct Event(Arc<Inner>);

struct Inner {
    hash: Hash,
    bytes: Bytes,
    scheme: String,
    channel: PublicKey,
    parents: Vec<Hash>,
    payload: Bytes,
    signed: usize,
    signature: Bytes,
}

impl Event {
    /// Signs an event on top of these parents. Their order and repetitions make no difference.
    ///
    /// # Errors
    /// `LimitExceeded` over 1 MiB or 1,024 parents; `InvalidArgument` for a scheme whose name cannot be one; the signer's.
    pub fn sign(
        algorithm: HashAlgorithm,
        signer: &dyn Signer,
        mut parents: Vec<Hash>,
        payload: impl Into<Bytes>,
    ) -> Result<Self> {
        parents.sort_unstable();
        parents.dedup();
        let (key, scheme, payload) = (signer.public_key(), signer.scheme(), payload.into());
        if !is_scheme(scheme) {
            return Err(Error::invalid_argument(format!(
                "{scheme:?} is no name of a scheme: 1 to {MAX_SCHEME_BYTES} bytes of visible ASCII"
            )));
        }
        if parents.len() > MAX_PARENTS {
            return Err(Error::limit_exceeded(
                "the number of parents",
                MAX_PARENTS as u64,
                parents.len() as u64,
            ));
        }
        let too_large =
            |bytes: usize| Error::limit_exceeded("the event in bytes", MAX_EVENT_BYTES as u64, bytes as u64);
        let length = u32::try_from(payload.len()).map_err(|_| too_large(payload.len()))?;
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.push(u8::try_from(scheme.len()).unwrap_or_default());
        bytes.extend(scheme.as_bytes());
        bytes.extend(short(key.as_bytes().len()));
        bytes.extend(key.as_bytes());
        bytes.extend(short(parents.len()));
        bytes.extend(parents.iter().flat_map(Hash::as_bytes));
        bytes.extend(length.to_be_bytes());
        bytes.extend(&payload);
        let signature = signer.sign(&message(&bytes))?;
        if signature.len() > usize::from(u16::MAX) || bytes.len() + signature.len() + 2 > MAX_EVENT_BYTES {
            return Err(too_large(bytes.len() + signature.len() + 2));
        }
        bytes.extend(short(signature.len()));
        bytes.extend(&signature);
        // What others will read is what is made here, to the last byte.
        Self::parse(algorithm, bytes)
    }

    /// Reads an event. Whose it is and whether the signature is right is not checked here.
    ///
    /// # Errors
    /// `Corrupt` for anything that is not the one way to write an event; `FormatTooNew`.
    pub fn parse(algorithm: HashAlgorithm, bytes: impl Into<Bytes>) -> Result<Self> {
        let bytes = bytes.into();
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(malformed("it is larger than an event can be"));
        }
        let mut rest = Rest { bytes: &bytes, at: 0 };
        if rest.take(4)? != MAGIC {
            return Err(malformed("it does not begin as an event does"));
        }
        match rest.take(1)? {
            [VERSION] => {}
            [0] => return Err(malformed("there is no version 0")),
            [version, ..] => {
                return Err(Error::new(
                    ErrorKind::FormatTooNew,
                    format!("an event of format {version}, where this program knows {VERSION}; upgrade it"),
                ));
            }
            [] => return Err(malformed("it ends too early")),
        }
        let scheme_length = usize::from(rest.take(1)?[0]);
        let scheme = std::str::from_utf8(rest.take(scheme_length)?).unwrap_or_default();
        if !is_scheme(scheme) {
            return Err(malformed("the name of its scheme cannot be one"));
        }
        let key_length = rest.short()?;
        if key_length == 0 || key_length > MAX_KEY_BYTES {
            return Err(malformed("its public key cannot be one"));
        }
        let channel = PublicKey::new(rest.take(key_length)?)?;
        let count = rest.short()?;
        if count > MAX_PARENTS {
            return Err(malformed("it has more parents than an event can have"));
        }
        let (parents, _) = rest.take(count * Hash::BYTES)?.as_chunks::<{ Hash::BYTES }>();
        if !parents.is_sorted_by(|one, next| one < next) {
            return Err(malformed("its parents are not in order"));
        }
        let parents = parents.iter().map(|parent| Hash::from_bytes(*parent)).collect();
        let payload_length = rest.long()?;
        let payload = bytes.slice_ref(rest.take(payload_length)?);
        let signed = rest.at;
        let signature_length = rest.short()?;
        let signature = bytes.slice_ref(rest.take(signature_length)?);
        if rest.at != bytes.len() {
            return Err(malformed("something follows it"));
        }
        let scheme = scheme.to_owned();
        Ok(Self(Arc::new(Inner {
            hash: algorithm.hash(&bytes),
            scheme,
            channel,
            parents,
            payload,
            signed,
            signature,
            bytes,
        })))
    }

    /// Its name.
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// The channel it belongs to: the key it is signed with.
    pub fn channel(&self) -> &PublicKey {
        &self.0.channel
    }

    /// The scheme it is signed under.
    pub fn scheme(&self) -> &str {
        &self.0.scheme
    }

    /// What its writer had seen: the events nothing else followed, ascending.
    pub fn parents(&self) -> &[Hash] {
        &self.0.parents
    }

    /// What it says, which is its writer's business.
    pub fn payload(&self) -> &Bytes {
        &self.0.payload
    }

    /// All of it as it is stored.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Whether this verifier, of its scheme, finds the signature right.
    pub(super) fn is_signed(&self, verifier: &dyn Verifier) -> bool {
        let inner = &self.0;
        let message = message(&inner.bytes[..inner.signed]);
        verifier.verify(&inner.channel, &message, &inner.signature)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("hash", &self.0.hash)
            .field("channel", &self.0.channel)
            .field("parents", &self.0.parents)
            .field("payload_bytes", &self.0.payload.len())
            .finish_non_exhaustive()
    }
}

fn is_scheme(name: &str) -> bool {
    (1..=MAX_SCHEME_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn message(signed: &[u8]) -> Vec<u8> {
    [DOMAIN, signed].concat()
}

/// A length that was checked to fit.
fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or_default().to_be_bytes()
}

fn malformed(why: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("this is no event: {why}"))
}

/// What is still to be read.
struct Rest<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let taken = self
            .at
            .checked_add(length)
            .and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| malformed("it ends too early"))?;
        self.at += length;
        Ok(taken)
    }

    fn short(&mut self) -> Result<usize> {
        let number = self.take(2)?;
        Ok(usize::from(u16::from_be_bytes([number[0], number[1]])))
    }

    fn long(&mut self) -> Result<usize> {
        let number = self.take(4)?;
        let number = u32::from_be_bytes([number[0], number[1], number[2], number[3]]);
        usize::try_from(number).map_err(|_| malformed("it is larger than an event can be"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::signing::{Ed25519, Ed25519Key};
    use super::*;

    const SHA: HashAlgorithm = HashAlgorithm::Sha256;

    fn event(payload: &'static str) -> Event {
        let key = Ed25519Key::from_seed([1; 32]);
        let parents = vec![SHA.hash(b"b"), SHA.hash(b"a"), SHA.hash(b"b")];
        Event::sign(SHA, &key, parents, payload).unwrap()
    }

    #[test]
    fn the_same_event_is_the_same_bytes() {
        let (one, again) = (event("x"), event("x"));
        assert_eq!((one.hash(), one.bytes()), (again.hash(), again.bytes()));
        assert_ne!(event("y").hash(), one.hash());
        assert_eq!(one.parents().len(), 2);
        let read = Event::parse(SHA, one.bytes().clone()).unwrap();
        assert_eq!(read, one);
        assert!(read.is_signed(&Ed25519));
    }

    #[test]
    fn no_byte_can_be_changed_left_out_or_added() {
        let event = event("some payload");
        let is_accepted = |bytes: &[u8]| {
            Event::parse(SHA, bytes.to_vec())
                .is_ok_and(|event| event.scheme() == "ed25519" && event.is_signed(&Ed25519))
        };
        assert!(is_accepted(event.bytes()));
        for at in 0..event.bytes().len() {
            for bit in 0..8 {
                let mut changed = event.bytes().to_vec();
                changed[at] ^= 1 << bit;
                assert!(!is_accepted(&changed), "bit {bit} of byte {at}");
            }
            assert!(!is_accepted(&event.bytes()[..at]), "cut at {at}");
        }
        assert!(!is_accepted(&[event.bytes(), &b"\0"[..]].concat()));
    }

    #[test]
    fn limits_are_refused_with_their_names() {
        let key = Ed25519Key::from_seed([1; 32]);
        let large = vec![0; MAX_EVENT_BYTES];
        let error = Event::sign(SHA, &key, vec![], large).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        let parents = (0..=1024_u32).map(|at| SHA.hash(&at.to_le_bytes())).collect();
        let error = Event::sign(SHA, &key, parents, "").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = event("x").bytes().to_vec();
        bytes[4] = 2;
        let error = Event::parse(SHA, bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FormatTooNew);
    }
}
