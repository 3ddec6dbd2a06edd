//! The version of a file: what a writer put there, folded with what a foreign edit would change.
//!
//! A file that others put there has no such mark; its version is made of inode, size and times, and is as good as those: an edit
//! that keeps them all goes unnoticed.

use rustix::fd::BorrowedFd;
use rustix::fs::{Stat, Timespec, fgetxattr};
use rustix::io::{Errno, Result};
use sha2::{Digest, Sha256};
use storage_core::{ObjectMeta, Timestamp, Version, random_u128};

use crate::settled::now;
use crate::system::System;

/// The attribute that holds the nonce. `user.` is the one namespace any owner of a file may write.
pub(crate) const ATTRIBUTE: &str = "user.storage.version";

/// What it holds. `None` where there is none, or none of ours.
pub(crate) type Attribute = Option<[u8; 16]>;

/// Where a root keeps the nonce of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Keeping {
    /// In an extended attribute.
    Attribute,
    /// In the modification time.
    ModificationTime,
}

impl Keeping {
    /// Marks a file that is written whole and about to replace `current`, so that its version is new.
    pub(crate) fn seal(self, system: &System, file: BorrowedFd<'_>, current: Option<&Stat>) -> Result<()> {
        match self {
            Self::Attribute => system.set_attribute(file, ATTRIBUTE, &random_u128().to_le_bytes()),
            Self::ModificationTime => system.set_time(file, next_time(current.map(modified))),
        }
    }

    /// The attribute of an open file, where this is what a version is made of.
    pub(crate) fn attribute(self, file: BorrowedFd<'_>) -> Result<Attribute> {
        if self == Self::ModificationTime {
            return Ok(None);
        }
        let mut nonce = [0; 16];
        match fgetxattr(file, ATTRIBUTE, &mut nonce) {
            Ok(16) => Ok(Some(nonce)),
            // Somebody else's file, or somebody else's attribute.
            Ok(_) | Err(Errno::NODATA | Errno::RANGE | Errno::OPNOTSUPP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The version of a file that has this attribute.
    pub(crate) fn version(self, stat: &Stat, attribute: Attribute) -> Version {
        let (seconds, nanos) = modified(stat);
        let mut hash = Sha256::new();
        match (self, attribute) {
            (Self::Attribute, Some(nonce)) => {
                hash.update(b"written");
                hash.update(nonce);
            }
            (Self::Attribute, None) => {
                hash.update(b"foreign");
                hash.update(number(stat.st_ino));
                hash.update(number(stat.st_ctime));
                hash.update(number(stat.st_ctime_nsec));
            }
            // Not the change time: publishing changes it after the version is known.
            (Self::ModificationTime, _) => {
                hash.update(b"timed");
                hash.update(number(stat.st_ino));
            }
        }
        hash.update(number(stat.st_size));
        hash.update(seconds.to_le_bytes());
        hash.update(nanos.to_le_bytes());
        let mut bits = [0; 16];
        bits.copy_from_slice(&hash.finalize()[..16]);
        Version::from_u128(u128::from_le_bytes(bits))
    }

    /// Size, version and time of a file that has this attribute.
    pub(crate) fn meta(self, stat: &Stat, attribute: Attribute) -> ObjectMeta {
        let (seconds, nanos) = modified(stat);
        let modified = Timestamp::from_millis(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000));
        ObjectMeta {
            size: size(stat),
            version: self.version(stat, attribute),
            modified: Some(modified),
        }
    }
}

/// Bytes in a file.
pub(crate) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// Modification time: seconds and nanoseconds. The fields' types differ from system to system.
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_wrap,
    reason = "not unnecessary everywhere"
)]
pub(crate) fn modified(stat: &Stat) -> (i64, i64) {
    (stat.st_mtime as i64, stat.st_mtime_nsec as i64)
}

fn number<N: TryInto<i128>>(number: N) -> [u8; 16] {
    number.try_into().unwrap_or(i128::MIN).to_le_bytes()
}

/// A time later than any the file had, and random below the second.
fn next_time(current: Option<(i64, i64)>) -> Timespec {
    let now = now().unwrap_or(0);
    let nanos = i64::try_from(random_u128() % 1_000_000_000).unwrap_or(0);
    let (tv_sec, tv_nsec) = match current {
        Some((seconds, before)) if seconds >= now => {
            if nanos > before {
                (seconds, nanos)
            } else {
                (seconds + 1, nanos)
            }
        }
        _ => (now, nanos),
    };
    Timespec { tv_sec, tv_nsec }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_never_given_twice() {
        let mut last = (0, 0);
        for _ in 0..10_000 {
            let next = next_time(Some(last));
            assert!((next.tv_sec, next.tv_nsec) > last);
            last = (next.tv_sec, next.tv_nsec);
        }
    }
}
