//! [`VolumeOptions`]: how a store of volumes is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::hash::HashAlgorithm;
use super::signing::Verifier;

/// How a store of volumes is opened. What is left out here is what the store has, or the default where it is made anew.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct VolumeOptions {
    pub(super) directory: String,
    pub(super) hash: Option<HashAlgorithm>,
    pub(super) fan_out: Option<u8>,
    pub(super) grace: Option<Duration>,
    pub(super) sole_creator: bool,
    pub(super) verifiers: Vec<Arc<dyn Verifier>>,
}

impl VolumeOptions {
    /// What the store has, or the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the store is among the objects, such as `vault`: `vault/blocks/…`. At the top by default, as the seed has it.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<String>) -> Self {
        self.directory = directory.into();
        self
    }

    /// The hash that names blocks and events; SHA-256 by default. A store that has another is refused.
    #[must_use]
    pub const fn hash(mut self, hash: HashAlgorithm) -> Self {
        self.hash = Some(hash);
        self
    }

    /// How many levels of directories blocks are spread over, by two digits of their hash each: 0 (`blocks/<hash>.bin`, the default) to
    /// 2. A store that has another number is refused. More levels help where large directories are slow.
    #[must_use]
    pub const fn fan_out(mut self, levels: u8) -> Self {
        self.fan_out = Some(levels);
        self
    }

    /// The shortest age at which a block that nothing names may be collected, at least a second; a day by default. It is stored,
    /// because whoever writes has to know it too. A store that has another is refused.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Says that nobody else is making this store right now, which has to be said where the backend cannot create an object only where
    /// none is (`create-if-absent`): two who made one store at once, with different choices, would not notice.
    #[must_use]
    pub const fn sole_creator(mut self, sole: bool) -> Self {
        self.sole_creator = sole;
        self
    }

    /// Accepts events signed under another scheme too, beside Ed25519.
    #[must_use]
    pub fn verifier(mut self, verifier: Arc<dyn Verifier>) -> Self {
        self.verifiers.push(verifier);
        self
    }
}

impl fmt::Debug for VolumeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes: Vec<&str> = self.verifiers.iter().map(|verifier| verifier.scheme()).collect();
        f.debug_struct("VolumeOptions")
            .field("directory", &self.directory)
            .field("hash", &self.hash)
            .field("fan_out", &self.fan_out)
            .field("grace", &self.grace)
            .field("sole_creator", &self.sole_creator)
            .field("verifiers", &schemes)
            .finish()
    }
}
