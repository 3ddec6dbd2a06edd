//! [`PassphraseParameters`]: from a passphrase to a key, by Argon2id.

use argon2::{Algorithm, Argon2, Params, Version};
use storage_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use super::key::{Key, decode_hex};

/// How a key is made of a passphrase. Not secret; kept beside what it protects, because without it the passphrase gives another key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct PassphraseParameters {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub lanes: u32,
    /// 16 random bytes, in hex.
    pub salt: String,
}

/// The bounds on what parameters read from a medium may ask for: 2 GiB, so that they cannot take the machine down.
const MAX_MEMORY_KIB: u32 = 2 * 1024 * 1024;
const MAX_ITERATIONS: u32 = 1000;
const MAX_LANES: u32 = 64;

/// The least that protects anything: what OWASP asks for at least, 7 MiB at 5 passes.
const MIN_MEMORY_KIB: u32 = 7 * 1024;

impl PassphraseParameters {
    /// What RFC 9106 recommends where memory is scarce: 64 MiB, 3 passes, 4 lanes; with a fresh salt.
    pub fn new() -> Self {
        Self {
            memory_kib: 64 * 1024,
            iterations: 3,
            lanes: 4,
            salt: format!("{:032x}", storage_core::random_u128()),
        }
    }

    /// With so much memory, in KiB; at least 7 MiB.
    #[must_use]
    pub const fn memory_kib(mut self, memory_kib: u32) -> Self {
        self.memory_kib = memory_kib;
        self
    }

    /// With so many passes.
    #[must_use]
    pub const fn iterations(mut self, iterations: u32) -> Self {
        self.iterations = iterations;
        self
    }

    /// The key a passphrase gives. Takes a tenth of a second or more, and the memory that is asked for: not for an async thread.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty passphrase and for parameters out of bounds.
    pub fn key(&self, passphrase: &[u8]) -> Result<Key> {
        if passphrase.is_empty() {
            return Err(Error::invalid_argument("the passphrase is empty"));
        }
        let mut salt = [0; 16];
        let sane = (MIN_MEMORY_KIB..=MAX_MEMORY_KIB).contains(&self.memory_kib)
            && (1..=MAX_ITERATIONS).contains(&self.iterations)
            && (1..=MAX_LANES).contains(&self.lanes)
            && decode_hex(self.salt.as_bytes(), &mut salt);
        if !sane {
            return Err(Error::invalid_argument(format!(
                "the parameters of the passphrase are out of bounds: {MIN_MEMORY_KIB} to {MAX_MEMORY_KIB} KiB of memory, 1 to \
                 {MAX_ITERATIONS} passes, 1 to {MAX_LANES} lanes and a salt of 16 bytes in hex"
            )));
        }
        let failed = |error: argon2::Error| {
            Error::new(
                ErrorKind::InvalidArgument,
                "Argon2 does not take these parameters",
            )
            .with_source(error.to_string())
        };
        let params = Params::new(self.memory_kib, self.iterations, self.lanes, Some(32)).map_err(failed)?;
        let mut bytes = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &salt, bytes.as_mut_slice())
            .map_err(failed)?;
        Ok(Key::from_bytes(&mut bytes))
    }
}

impl Default for PassphraseParameters {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> PassphraseParameters {
        PassphraseParameters::new()
            .memory_kib(MIN_MEMORY_KIB)
            .iterations(1)
    }

    #[test]
    fn the_same_passphrase_and_parameters_give_the_same_key() {
        let parameters = quick();
        let text = serde_json::to_string(&parameters).unwrap();
        let read: PassphraseParameters = serde_json::from_str(&text).unwrap();
        let key = parameters.key(b"correct horse").unwrap();
        assert_eq!(read.key(b"correct horse").unwrap().id(), key.id());
        assert_ne!(parameters.key(b"correct horsf").unwrap().id(), key.id());
        assert_ne!(
            quick().key(b"correct horse").unwrap().id(),
            key.id(),
            "salts are alike"
        );
    }

    #[test]
    fn parameters_that_protect_nothing_or_take_the_machine_down_are_refused() {
        for parameters in [
            quick().memory_kib(1024),
            quick().memory_kib(u32::MAX),
            quick().iterations(0),
            quick().iterations(u32::MAX),
            PassphraseParameters { lanes: 0, ..quick() },
            PassphraseParameters {
                salt: "00".into(),
                ..quick()
            },
        ] {
            assert_eq!(
                parameters.key(b"x").unwrap_err().kind(),
                ErrorKind::InvalidArgument
            );
        }
        assert_eq!(quick().key(b"").unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
