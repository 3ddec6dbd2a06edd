//! [`Tree`]: a state as files.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use rustix::fd::AsFd;
use rustix::fs::{Timespec, XattrFlags};

use super::disk::{Content, Node};
use crate::system::System;
use crate::version::ATTRIBUTE;

/// Directories in which names are random and files are never read: what stays in them after a crash matters only as a whole.
pub(super) const SCRATCH: [&str; 2] = ["staging", "locks"];

/// A disk after a crash: names and contents, all durable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    pub(super) top: Branch,
    pub(super) files: BTreeMap<Node, Content>,
}

pub(super) type Branch = BTreeMap<String, Item>;

#[derive(Debug, Clone)]
pub(super) enum Item {
    Directory(Branch),
    File(Node),
}

pub(super) fn nodes_in(branch: &Branch, nodes: &mut BTreeSet<Node>) {
    for item in branch.values() {
        match item {
            Item::Directory(branch) => nodes_in(branch, nodes),
            Item::File(node) => {
                nodes.insert(*node);
            }
        }
    }
}

impl Tree {
    /// The same for two states no program of ours can tell apart: names of temporaries are random and what is in them is not read, so
    /// it only counts whether some are left, and which of them are published files.
    pub(crate) fn digest(&self) -> u64 {
        let mut published = BTreeMap::new();
        published_in(&self.top, "", &mut published);
        let mut hasher = DefaultHasher::new();
        self.hash_branch(&self.top, &published, &mut hasher);
        hasher.finish()
    }

    fn hash_branch(&self, branch: &Branch, published: &BTreeMap<Node, String>, hasher: &mut DefaultHasher) {
        branch.len().hash(hasher);
        for (name, item) in branch {
            name.hash(hasher);
            match item {
                Item::Directory(inside) if SCRATCH.contains(&name.as_str()) => {
                    let mut nodes = BTreeSet::new();
                    nodes_in(inside, &mut nodes);
                    let names: BTreeSet<Option<&String>> =
                        nodes.iter().map(|node| published.get(node)).collect();
                    names.hash(hasher);
                }
                Item::Directory(inside) => self.hash_branch(inside, published, hasher),
                Item::File(node) => self.files.get(node).hash(hasher),
            }
        }
    }

    /// Makes real files of it.
    pub(crate) fn put_on(&self, directory: &Path) -> std::io::Result<()> {
        let mut made = BTreeMap::new();
        self.put_branch(&self.top, directory, &mut made)
    }

    fn put_branch(
        &self,
        branch: &Branch,
        directory: &Path,
        made: &mut BTreeMap<Node, PathBuf>,
    ) -> std::io::Result<()> {
        for (name, item) in branch {
            let path = directory.join(name);
            match item {
                Item::Directory(inside) => {
                    std::fs::create_dir(&path)?;
                    self.put_branch(inside, &path, made)?;
                }
                Item::File(node) => match made.get(node) {
                    Some(first) => std::fs::hard_link(first, &path)?,
                    None => {
                        let content = self.files.get(node).cloned().unwrap_or_default();
                        put_file(&path, &content)?;
                        made.insert(*node, path);
                    }
                },
            }
        }
        Ok(())
    }
}

fn put_file(path: &Path, content: &Content) -> std::io::Result<()> {
    use std::io::Write;

    let mut file = std::fs::File::create_new(path)?;
    file.write_all(&content.bytes)?;
    if let Some(value) = &content.attribute {
        rustix::fs::fsetxattr(&file, ATTRIBUTE, value, XattrFlags::empty())?;
    }
    let time = Timespec {
        tv_sec: content.time.0,
        tv_nsec: content.time.1,
    };
    Ok(System::default().set_time(file.as_fd(), time)?)
}

fn published_in(branch: &Branch, path: &str, published: &mut BTreeMap<Node, String>) {
    for (name, item) in branch {
        let path = format!("{path}/{name}");
        match item {
            Item::Directory(_) if SCRATCH.contains(&name.as_str()) => {}
            Item::Directory(inside) => published_in(inside, &path, published),
            Item::File(node) => {
                published.insert(*node, path);
            }
        }
    }
}
