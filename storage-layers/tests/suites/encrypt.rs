//! Encryption changes nothing but sizes, copies and queries; and the stacks one would build, on files and in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use conformance_tests::{Harness, Label, Place, Suite};
use libtest_mimic::Trial;
use storage_core::{FieldPath, Memory, Result, StorageAdapter};
use storage_fs::{Fs, FsConfig};
use storage_layers::compression::{Codec, Compression};
use storage_layers::encryption::{Key, KeyProvider, Keyring};
use storage_layers::{Checksum, Compress, Encrypt, EncryptOptions, Fields};
use storage_sqlite::{Sqlite, SqliteConfig};
use tempfile::TempDir;

use crate::{over_bytes, over_memory};

/// What must show nowhere.
const KEY: [u8; 32] = *b"canary-key-canary-key-canary-key";

fn options() -> EncryptOptions {
    EncryptOptions::new(KeyProvider::key(Key::from_bytes(&mut KEY.clone())))
}

fn sealed<A: storage_core::StorageBackend>(inner: A, fields: Fields) -> Encrypt<A> {
    let keys = Keyring::new(Key::from_bytes(&mut KEY.clone()));
    Encrypt::with_keys(inner, keys, b"suite", options().every_collection(fields)).expect("the fields")
}

/// The fields the suite searches for, those with hostile names included.
fn searched() -> Fields {
    let long = "n".repeat(1024);
    let literally = |fields: Fields, name: &str| fields.plain(FieldPath::new([name]).expect("one name"));
    let fields = FIELDS
        .iter()
        .fold(Fields::new(), |fields, field| literally(fields, field));
    literally(fields, &long)
}

const FIELDS: &[&str] = &[
    "",
    " ",
    "\"",
    "$",
    "$d.e",
    "$set",
    "$where",
    "%",
    "'",
    ".",
    "0",
    "[0]",
    "\\",
    "\n",
    "__proto__",
    "_id",
    "_storage",
    "`",
    "a",
    "a.b",
    "a\\.b",
    "age",
    "b",
    "body",
    "c",
    "city",
    "constructor",
    "d",
    "d.e",
    "even",
    "expires_at",
    "here",
    "id",
    "inner",
    "m",
    "mail",
    "mails",
    "meta",
    "missing",
    "mod",
    "n",
    "name",
    "nested",
    "nick",
    "rank",
    "rd.e",
    "rowid",
    "same",
    "single",
    "tag",
    "tags",
    "text",
    "title",
    "version",
    "word",
    "é",
    "😀",
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = over_memory("encrypt", |memory| sealed(memory, Fields::new()));
    trials.extend(over_memory("encrypt_with_fields", |memory| {
        sealed(memory, searched())
    }));
    trials.extend(over_bytes("encrypt", |bytes| sealed(bytes, Fields::new())));
    for (name, kind) in [
        ("compress_encrypt::on_files", Stack::CompressEncryptFs),
        ("compress_encrypt::on_sqlite", Stack::CompressEncryptSqlite),
        ("checksum::on_files", Stack::ChecksumFs),
        ("checksum::on_sqlite", Stack::ChecksumSqlite),
        ("keystore::on_memory", Stack::KeystoreMemory),
    ] {
        let open = move || async move { Stacks::new(name, kind) };
        trials.extend(conformance_tests::trials(Suite::Adapter, name, open));
    }
    trials
}

#[derive(Debug, Clone, Copy)]
enum Stack {
    CompressEncryptFs,
    CompressEncryptSqlite,
    ChecksumFs,
    ChecksumSqlite,
    KeystoreMemory,
}

/// A stack of layers on a directory for each place.
struct Stacks {
    name: &'static str,
    stack: Stack,
    root: TempDir,
    memories: std::sync::Mutex<std::collections::HashMap<Place, Memory>>,
    secrets: Vec<String>,
}

impl Stacks {
    fn new(name: &'static str, stack: Stack) -> Self {
        Self {
            name,
            stack,
            root: TempDir::new().expect("a temporary directory"),
            memories: std::sync::Mutex::default(),
            secrets: vec![String::from_utf8_lossy(&KEY).into_owned()],
        }
    }

    async fn files(&self, place: &Place) -> Result<Fs> {
        Fs::open(FsConfig::new(self.root.path().join(place.as_str()))).await
    }

    async fn sqlite(&self, place: &Place) -> Result<Sqlite> {
        Sqlite::open(SqliteConfig::new(
            self.root.path().join(place.as_str()).join("app.db"),
        ))
        .await
    }
}

fn compression() -> Compression {
    Compression::new(Codec::Zstd).threshold(16)
}

#[async_trait]
impl Harness for Stacks {
    fn label(&self) -> Label {
        Label::new(self.name, "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        Ok(match self.stack {
            Stack::CompressEncryptFs => {
                let encrypted = Encrypt::open(self.files(place).await?, options()).await?;
                Arc::new(Compress::new(encrypted, compression()))
            }
            Stack::CompressEncryptSqlite => {
                let encrypted = Encrypt::open(self.sqlite(place).await?, options()).await?;
                Arc::new(Compress::new(encrypted, compression()))
            }
            Stack::ChecksumFs => Arc::new(Checksum::new(self.files(place).await?)),
            Stack::ChecksumSqlite => Arc::new(Checksum::new(self.sqlite(place).await?)),
            Stack::KeystoreMemory => {
                let memory = self
                    .memories
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .entry(place.clone())
                    .or_default()
                    .clone();
                Arc::new(Encrypt::open(memory, options()).await?)
            }
        })
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        let _ = std::fs::remove_dir_all(self.root.path().join(place.as_str()));
        self.memories
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(place);
        Ok(())
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }
}
