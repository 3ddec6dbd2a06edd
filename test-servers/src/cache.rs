//! Where installed servers are kept: a cache of the user's, outside the clone, a directory for each version.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::Result;

/// `$XDG_CACHE_HOME/storage-servers`, or `~/.cache/storage-servers`.
pub(crate) fn directory() -> Result<PathBuf> {
    // A relative one is to be ignored (XDG Base Directory Specification).
    let named = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let cache = named.or_else(|| env::home_dir().map(|home| home.join(".cache")));
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor a home directory is known")?;
    Ok(cache.join("storage-servers"))
}

/// The install of this name, if it is complete.
pub(crate) fn installed(name: &str) -> Result<Option<PathBuf>> {
    let path = directory()?.join(name);
    Ok(path.is_dir().then_some(path))
}

/// An install being made: a directory beside its future place, which only [`Building::finish`] gives its name. Whoever holds it is
/// the only one on this machine.
#[derive(Debug)]
pub(crate) struct Building {
    path: PathBuf,
    place: PathBuf,
    _lock: File,
}

impl Building {
    /// Waits while others install the same; nothing to build when they did.
    pub(crate) async fn begin(name: &str) -> Result<Option<Self>> {
        let cache = directory()?;
        let name = name.to_owned();
        tokio::task::spawn_blocking(move || Self::begin_in(&cache, &name)).await?
    }

    fn begin_in(cache: &Path, name: &str) -> Result<Option<Self>> {
        fs::create_dir_all(cache)?;
        let lock = File::create(cache.join(format!("{name}.lock")))?;
        lock.lock()?;
        let place = cache.join(name);
        if place.is_dir() {
            return Ok(None);
        }
        // What is there was left by one that died: it held the lock.
        let path = cache.join(format!("{name}.building"));
        remove(&path)?;
        fs::create_dir(&path)?;
        Ok(Some(Self {
            path,
            place,
            _lock: lock,
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the output of the commands goes; it stays when they fail.
    pub(crate) fn log(&self) -> PathBuf {
        let mut log = self.place.clone().into_os_string();
        log.push(".log");
        log.into()
    }

    /// Gives it its name.
    pub(crate) fn finish(self) -> Result<PathBuf> {
        fs::rename(&self.path, &self.place)?;
        Ok(self.place)
    }
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_install_is_there_when_it_is_finished() {
        let cache = tempfile::tempdir().unwrap();
        let first = Building::begin_in(cache.path(), "thing-1").unwrap().unwrap();
        fs::write(first.path().join("half"), "").unwrap();
        drop(first); // died

        let second = Building::begin_in(cache.path(), "thing-1").unwrap().unwrap();
        assert_eq!(fs::read_dir(second.path()).unwrap().count(), 0);
        assert!(!cache.path().join("thing-1").exists());
        let place = second.finish().unwrap();
        assert!(place.is_dir());
        assert!(Building::begin_in(cache.path(), "thing-1").unwrap().is_none());
    }

    #[test]
    fn the_second_waits_for_the_first() {
        let cache = tempfile::tempdir().unwrap();
        let first = Building::begin_in(cache.path(), "thing-1").unwrap().unwrap();
        let path = cache.path().to_owned();
        let second = std::thread::spawn(move || Building::begin_in(&path, "thing-1").unwrap().is_none());
        first.finish().unwrap();
        assert!(second.join().unwrap(), "built twice");
    }
}
