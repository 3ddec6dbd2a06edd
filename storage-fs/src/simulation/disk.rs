//! A disk that keeps only what it was told to keep: data, attributes and names of files are durable each by itself, and only once the
//! file, or the directory, was synced.

use std::collections::BTreeMap;

use super::event::{Event, Synced};

/// A file or directory, whatever its names.
pub(crate) type Node = usize;

/// What is durable, and what may or may not have become so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) nodes: BTreeMap<Node, Thing>,
}

#[derive(Debug, Clone)]
pub(crate) enum Thing {
    Directory(Directory),
    File(File),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    pub(crate) durable: BTreeMap<String, Node>,
    /// What names came to mean since, in order.
    pub(crate) pending: Vec<(String, Option<Node>)>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    pub(crate) durable: Content,
    pub(crate) pending: Vec<Effect>,
}

/// All there is to a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) attribute: Option<Vec<u8>>,
    pub(crate) time: (i64, i64),
}

/// One thing done to a file, each durable by itself.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Write {
        at: u64,
        bytes: Vec<u8>,
        time: (i64, i64),
    },
    Truncate {
        length: u64,
        time: (i64, i64),
    },
    Attribute(Vec<u8>),
    Time((i64, i64)),
}

/// How much of a write reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Nothing,
    Whole,
    /// The file is as long as it was to be, and where bytes were to be is NUL.
    Length,
    /// The first half, and the file ends there.
    Cut,
    /// The first half, and then NUL.
    Beginning,
    /// NUL, and then the second half.
    End,
}

impl Disk {
    pub(crate) fn add_directory(&mut self, node: Node) {
        self.nodes.insert(node, Thing::Directory(Directory::default()));
    }

    pub(crate) fn add_file(&mut self, node: Node, durable: Content) {
        let pending = Vec::new();
        self.nodes.insert(node, Thing::File(File { durable, pending }));
    }

    pub(crate) fn add_name(&mut self, directory: Node, name: &str, node: Node) {
        self.directory(directory).durable.insert(name.to_owned(), node);
    }

    /// Lets one thing happen.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Directory(node) => self.add_directory(*node),
            Event::Name {
                directory,
                name,
                means,
            } => {
                if let Some(node) = means {
                    self.nodes
                        .entry(*node)
                        .or_insert_with(|| Thing::File(File::default()));
                }
                self.directory(*directory).pending.push((name.clone(), *means));
            }
            Event::Write {
                file,
                at,
                bytes,
                time,
            } => self.effect(
                *file,
                Effect::Write {
                    at: *at,
                    bytes: bytes.clone(),
                    time: *time,
                },
            ),
            Event::Truncate { file, length, time } => self.effect(
                *file,
                Effect::Truncate {
                    length: *length,
                    time: *time,
                },
            ),
            Event::Attribute { file, value } => self.effect(*file, Effect::Attribute(value.clone())),
            Event::Time { file, time } => self.effect(*file, Effect::Time(*time)),
            Event::Sync { node, what } => self.sync(*node, *what),
            Event::Answered(_) | Event::Skipped => {}
        }
    }

    /// Makes everything durable.
    pub(crate) fn settle(&mut self) {
        let nodes: Vec<Node> = self.nodes.keys().copied().collect();
        for node in nodes {
            self.sync(node, Synced::File);
        }
    }

    fn sync(&mut self, node: Node, what: Synced) {
        match self.nodes.get_mut(&node) {
            Some(Thing::Directory(directory)) => {
                for (name, means) in directory.pending.drain(..) {
                    match means {
                        Some(node) => directory.durable.insert(name, node),
                        None => directory.durable.remove(&name),
                    };
                }
            }
            Some(Thing::File(file)) => {
                // Attributes and times are nothing one needs for reading.
                let data = |effect: &Effect| matches!(effect, Effect::Write { .. } | Effect::Truncate { .. });
                let (synced, rest) = std::mem::take(&mut file.pending)
                    .into_iter()
                    .partition(|effect| what != Synced::Data || data(effect));
                file.pending = rest;
                for effect in synced {
                    file.durable.apply(&effect, Part::Whole);
                }
            }
            None => panic!("node {node} was synced before it was there"),
        }
    }

    fn effect(&mut self, node: Node, effect: Effect) {
        match self.nodes.get_mut(&node) {
            Some(Thing::File(file)) => file.pending.push(effect),
            other => panic!("node {node} is {other:?} and was written"),
        }
    }

    fn directory(&mut self, node: Node) -> &mut Directory {
        match self.nodes.get_mut(&node) {
            Some(Thing::Directory(directory)) => directory,
            other => panic!("node {node} is {other:?} and no directory"),
        }
    }
}

impl Content {
    pub(crate) fn apply(&mut self, effect: &Effect, part: Part) {
        if part == Part::Nothing {
            return;
        }
        match effect {
            Effect::Write { at, bytes, time } => {
                self.write(usize::try_from(*at).unwrap_or(usize::MAX), bytes, part);
                self.time = *time;
            }
            Effect::Truncate { length, time } => {
                self.bytes.resize(usize::try_from(*length).unwrap_or(0), 0);
                self.time = *time;
            }
            Effect::Attribute(value) => self.attribute = Some(value.clone()),
            Effect::Time(time) => self.time = *time,
        }
    }

    fn write(&mut self, at: usize, bytes: &[u8], part: Part) {
        let half = bytes.len() / 2;
        let end = if part == Part::Cut {
            at + half
        } else {
            at + bytes.len()
        };
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        match part {
            Part::Nothing | Part::Length => {}
            Part::Whole => self.bytes[at..end].copy_from_slice(bytes),
            Part::Cut | Part::Beginning => self.bytes[at..at + half].copy_from_slice(&bytes[..half]),
            Part::End => self.bytes[at + half..end].copy_from_slice(&bytes[half..]),
        }
    }
}
