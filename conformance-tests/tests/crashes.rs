//! Processes that are killed, of a backend that is careful and of two that are not: the model finds what a crash loses and what it tears.

#![allow(clippy::unwrap_used, reason = "a backend for tests that cannot go on panics")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind as Io, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance_tests::model::{Broken, explore_with_crashes};
use conformance_tests::processes::Lane;
use conformance_tests::run_on_a_runtime;
use storage_core::{
    Area, Bytes, Declaration, DeleteRequest, Key, ListEntry, ListPage, ListRequest, MemoryBackend, Object,
    ObjectMeta, Overlay, ReadRequest, Result, StorageAdapter, StorageBackend, Version, WriteRequest,
};

/// How a process that is going to be killed writes. Every other one is careful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Aside, and then under its name in one step.
    Careful,
    /// Over what is there, piece by piece.
    InPlace,
    /// When it is closed.
    Later,
}

/// Objects as files, their version in front of their bytes.
#[derive(Debug)]
struct Files {
    directory: PathBuf,
    manner: Manner,
    /// What is to be written when it is closed.
    later: Mutex<HashMap<PathBuf, Vec<u8>>>,
    declaration: Declaration,
}

impl Files {
    fn new(directory: PathBuf, manner: Manner) -> Self {
        let is_doomed = std::env::var_os("CONFORMANCE_CHILD").is_some();
        Self {
            directory,
            manner: if is_doomed { manner } else { Manner::Careful },
            later: Mutex::default(),
            declaration: Declaration::new("files"),
        }
    }

    fn path(&self, area: Area, key: &Key) -> PathBuf {
        let hexadecimal: String = key.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(format!("{area:?}-{hexadecimal}"))
    }

    fn found(&self, area: Area, key: &Key) -> Option<(ObjectMeta, Bytes)> {
        let path = self.path(area, key);
        let later = self.later.lock().unwrap().get(&path).cloned();
        let whole = match later.map_or_else(|| fs::read(&path), Ok) {
            Err(error) if error.kind() == Io::NotFound => return None,
            whole => whole.unwrap(),
        };
        // What is cut off here reads as bytes nobody wrote.
        let (version, bytes) = whole.split_at_checked(16).unwrap_or((&[0; 16], &[]));
        let meta = ObjectMeta {
            size: bytes.len() as u64,
            version: Version::from_u128(u128::from_be_bytes(version.try_into().unwrap())),
            modified: None,
        };
        Some((meta, Bytes::copy_from_slice(bytes)))
    }

    fn keys(&self, area: Area) -> Vec<Key> {
        let prefix = format!("{area:?}-");
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.directory).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let digits = name.strip_prefix(&prefix).filter(|digits| !digits.contains('.'));
            let Some(digits) = digits else { continue };
            let pairs = digits
                .as_bytes()
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).unwrap());
            let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
            keys.push(Key::new(String::from_utf8(bytes).unwrap()).unwrap());
        }
        keys
    }
}

#[async_trait]
impl StorageBackend for Files {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let found = self.found(area, key);
        found
            .map(|(meta, bytes)| Object::answer(meta, &bytes, &request))
            .transpose()
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, _: WriteRequest) -> Result<Version> {
        let version = Version::random();
        let mut whole = version.as_u128().unwrap().to_be_bytes().to_vec();
        whole.extend_from_slice(&bytes);
        let path = self.path(area, key);
        match self.manner {
            Manner::Careful => {
                let aside = path.with_extension("new");
                fs::write(&aside, whole).unwrap();
                fs::rename(aside, path).unwrap();
            }
            Manner::InPlace => {
                let mut file = File::create(path).unwrap();
                for piece in whole.chunks(4_096) {
                    file.write_all(piece).unwrap();
                    file.sync_data().unwrap();
                }
            }
            Manner::Later => drop(self.later.lock().unwrap().insert(path, whole)),
        }
        Ok(version)
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        Ok(self.found(area, key).map(|(meta, _)| meta))
    }

    async fn delete(&self, area: Area, key: &Key, _: DeleteRequest) -> Result<()> {
        match fs::remove_file(self.path(area, key)) {
            Err(error) if error.kind() == Io::NotFound => {}
            removed => removed.unwrap(),
        }
        Ok(())
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        // The reference knows how pages are made.
        let reference = MemoryBackend::default();
        for key in self.keys(area) {
            reference
                .write(area, &key, Bytes::new(), WriteRequest::default())
                .await?;
        }
        let mut page = reference.list(area, request).await?;
        for entry in &mut page.entries {
            if let ListEntry::Object(key, Some(meta)) = entry {
                *meta = self.found(area, key).unwrap().0;
            }
        }
        Ok(page)
    }

    async fn close(&self) -> Result<()> {
        for (path, whole) in self.later.lock().unwrap().drain() {
            fs::write(path, whole).unwrap();
        }
        Ok(())
    }
}

/// What the model finds, the test of this name being what the processes run that are killed.
fn found(test: &'static str, manner: Manner) -> Option<Box<Broken>> {
    let lane = Lane::new(test, move |directory| {
        Box::pin(async move {
            let files: Arc<dyn StorageAdapter> = Arc::new(Overlay::new(Files::new(directory, manner)));
            Ok(files)
        })
    });
    lane.clone().child();
    let mut found = None;
    run_on_a_runtime(async { found = explore_with_crashes(lane, 1, 1_500).await.err() });
    found
}

#[test]
fn what_gets_its_name_in_one_step_is_whole_after_a_crash() {
    let found = found(
        "what_gets_its_name_in_one_step_is_whole_after_a_crash",
        Manner::Careful,
    );
    assert!(found.is_none(), "{}", found.unwrap());
}

#[test]
fn an_acknowledged_write_that_a_crash_loses_is_found() {
    let found = found("an_acknowledged_write_that_a_crash_loses_is_found", Manner::Later).unwrap();
    println!("{found}\n{}", found.sequence.to_json());
    assert!(
        found.sequence.has_crashes() && found.sequence.len() == 1,
        "{found}"
    );
    assert!(
        found
            .to_string()
            .contains("a process was killed that had its answer"),
        "{found}"
    );
}

#[test]
fn a_write_that_a_crash_tears_is_found() {
    let found = found("a_write_that_a_crash_tears_is_found", Manner::InPlace).unwrap();
    println!("{found}\n{}", found.sequence.to_json());
    assert!(found.sequence.has_crashes(), "{found}");
    assert!(found.to_string().contains("neither undone"), "{found}");
}
