//! Where a law is checked.

use std::path::Path;
use std::sync::Arc;

use futures::future::{BoxFuture, LocalBoxFuture};
use storage_core::{Memory, Storage, StorageAdapter};
use storage_layers::encryption::{Key, KeyProvider, Keyring};
use storage_layers::{Cache, CacheOptions, Encrypt, EncryptOptions, Fields, Metrics};
use storage_sqlite::{Sqlite, SqliteConfig};
use storage_stores::executions::{Execution, ExecutionState, Program, SEARCHED_FIELDS};
use tempfile::TempDir;

/// An empty place of one backend; every handle opened on it is independent of the others.
pub(crate) enum Place {
    Memory(Memory),
    Fs(TempDir),
    Sqlite(TempDir),
    /// Sealed, cached and counted, in memory.
    Sealed(Memory),
    /// The same in files.
    SealedFs(TempDir),
    /// On a server, and how it is opened.
    #[allow(dead_code, reason = "only the program that tests on servers makes it")]
    Server(OpenServer),
}

/// Opens a place on a server.
pub(crate) type OpenServer = Box<dyn Fn() -> BoxFuture<'static, Arc<dyn StorageAdapter>> + Send + Sync>;

/// A law: its name, and the check of it in a place.
pub(crate) type Law = (&'static str, for<'a> fn(&'a Place) -> LocalBoxFuture<'a, ()>);

impl Place {
    pub(crate) fn memory() -> Self {
        Self::Memory(Memory::new())
    }

    pub(crate) fn fs() -> Self {
        Self::Fs(TempDir::new().unwrap())
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    pub(crate) fn sealed() -> Self {
        Self::Sealed(Memory::new())
    }

    pub(crate) fn sealed_fs() -> Self {
        Self::SealedFs(TempDir::new().unwrap())
    }

    pub(crate) async fn open(&self) -> Storage {
        Storage::from_arc(self.adapter().await)
    }

    pub(crate) async fn adapter(&self) -> Arc<dyn StorageAdapter> {
        match self {
            Self::Memory(memory) => Arc::new(memory.clone()),
            Self::Fs(directory) => adapter_at("fs", directory.path()).await,
            Self::Sqlite(directory) => adapter_at("sqlite", directory.path()).await,
            Self::Sealed(memory) => sealed(Arc::new(memory.clone())),
            Self::SealedFs(directory) => sealed(adapter_at("fs", directory.path()).await),
            Self::Server(open) => open().await,
        }
    }

    /// What [`adapter_at`] takes in another process; `None` where other processes cannot get.
    pub(crate) fn outside(&self) -> Option<(&'static str, &Path)> {
        match self {
            Self::Memory(_) | Self::Sealed(_) | Self::SealedFs(_) | Self::Server(_) => None,
            Self::Fs(directory) => Some(("fs", directory.path())),
            Self::Sqlite(directory) => Some(("sqlite", directory.path())),
        }
    }
}

/// A stack of layers, which leaves readable what the store searches for.
fn sealed(medium: Arc<dyn StorageAdapter>) -> Arc<dyn StorageAdapter> {
    let fields = SEARCHED_FIELDS.iter().copied().fold(Fields::new(), Fields::plain);
    let key = || Key::from_bytes(&mut [7; 32]);
    let options = EncryptOptions::new(KeyProvider::key(key())).every_collection(fields);
    let cached = Cache::new(medium, CacheOptions::default());
    let sealed = Encrypt::with_keys(cached, Keyring::new(key()), b"executions", options).unwrap();
    Arc::new(Metrics::new(sealed))
}

pub(crate) async fn adapter_at(backend: &str, directory: &Path) -> Arc<dyn StorageAdapter> {
    match backend {
        "fs" => Arc::new(
            storage_fs::Fs::open(storage_fs::FsConfig::new(directory))
                .await
                .unwrap(),
        ),
        "sqlite" => Arc::new(
            Sqlite::open(SqliteConfig::new(directory.join("app.db")))
                .await
                .unwrap(),
        ),
        other => panic!("no backend {other}"),
    }
}

/// Makes a test of each law on each backend that needs no server, and lists them for those that do.
macro_rules! laws {
    ($($law:ident),+ $(,)?) => {
        #[allow(dead_code, reason = "only the program that tests on servers reads it")]
        pub(crate) const LAWS: &[crate::place::Law] = &[$((stringify!($law), |place| Box::pin($law(place)))),+];
        crate::place::laws_on! { memory: $($law),+ }
        crate::place::laws_on! { fs: $($law),+ }
        crate::place::laws_on! { sqlite: $($law),+ }
        crate::place::laws_on! { sealed: $($law),+ }
        crate::place::laws_on! { sealed_fs: $($law),+ }
    };
}

macro_rules! laws_on {
    ($backend:ident: $($law:ident),+) => {
        mod $backend {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::$law(&crate::place::Place::$backend()).await;
                }
            )+
        }
    };
}

pub(crate) use {laws, laws_on};

pub(crate) fn program(id: &str) -> Program {
    Program::new(
        id,
        format!("program {id}"),
        "function main() {}",
        Vec::<storage_core::bson::Bson>::new(),
    )
}

pub(crate) fn execution(id: &str, state: ExecutionState) -> Execution {
    let mut execution = Execution::new(id, "p");
    execution.state = state;
    execution
}
