//! [`Sqlite`]: the handle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use storage_core::{
    Declaration, DocumentsDeclaration, Error, ErrorKind, LogsDeclaration, Result, Support, Versions,
    random_u128,
};

use crate::config::SqliteConfig;
use crate::connect;
use crate::indexes::MAX_KEY_BYTES;
use crate::objects::MAX_OBJECT_BYTES;
use crate::readers::Readers;
use crate::writer::{Writer, closed};

/// A SQLite database as a storage backend. Clones share one handle; the last one dropped finishes what was asked for.
#[derive(Debug, Clone)]
pub struct Sqlite {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: SqliteConfig,
    pub(crate) declaration: Declaration,
    /// Tells this handle's staged writes from everybody else's.
    pub(crate) handle: Arc<str>,
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
    closed: AtomicBool,
}

impl Sqlite {
    /// Opens a database, and creates it where there is none. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// Nothing is changed by any of them. `InvalidArgument` for a configuration that cannot be meant, and for a SQLite database of
    /// another program; `Corrupt` for a file that is no SQLite database; `FormatTooNew` for one a newer version of this library wrote;
    /// `NotFound` where the directory above the file's own does not exist; `PermissionDenied`, `Timeout` (another process keeps it locked) or `Io`
    /// as the medium says; `Unsupported` on a file system without shared memory for the write-ahead log.
    pub async fn open(config: SqliteConfig) -> Result<Self> {
        config.check()?;
        let open = move || {
            let writing = Arc::new(Mutex::new(Some(connect::writing(&config)?)));
            let readers = Readers::open(&config, &writing)?;
            let writer = Writer::start(writing, config.busy_timeout)?;
            let inner = Inner {
                declaration: declaration(&config),
                handle: format!("{:032x}", random_u128()).into(),
                writer,
                readers,
                closed: AtomicBool::new(false),
                config,
            };
            Ok(Self {
                inner: Arc::new(inner),
            })
        };
        blocking(open)
            .await
            .map_err(|error: Error| error.with_backend("sqlite").with_operation("open"))
    }
}

impl Inner {
    /// Refuses what is asked for after the end.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            Err(closed())
        } else {
            Ok(())
        }
    }

    /// Finishes what was asked for and releases the file.
    pub(crate) async fn close(self: Arc<Self>) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        blocking(move || {
            // Readers first: the last connection to close is the one that clears the log away.
            let readers = self.readers.close();
            self.writer.close().and(readers)
        })
        .await
    }
}

/// The one way to work that blocks, apart from [`Readers`].
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "work on the database panicked").with_source(error))
    })
}

fn declaration(config: &SqliteConfig) -> Declaration {
    let durability = config.declared_durability();
    let mut declaration = Declaration::new("sqlite");
    let objects = &mut declaration.objects;
    objects.create_if_absent = Support::Native;
    objects.compare_and_swap = Support::Native;
    objects.delete_if = Support::Native;
    objects.guarded_write = Support::Native;
    objects.streaming_write = Support::Native;
    objects.copy = Support::Native;
    objects.versions = Versions::Unique;
    objects.durability = durability;
    objects.max_object_bytes = Some(MAX_OBJECT_BYTES);
    let mut documents = DocumentsDeclaration::new(durability);
    documents.atomic_batch = Support::Native;
    documents.expiry = Support::Native;
    documents.guarded_write = Support::Native;
    documents.indexes = Support::Native;
    documents.unique_indexes = Support::Native;
    documents.max_index_key_bytes = MAX_KEY_BYTES;
    declaration.documents = Some(documents);
    declaration.logs = Some(LogsDeclaration::new(durability));
    declaration
}
