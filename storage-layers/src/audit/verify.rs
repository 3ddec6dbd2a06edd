//! [`AuditTrail`]: reads the log, and finds what was done to it.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use storage_core::{Error, Name, Result, StorageAdapter};

use super::AuditKey;
use super::entry::{AuditEntry, AuditPhase, Hash};
use super::journal::read_head;

const PAGE: usize = 1000;

/// An audit log, to be read.
#[derive(Debug, Clone)]
pub struct AuditTrail {
    place: Arc<dyn StorageAdapter>,
    log: Name,
    key: Option<AuditKey>,
}

/// A state of the log: how many entries, and the hash of the last. Kept elsewhere it shows if log and head were put back together.
///
/// As text it is `number:hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditAnchor {
    /// How many entries there were.
    pub entries: u64,
    /// The hash of the last, in hexadecimal.
    pub hash: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// How many entries there are.
    pub entries: u64,
    /// Changes that began and of which no end is recorded.
    pub unfinished: u64,
    /// The present state, to be kept elsewhere.
    pub anchor: AuditAnchor,
    /// What is wrong; nothing, if all is well.
    pub problems: Vec<AuditProblem>,
}

/// What was done to a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "problem")]
#[non_exhaustive]
pub enum AuditProblem {
    /// The chain breaks before this entry: the one before it was changed, or some between them were removed or added.
    Broken {
        /// The entry whose hash of the one before is not that one's.
        number: u64,
    },
    /// The log ends before the entry its head or the anchor knows of.
    Cut {
        /// How many entries there must be.
        expected: u64,
    },
    /// The last entry the head or the anchor knows of is another one.
    Other {
        /// How many entries that was about.
        expected: u64,
    },
    /// An entry stands where it does not belong.
    Moved {
        /// Where it stands.
        number: u64,
        /// The number it has.
        has: u64,
    },
    /// There are entries and no head: it was taken away, so what was cut off cannot be told. A crash does not leave that behind.
    NoHead,
    /// This is no audit entry.
    Unreadable {
        /// Where it stands.
        number: u64,
    },
}

impl AuditTrail {
    /// The log of this name, whose hashes are made with this key, if any.
    ///
    /// # Errors
    /// `InvalidName`.
    pub fn new(place: Arc<dyn StorageAdapter>, log: &str, key: Option<AuditKey>) -> Result<Self> {
        Ok(Self::of(place, Name::new(log)?, key))
    }

    pub(super) const fn of(place: Arc<dyn StorageAdapter>, log: Name, key: Option<AuditKey>) -> Self {
        Self { place, log, key }
    }

    /// The last so many entries, the oldest first. What is no entry is left out; [`verify`](Self::verify) tells of it.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn tail(&self, entries: u64) -> Result<Vec<AuditEntry>> {
        let end = self.place.read_log(&self.log, u64::MAX, 1).await?.end;
        let (mut from, mut found) = (end.saturating_sub(entries), Vec::new());
        loop {
            let page = self.place.read_log(&self.log, from, PAGE).await?;
            let Some(last) = page.entries.last() else {
                return Ok(found);
            };
            from = last.sequence + 1;
            found.extend(
                page.entries
                    .iter()
                    .filter_map(|entry| AuditEntry::read(&entry.bytes)),
            );
        }
    }

    /// Reads everything and checks it against itself, against the head, and against an earlier state if one is given.
    ///
    /// # Errors
    /// Those of the storage. What is wrong with the log is in the report.
    pub async fn verify(&self, earlier: Option<&AuditAnchor>) -> Result<AuditReport> {
        // The head first: the log only grows.
        let head = read_head(&*self.place, &self.log)
            .await?
            .map(|(head, _)| AuditAnchor {
                entries: head.next,
                hash: head.last.to_hex(),
            });
        let known: Vec<&AuditAnchor> = head.iter().chain(earlier).collect();
        let mut walk = Walk {
            previous: Hash::first(self.log.as_str(), self.key.as_ref()),
            next: 0,
            open: HashSet::new(),
            problems: Vec::new(),
        };
        walk.compare(&known);
        loop {
            let page = self.place.read_log(&self.log, walk.next, PAGE).await?;
            if page.entries.is_empty() {
                break;
            }
            for entry in page.entries {
                walk.step(&entry.bytes, self.key.as_ref());
                walk.compare(&known);
            }
        }
        for anchor in known.iter().filter(|anchor| anchor.entries > walk.next) {
            walk.problems.push(AuditProblem::Cut {
                expected: anchor.entries,
            });
        }
        if head.is_none() && walk.next > 0 {
            walk.problems.push(AuditProblem::NoHead);
        }
        Ok(AuditReport {
            entries: walk.next,
            unfinished: walk.open.len() as u64,
            anchor: AuditAnchor {
                entries: walk.next,
                hash: walk.previous.to_hex(),
            },
            problems: walk.problems,
        })
    }
}

struct Walk {
    previous: Hash,
    next: u64,
    /// Calls that began and did not end yet.
    open: HashSet<String>,
    problems: Vec<AuditProblem>,
}

impl Walk {
    fn step(&mut self, bytes: &[u8], key: Option<&AuditKey>) {
        let number = self.next;
        match AuditEntry::read(bytes) {
            None => self.problems.push(AuditProblem::Unreadable { number }),
            Some(entry) => {
                if entry.number != number {
                    self.problems.push(AuditProblem::Moved {
                        number,
                        has: entry.number,
                    });
                }
                if entry.previous != self.previous.to_hex() {
                    self.problems.push(AuditProblem::Broken { number });
                }
                match entry.phase {
                    AuditPhase::Began => {
                        self.open.insert(entry.call);
                    }
                    AuditPhase::Ended => {
                        self.open.remove(&entry.call);
                    }
                    AuditPhase::Did => {}
                }
            }
        }
        self.previous = Hash::of(bytes, key);
        self.next += 1;
    }

    /// Compares with what is known about a log of this length.
    fn compare(&mut self, known: &[&AuditAnchor]) {
        for anchor in known.iter().filter(|anchor| anchor.entries == self.next) {
            if anchor.hash != self.previous.to_hex() {
                self.problems.push(AuditProblem::Other {
                    expected: anchor.entries,
                });
            }
        }
    }
}

impl fmt::Display for AuditAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entries, self.hash)
    }
}

impl FromStr for AuditAnchor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once(':').and_then(|(entries, hash)| {
            let entries = entries.parse().ok()?;
            Hash::from_hex(hash).map(|hash| Self {
                entries,
                hash: hash.to_hex(),
            })
        });
        parts.ok_or_else(|| {
            Error::invalid_argument("a state of an audit log is written number:hash, as verify gives it")
        })
    }
}

impl fmt::Display for AuditProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { number } => write!(
                f,
                "the chain breaks before entry {number}: what stood before it was changed, removed or added to"
            ),
            Self::Cut { expected } => write!(
                f,
                "it ends before entry {expected}, which is known to have been there"
            ),
            Self::Other { expected } => {
                write!(
                    f,
                    "of its first {expected} entries the last is not the one that is known"
                )
            }
            Self::Moved { number, has } => write!(f, "entry {has} stands in the place of entry {number}"),
            Self::NoHead => f.write_str(
                "its head was taken away; whether entries were cut off behind the last one cannot be told",
            ),
            Self::Unreadable { number } => write!(f, "entry {number} is no audit entry"),
        }
    }
}
