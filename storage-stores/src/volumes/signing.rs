//! Who signs events, and who checks them: [`Signer`], [`Verifier`], and Ed25519.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use storage_core::{Error, ErrorKind, Result, random_u128};

use super::hash::{hex, unhex};

/// The longest public key, in bytes. An RSA key of 4,096 bits has 550; its text still fits a file's path.
pub(super) const MAX_KEY_BYTES: usize = 600;

/// The public key that names a channel.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// A key with these bytes, in whatever encoding its scheme has.
    ///
    /// # Errors
    /// `InvalidName` for none and for more than 600 bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > MAX_KEY_BYTES {
            return Err(Error::new(
                ErrorKind::InvalidName,
                format!(
                    "a public key of {} bytes; 1 to {MAX_KEY_BYTES} are allowed",
                    bytes.len()
                ),
            ));
        }
        Ok(Self(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    /// # Errors
    /// `InvalidName` unless it is hexadecimal digits in lower case.
    fn from_str(text: &str) -> Result<Self> {
        match unhex(text) {
            Some(bytes) => Self::new(bytes),
            None => Err(Error::new(
                ErrorKind::InvalidName,
                format!(
                    "{text:?} is no public key: that is hexadecimal digits in lower case, two for a byte"
                ),
            )),
        }
    }
}

/// Signs events of one channel: a key in memory, a token, a service.
///
/// A scheme whose signatures are deterministic makes the same event the same bytes, and so the same file. Under one with random
/// signatures, such as plain ECDSA, signing the same event twice makes two events.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The name of its scheme, such as `ed25519`: 1 to 32 bytes of ASCII.
    fn scheme(&self) -> &str;

    /// The key that others check with, and the name of the channel.
    fn public_key(&self) -> PublicKey;

    /// The signature of a message.
    ///
    /// # Errors
    /// What keeps it from signing.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>>;
}

/// Checks the signatures of one scheme.
pub trait Verifier: Send + Sync {
    /// The name of its scheme, as [`Signer::scheme`].
    fn scheme(&self) -> &str;

    /// Whether this is the signature of this message under this key. Anything malformed is not.
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool;
}

const ED25519: &str = "ed25519";

/// An Ed25519 key (RFC 8032), the default. Its bytes are wiped from memory when it is dropped, and shown nowhere.
pub struct Ed25519Key(SigningKey);

impl Ed25519Key {
    /// A fresh key from the operating system's generator.
    pub fn generate() -> Self {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&random_u128().to_le_bytes());
        seed[16..].copy_from_slice(&random_u128().to_le_bytes());
        Self::from_seed(seed)
    }

    /// The key with this seed, the 32 bytes RFC 8032 calls the private key.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The seed, to be kept where nobody else reads it.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Key")
            .field("public", &self.public_key())
            .finish_non_exhaustive()
    }
}

impl Signer for Ed25519Key {
    fn scheme(&self) -> &str {
        ED25519
    }

    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes().to_vec())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

/// Checks Ed25519, strictly: a signature cannot be bent into another one of the same message, and no weak key is accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ed25519;

impl Verifier for Ed25519 {
    fn scheme(&self) -> &str {
        ED25519
    }

    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let key = key.0.as_slice().try_into().ok();
        let key = key.and_then(|key| VerifyingKey::from_bytes(key).ok());
        match (key, Signature::from_slice(signature)) {
            (Some(key), Ok(signature)) => key.verify_strict(message, &signature).is_ok(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second test vector of RFC 8032, section 7.1.
    #[test]
    fn ed25519_is_that_of_the_rfc() {
        let seed = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let key = Ed25519Key::from_seed(seed.try_into().unwrap());
        assert_eq!(
            key.public_key().to_string(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = key.sign(&[0x72]).unwrap();
        assert_eq!(
            hex(&signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(Ed25519.verify(&key.public_key(), &[0x72], &signature));
        for at in 0..signature.len() {
            let mut other = signature.clone();
            other[at] ^= 1;
            assert!(!Ed25519.verify(&key.public_key(), &[0x72], &other), "byte {at}");
        }
        assert!(!Ed25519.verify(&key.public_key(), &[0x73], &signature));
        assert!(!Ed25519.verify(&key.public_key(), &[0x72], &signature[..63]));
        assert!(!Ed25519.verify(&PublicKey::new(vec![0; 32]).unwrap(), &[0x72], &signature));
    }

    #[test]
    fn a_key_shows_no_secret() {
        let key = Ed25519Key::from_seed([7; 32]);
        let shown = format!("{key:?}");
        assert!(!shown.contains("0707") && !shown.contains("7, 7"), "{shown}");
        assert!(shown.contains(&key.public_key().to_string()));
    }

    #[test]
    fn keys_are_text_and_back() {
        let key = Ed25519Key::generate().public_key();
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        for text in ["", "0", "../..", "AB", &"00".repeat(601)] {
            assert_eq!(
                text.parse::<PublicKey>().unwrap_err().kind(),
                ErrorKind::InvalidName,
                "{text}"
            );
        }
    }
}
