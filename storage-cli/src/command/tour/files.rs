//! Which files there are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};
use storage_factory::{Factory, Place, StorageUrl};
use tokio::sync::mpsc;

use crate::failure::{Failure, Result};
use crate::session::Said;

/// How many files wait between the walk and those who store them.
const WAITING: usize = 64;

/// The files of a directory, without what is ignored, `.git`, and the storage's own.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    own: Vec<PathBuf>,
}

/// A file to store.
#[derive(Debug)]
pub(super) struct File {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its path under the root, with `/`.
    pub(super) name: String,
}

/// What the walk meets: a file, or why one is left out.
pub(super) type Met = Result<File, String>;

impl Files {
    /// `root` is canonical, and the storage open, so that its own files are there to be recognised.
    pub(super) fn new(root: PathBuf, factory: &Factory, said: &Said) -> Result<Self> {
        let (first, second) = said.urls();
        let own: Vec<PathBuf> = std::iter::once(first)
            .chain(second)
            .flat_map(|url| own_files(factory, url))
            .collect();
        if own.iter().any(|own| root.starts_with(own)) {
            return Err(Failure::Usage(format!(
                "{} is the storage itself; name another directory",
                root.display()
            )));
        }
        Ok(Self { root, own })
    }

    /// Every file of a directory, in a test.
    #[cfg(test)]
    pub(super) const fn of(root: PathBuf) -> Self {
        Self {
            root,
            own: Vec::new(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Walks on a thread of its own, which ends when nobody listens any more.
    pub(super) fn walk(self) -> mpsc::Receiver<Met> {
        let (tell, met) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let Self { root, own } = self;
            let walk = WalkBuilder::new(&root)
                .hidden(false)
                .require_git(false)
                .sort_by_file_name(Ord::cmp)
                .filter_entry(move |entry| {
                    entry.file_name() != ".git" && !own.iter().any(|own| own == entry.path())
                })
                .build();
            for entry in walk {
                let met = match entry {
                    Ok(entry) => file(&root, entry),
                    Err(error) => Some(Err(error.to_string())),
                };
                if let Some(met) = met
                    && tell.blocking_send(met).is_err()
                {
                    return;
                }
            }
        });
        met
    }
}

/// A regular file as something to store; directories and links are nothing.
fn file(root: &Path, entry: DirEntry) -> Option<Met> {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return None;
    }
    let path = entry.into_path();
    let relative = path.strip_prefix(root).unwrap_or(&path);
    let segments: Option<Vec<&str>> = relative.iter().map(|segment| segment.to_str()).collect();
    Some(match segments {
        Some(segments) => Ok(File {
            name: segments.join("/"),
            path,
        }),
        None => Err(format!("{}: the name is not UTF-8", path.display())),
    })
}

/// Where a storage keeps its files, if on this machine.
fn own_files(factory: &Factory, url: &StorageUrl) -> Vec<PathBuf> {
    let path = Path::new(url.path());
    match factory
        .scheme(url.scheme())
        .map(storage_factory::Scheme::place_kind)
    {
        Some(Place::Directory) => path.canonicalize().into_iter().collect(),
        // SQLite keeps its log and an index of it beside the database.
        Some(Place::File) => path.canonicalize().map_or(Vec::new(), |path| {
            ["", "-wal", "-shm", "-journal"]
                .map(|suffix| {
                    let mut name: OsString = path.clone().into_os_string();
                    name.push(suffix);
                    PathBuf::from(name)
                })
                .into()
        }),
        _ => Vec::new(),
    }
}
