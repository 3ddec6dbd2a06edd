//! Where things lie: every path follows from content and keys alone, except that what is not finished yet has a random name.

use super::format::Format;
use super::hash::Hash;
use super::signing::PublicKey;

const SUFFIX: &str = ".bin";

/// The keys of one store.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Empty, or ending in `/`.
    root: String,
}

impl Names {
    pub(super) fn below(directory: &str) -> Self {
        let directory = directory.trim_matches('/');
        Self {
            root: if directory.is_empty() {
                String::new()
            } else {
                format!("{directory}/")
            },
        }
    }

    pub(super) fn format(&self) -> String {
        format!("{}volumes.json", self.root)
    }

    pub(super) fn blocks(&self) -> String {
        format!("{}blocks/", self.root)
    }

    pub(super) fn block(&self, format: &Format, hash: &Hash) -> String {
        format!("{}{}", self.blocks(), Self::block_below(format, hash))
    }

    fn block_below(format: &Format, hash: &Hash) -> String {
        let text = hash.to_string();
        let mut name = String::new();
        for level in 0..usize::from(format.fan_out) {
            name.push_str(&text[level * 2..level * 2 + 2]);
            name.push('/');
        }
        name + &text + SUFFIX
    }

    /// The block that is kept under this key; `None` for a key no block has.
    pub(super) fn as_block(&self, format: &Format, key: &str) -> Option<Hash> {
        let below = key.strip_prefix(&self.blocks())?;
        let hash = as_hash(below.rsplit('/').next()?)?;
        (Self::block_below(format, &hash) == below).then_some(hash)
    }

    pub(super) fn channels(&self) -> String {
        format!("{}channels/", self.root)
    }

    pub(super) fn channel(&self, channel: &PublicKey) -> String {
        format!("{}{channel}/", self.channels())
    }

    pub(super) fn event(&self, channel: &PublicKey, hash: &Hash) -> String {
        format!("{}{hash}{SUFFIX}", self.channel(channel))
    }

    /// The event that is kept under this key, and its channel; `None` for a key no event has.
    pub(super) fn as_event(&self, key: &str) -> Option<(PublicKey, Hash)> {
        let (channel, name) = key.strip_prefix(&self.channels())?.split_once('/')?;
        Some((channel.parse().ok()?, as_hash(name)?))
    }

    /// What is written anew with each event of a channel.
    pub(super) fn changed(&self, channel: &PublicKey) -> String {
        format!("{}changed/{channel}", self.root)
    }

    pub(super) fn staging(&self) -> String {
        format!("{}staging/", self.root)
    }

    pub(super) fn quarantine(&self) -> String {
        format!("{}quarantine/", self.root)
    }

    /// Where damaged bytes found under a key go: named by what they are, so that doing it twice is doing it once.
    pub(super) fn quarantined(&self, key: &str, found: &Hash) -> String {
        let below = key.strip_prefix(&self.root).unwrap_or(key);
        let below = below.strip_suffix(SUFFIX).unwrap_or(below);
        format!("{}{below}/{found}{SUFFIX}", self.quarantine())
    }
}

fn as_hash(name: &str) -> Option<Hash> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::hash::HashAlgorithm;
    use super::*;

    #[test]
    fn the_seeds_layout_is_the_default() {
        let names = Names::below("");
        let hash = HashAlgorithm::Sha256.hash(b"abc");
        let format = Format::default();
        assert_eq!(names.block(&format, &hash), format!("blocks/{hash}.bin"));
        let channel = PublicKey::new([4, 0xab]).unwrap();
        assert_eq!(names.event(&channel, &hash), format!("channels/04ab/{hash}.bin"));
    }

    #[test]
    fn only_the_one_key_of_a_block_is_one() {
        let hash = HashAlgorithm::Sha256.hash(b"abc");
        for fan_out in 0..=2 {
            let format = Format {
                fan_out,
                ..Format::default()
            };
            let names = Names::below("/vault/");
            let key = names.block(&format, &hash);
            assert_eq!(key.matches('/').count(), 2 + usize::from(fan_out));
            assert_eq!(names.as_block(&format, &key), Some(hash));
            for other in [
                key.replace("blocks/", "blocks/x/"),
                key.replace(".bin", " (conflicted copy).bin"),
                key.replace(".bin", ".tmp"),
                key.to_uppercase(),
                key[1..].to_owned(),
            ] {
                assert_eq!(names.as_block(&format, &other), None, "{other}");
            }
        }
    }
}
