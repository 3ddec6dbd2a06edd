//! [`Change`]: what an event of a volume says, and its bytes.
//!
//! ```text
//! "VCHG"  magic
//! u8      format version, 1
//! u8      1 put, 2 delete, 3 snapshot, 4 forget a snapshot
//! u32     length of the name, then the name
//! put and snapshot: the hash of the block, then u64, its size
//! ```
//!
//! Numbers are big-endian. There is one way to write a change, and nothing may follow it.

use storage_core::{Bytes, Error, ErrorKind, Result};

use super::super::hash::Hash;
use super::check_name;

const MAGIC: &[u8] = b"VCHG";
const VERSION: u8 = 1;

/// One change of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A name gets a block.
    Put {
        /// The name.
        name: String,
        /// Its block.
        block: Hash,
        /// The bytes of the block.
        size: u64,
    },
    /// A name is taken out.
    Delete {
        /// The name.
        name: String,
    },
    /// All names as they were are kept under a label.
    Snapshot {
        /// The label.
        label: String,
        /// The block they are written in.
        block: Hash,
        /// The bytes of that block.
        size: u64,
    },
    /// A snapshot is not needed any more.
    Forget {
        /// Its label.
        label: String,
    },
}

impl Change {
    /// The payload of the event.
    ///
    /// # Errors
    /// `InvalidName` for a name that cannot be one.
    pub fn encode(&self) -> Result<Bytes> {
        let (kind, name, block) = match self {
            Self::Put { name, block, size } => (1, name, Some((block, size))),
            Self::Delete { name } => (2, name, None),
            Self::Snapshot { label, block, size } => (3, label, Some((block, size))),
            Self::Forget { label } => (4, label, None),
        };
        check_name(name)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend([VERSION, kind]);
        bytes.extend(u32::try_from(name.len()).unwrap_or_default().to_be_bytes());
        bytes.extend(name.as_bytes());
        if let Some((block, size)) = block {
            bytes.extend(block.as_bytes());
            bytes.extend(size.to_be_bytes());
        }
        Ok(bytes.into())
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// `Corrupt` for anything that is not the one way to write a change; `FormatTooNew`.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let malformed = || Error::new(ErrorKind::Corrupt, "this is no change of a volume");
        let rest = payload.strip_prefix(MAGIC).ok_or_else(malformed)?;
        let (version, rest) = rest.split_first().ok_or_else(malformed)?;
        if *version > VERSION {
            return Err(Error::new(
                ErrorKind::FormatTooNew,
                format!("a change of format {version}, where this program knows {VERSION}; upgrade it"),
            ));
        }
        let (kind, rest) = rest.split_first().ok_or_else(malformed)?;
        let (length, rest) = rest.split_first_chunk().ok_or_else(malformed)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| malformed())?;
        let (name, rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
        let name = std::str::from_utf8(name).map_err(|_| malformed())?.to_owned();
        if *version != VERSION || check_name(&name).is_err() {
            return Err(malformed());
        }
        let block = || {
            let (block, rest) = rest.split_first_chunk::<{ Hash::BYTES }>()?;
            let size: [u8; 8] = rest.try_into().ok()?;
            Some((Hash::from_bytes(*block), u64::from_be_bytes(size)))
        };
        match (kind, rest.is_empty()) {
            (1, false) => block().map(|(block, size)| Self::Put { name, block, size }),
            (2, true) => Some(Self::Delete { name }),
            (3, false) => block().map(|(block, size)| Self::Snapshot {
                label: name,
                block,
                size,
            }),
            (4, true) => Some(Self::Forget { label: name }),
            _ => None,
        }
        .ok_or_else(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_one_text() {
        let (name, label) = ("ä/b".to_owned(), "monday".to_owned());
        let (block, size) = (Hash::from_bytes([7; 32]), 1 << 40);
        for change in [
            Change::Put {
                name: name.clone(),
                block,
                size,
            },
            Change::Delete { name },
            Change::Snapshot {
                label: label.clone(),
                block,
                size,
            },
            Change::Forget { label },
        ] {
            let bytes = change.encode().unwrap();
            assert_eq!(Change::decode(&bytes).unwrap(), change);
            for cut in 0..bytes.len() {
                assert!(Change::decode(&bytes[..cut]).is_err(), "{change:?} cut at {cut}");
            }
            let longer = [&bytes, &b"\0"[..]].concat();
            assert!(Change::decode(&longer).is_err(), "{change:?} with more");
        }
    }

    #[test]
    fn a_newer_change_is_named() {
        let error = Change::decode(b"VCHG\x02\x01").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FormatTooNew);
    }
}
