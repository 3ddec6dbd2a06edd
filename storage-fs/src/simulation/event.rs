//! [`Event`]: what a call did to the disk.

use std::fmt;

use super::disk::Node;

/// One thing that happened, with all that is needed to make it happen again on a [`Disk`](super::disk::Disk).
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A name in a directory now means this node, or nothing. One call can do several of these at once.
    Name {
        directory: Node,
        name: String,
        means: Option<Node>,
    },
    /// The node now exists, an empty directory. Its name is told by the next event.
    Directory(Node),
    /// Bytes of a file.
    Write {
        file: Node,
        at: u64,
        bytes: Vec<u8>,
        time: (i64, i64),
    },
    Truncate {
        file: Node,
        length: u64,
        time: (i64, i64),
    },
    Attribute {
        file: Node,
        value: Vec<u8>,
    },
    Time {
        file: Node,
        time: (i64, i64),
    },
    Sync {
        node: Node,
        what: Synced,
    },
    /// The operation of this number was acknowledged, or refused.
    Answered(usize),
    /// In place of one that was left out.
    Skipped,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name {
                directory,
                name,
                means: Some(node),
            } => write!(f, "the name {name} of {node} in {directory}"),
            Self::Name { directory, name, .. } => write!(f, "the end of the name {name} in {directory}"),
            Self::Directory(node) => write!(f, "the making of directory {node}"),
            Self::Write { file, at, bytes, .. } => write!(f, "{} bytes at {at} of {file}", bytes.len()),
            Self::Truncate { file, length, .. } => write!(f, "the cut of {file} at {length}"),
            Self::Attribute { file, .. } => write!(f, "the attribute of {file}"),
            Self::Time { file, .. } => write!(f, "the time of {file}"),
            Self::Sync { node, what } => write!(f, "the sync of {what:?} {node}"),
            Self::Answered(operation) => write!(f, "the answer to operation {operation}"),
            Self::Skipped => write!(f, "what was left out"),
        }
    }
}

/// How much of a node was made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Synced {
    File,
    Data,
    Directory,
}
