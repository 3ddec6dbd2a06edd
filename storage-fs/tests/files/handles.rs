//! What stays open between calls: directories, no files.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};

use storage_core::Storage;
use storage_fs::{Fs, FsConfig};

/// What this process has open below a directory.
fn open_below(directory: &Path) -> Vec<PathBuf> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|path| path.starts_with(directory))
        .collect()
}

/// A pool of open files would read on in files that were replaced, and hold them on the disk.
#[tokio::test]
async fn reads_keep_no_file_open_and_see_what_took_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap().join("data");
    let storage = Storage::new(Fs::open(FsConfig::new(&root)).await.unwrap());
    let objects = storage.objects();
    for round in 0..5 {
        for n in 0..50 {
            objects.write(format!("a/{n}"), format!("{round}")).await.unwrap();
        }
        for n in 0..50 {
            let read = objects.read(format!("a/{n}")).await.unwrap().unwrap();
            assert_eq!(read, format!("{round}"));
        }
    }
    let open = open_below(&root);
    assert!(open.contains(&root), "the root stays open: {open:?}");
    let files = open
        .iter()
        .filter(|path| path.starts_with(root.join("a")) && !path.is_dir());
    assert_eq!(files.collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    storage.close().await.unwrap();
}
