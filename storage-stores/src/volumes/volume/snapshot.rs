//! [`Snapshot`]: all names as they were, in a block of their own.
//!
//! ```text
//! "VSNP"  magic
//! u8      format version, 1
//! u64     number of names, then for each, ascending:
//!         u32 length of the name, the name, the hash of its block, u64 its size, the hash of its event
//! ```
//!
//! Numbers are big-endian. The same names with the same blocks from the same events are the same bytes, and so the same block.

use std::collections::BTreeMap;

use storage_core::{Bytes, Error, ErrorKind, Result};

use super::super::hash::Hash;
use super::{Change, Entry, Volume, check_name};

const MAGIC: &[u8] = b"VSNP";
const VERSION: u8 = 1;

/// All names of a volume as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    volume_entries: BTreeMap<String, Entry>,
}

impl Snapshot {
    /// What a name had; `None` where it had nothing.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.volume_entries.get(name)
    }

    /// What every name had, in the byte order of names.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.volume_entries.values()
    }

    fn encode<'a>(entries: impl ExactSizeIterator<Item = &'a Entry>) -> Bytes {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend((entries.len() as u64).to_be_bytes());
        for entry in entries {
            let length = u32::try_from(entry.name.len()).unwrap_or_default();
            bytes.extend(length.to_be_bytes());
            bytes.extend(entry.name.as_bytes());
            bytes.extend(entry.block.as_bytes());
            bytes.extend(entry.size.to_be_bytes());
            bytes.extend(entry.event.as_bytes());
        }
        bytes.into()
    }

    /// Reads a block that a snapshot was written to.
    ///
    /// # Errors
    /// `Corrupt` for anything that is not the one way to write a snapshot; `FormatTooNew`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(malformed)?;
        let (version, rest) = rest.split_first().ok_or_else(malformed)?;
        match *version {
            VERSION => {}
            0 => return Err(malformed()),
            newer => {
                return Err(Error::new(
                    ErrorKind::FormatTooNew,
                    format!("a snapshot of format {newer}, where this program knows {VERSION}; upgrade it"),
                ));
            }
        }
        Self::entries_of(rest).ok_or_else(malformed)
    }

    fn entries_of(rest: &[u8]) -> Option<Self> {
        let (count, mut rest) = rest.split_first_chunk()?;
        let count = u64::from_be_bytes(*count);
        let mut entries = BTreeMap::new();
        let mut last = String::new();
        for _ in 0..count {
            let (length, after) = rest.split_first_chunk()?;
            let (name, after) = after.split_at_checked(u32::from_be_bytes(*length).try_into().ok()?)?;
            let (block, after) = after.split_first_chunk::<{ Hash::BYTES }>()?;
            let (size, after) = after.split_first_chunk()?;
            let (event, after) = after.split_first_chunk::<{ Hash::BYTES }>()?;
            let name = std::str::from_utf8(name).ok()?.to_owned();
            if check_name(&name).is_err() || name <= last {
                return None;
            }
            last.clone_from(&name);
            let entry = Entry {
                name: name.clone(),
                block: Hash::from_bytes(*block),
                size: u64::from_be_bytes(*size),
                event: Hash::from_bytes(*event),
            };
            entries.insert(name, entry);
            rest = after;
        }
        rest.is_empty().then_some(Self {
            volume_entries: entries,
        })
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::Corrupt, "this is no snapshot of a volume")
}

impl Volume {
    /// Keeps all names as they are now under a label, whatever it stood for before. Gives the block they are written in.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn snapshot(&self, label: &str) -> Result<Hash> {
        check_name(label)?;
        self.refresh().await?;
        let bytes = Snapshot::encode(self.view().entries());
        let size = bytes.len() as u64;
        let block = self.store().blocks().put(bytes).await?;
        let change = Change::Snapshot {
            label: label.to_owned(),
            block,
            size,
        };
        let is_there = |entry: &Entry| entry.block == block;
        self.change(|view| (!view.snapshot(label).is_some_and(is_there)).then_some(change))
            .await?;
        Ok(block)
    }

    /// The labels of snapshots, each with the block it is written in and the event that said so; in the byte order of labels.
    pub fn snapshots(&self) -> Vec<Entry> {
        self.view().snapshots().cloned().collect()
    }

    /// The names of a snapshot; `None` where there is none of this label.
    ///
    /// # Errors
    /// `Corrupt` where its block is damaged, gone or no snapshot; as [`Blocks::get`](super::super::Blocks::get).
    pub async fn read_snapshot(&self, label: &str) -> Result<Option<Snapshot>> {
        let entry = self.view().snapshot(label).cloned();
        match entry {
            Some(entry) => Snapshot::decode(&self.read(&entry.block).await?).map(Some),
            None => Ok(None),
        }
    }

    /// Gives up a snapshot; `false` where there is none of this label.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub async fn forget_snapshot(&self, label: &str) -> Result<bool> {
        let change = Change::Forget {
            label: label.to_owned(),
        };
        let event = self.change(|view| view.snapshot(label).map(|_| change)).await?;
        Ok(event.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_one_text() {
        let entry = |name: &str| Entry {
            name: name.to_owned(),
            block: Hash::from_bytes([1; 32]),
            size: 3,
            event: Hash::from_bytes([2; 32]),
        };
        let entries = [entry("a"), entry("a/b"), entry("ü")];
        let bytes = Snapshot::encode(entries.iter());
        let snapshot = Snapshot::decode(&bytes).unwrap();
        assert!(snapshot.entries().eq(&entries));
        for cut in 0..bytes.len() {
            assert!(Snapshot::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Snapshot::decode(&[&bytes, &b"\0"[..]].concat()).is_err());
        let turned = Snapshot::encode(entries.iter().rev());
        assert!(Snapshot::decode(&turned).is_err(), "out of order");
        let many = [b"VSNP\x01", &u64::MAX.to_be_bytes()[..]].concat();
        assert!(Snapshot::decode(&many).is_err());
    }
}
