//! [`Mongo`]: the handle.

use std::sync::Arc;

use mongodb::{Client, Collection, Database};
use storage_core::{
    Applied, Capability, Declaration, DocumentsDeclaration, Durability, Error, ErrorKind, LogsDeclaration,
    Result, Support, Versions,
};

use crate::catalog::Catalog;
use crate::config::MongoConfig;
use crate::deployment::{Deployment, within};
use crate::error::{Kind, classify};
use crate::format;
use crate::work::{Busy, Work};

/// The largest document a server stores.
const MAX_STORED_BYTES: u64 = 16 * 1024 * 1024;
/// What a document needs beside the user's fields: id, version, expiry, escaped names.
const OWN_BYTES: u64 = 64 * 1024;

/// A MongoDB database as a storage backend. Clones share one handle, its connections and its fate.
#[derive(Debug, Clone)]
pub struct Mongo {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: MongoConfig,
    pub(crate) declaration: Declaration,
    pub(crate) deployment: Deployment,
    pub(crate) client: Client,
    pub(crate) database: Database,
    pub(crate) catalog: Catalog,
    work: Work,
}

impl Mongo {
    /// Connects to a database and finds out what the server can do. Must be called within a Tokio runtime. The server is tried with a
    /// few writes to the collection `_storage.probe`, which are removed again, unless a clone of the configuration has been connected before.
    ///
    /// # Errors
    /// `InvalidArgument` or `InvalidName` for a configuration that cannot be meant; `FormatTooNew` for a database a newer version of this
    /// library wrote, which stays untouched; `Unavailable` where no server answers;
    /// `Unauthenticated` or `PermissionDenied` as the server says; `Unsupported` for a server the driver cannot work with.
    pub async fn connect(config: MongoConfig) -> Result<Self> {
        Self::try_connect(config)
            .await
            .map_err(|error| error.with_backend("mongo").with_operation("connect"))
    }

    async fn try_connect(config: MongoConfig) -> Result<Self> {
        let (options, database) = config.resolve().await?;
        let client = Client::with_options(options).map_err(|error| classify(error, Kind::Read))?;
        let database = client.database(&database);
        format::check(&database, config.operation_timeout).await?;
        let probe = || Deployment::probe(&client, &database, config.operation_timeout);
        let deployment = config.deployment.get_or_try_init(probe).await?.clone();
        let inner = Inner {
            declaration: declaration(&deployment),
            config,
            deployment,
            client,
            database,
            catalog: Catalog::default(),
            work: Work::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The server's name and version as it tells them, such as `MongoDB 8.0.4`.
    pub fn server(&self) -> &str {
        &self.inner.deployment.server
    }
}

impl Inner {
    /// Begins an operation; [`close`](Self::close) waits until the answer is dropped.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn begin(&self) -> Result<Busy> {
        self.work.begin()
    }

    /// Runs a write, with all its steps, in a task of its own: a caller that is dropped does not stop it halfway.
    ///
    /// # Errors
    /// `Closed`, and those of the work.
    pub(crate) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let busy = self.begin()?;
        let task = tokio::spawn(async move {
            let answer = work.await;
            drop(busy);
            answer
        });
        task.await.unwrap_or_else(|error| {
            Err(Error::new(
                ErrorKind::Internal,
                "a write panicked, or the runtime ended under it",
            )
            .with_applied(Applied::Unknown)
            .with_source(error))
        })
    }

    /// One exchange that changes nothing, within the time of an operation.
    ///
    /// # Errors
    /// Classified.
    pub(crate) async fn read<T>(
        &self,
        exchange: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    ) -> Result<T> {
        self.exchange(Kind::Read, exchange).await
    }

    /// One exchange that writes, within the time of an operation.
    ///
    /// # Errors
    /// Classified; applied unknown where the answer is lost.
    pub(crate) async fn write<T>(
        &self,
        exchange: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    ) -> Result<T> {
        self.exchange(Kind::Write, exchange).await
    }

    async fn exchange<T>(
        &self,
        kind: Kind,
        exchange: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    ) -> Result<T> {
        within(self.config.operation_timeout, kind, exchange).await
    }

    /// A collection by its name in the database.
    pub(crate) fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// Waits for what is under way, and lets the connections go.
    pub(crate) async fn close(&self) {
        if !self.work.close() {
            return;
        }
        // Writes end by themselves within their time; a read that nobody polls any more would be waited for in vain.
        if tokio::time::timeout(self.config.operation_timeout, self.work.idle())
            .await
            .is_err()
        {
            tracing::warn!("closed with operations still under way");
        }
        self.client.clone().shutdown().immediate(true).await;
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mongo")
            .field("config", &self.config)
            .field("deployment", &self.deployment)
            .field("database", &self.database.name())
            .finish_non_exhaustive()
    }
}

fn declaration(deployment: &Deployment) -> Declaration {
    let durability = if deployment.replicated {
        Durability::Replicated
    } else {
        Durability::PowerLoss
    };
    let native = |there: bool| if there { Support::Native } else { Support::Absent };
    let (atomic, transactions) = (deployment.compare_and_swap, deployment.transactions);
    let mut declaration = Declaration::new("mongo");
    let objects = &mut declaration.objects;
    objects.create_if_absent = native(deployment.create_if_absent);
    objects.compare_and_swap = native(atomic);
    objects.delete_if = native(atomic);
    objects.guarded_write = native(transactions);
    objects.streaming_write = Support::Native;
    objects.copy = Support::emulated("the bytes pass through the client");
    objects.versions = Versions::Unique;
    objects.durability = durability;
    let server = &deployment.server;
    if !transactions {
        let reason = format!("it needs transactions, which {server} does not have; a replica set has them");
        for capability in [
            Capability::AtomicBatch,
            Capability::GuardedWrite,
            Capability::ObjectGuard,
        ] {
            declaration.reasons.insert(capability, reason.clone().into());
        }
    }
    if !atomic {
        let reason =
            format!("conditional updates of {server} are not atomic, so concurrent writers would lose data");
        for capability in [
            Capability::CompareAndSwap,
            Capability::DeleteIf,
            Capability::Documents,
            Capability::Logs,
        ] {
            declaration.reasons.insert(capability, reason.clone().into());
        }
        return declaration;
    }
    if !deployment.change_streams {
        let reason = format!(
            "it needs change streams, and {server} told no change when it was tried; a replica set has them"
        );
        declaration.reasons.insert(Capability::Watch, reason.into());
    }
    let mut documents = DocumentsDeclaration::new(durability);
    documents.atomic_batch = native(transactions);
    documents.expiry = Support::Native;
    documents.guarded_write = native(transactions);
    documents.indexes = Support::Native;
    documents.unique_indexes = Support::Native;
    documents.watch = native(deployment.change_streams);
    documents.max_document_bytes = MAX_STORED_BYTES - OWN_BYTES;
    declaration.documents = Some(documents);
    declaration.logs = Some(LogsDeclaration::new(durability));
    declaration
}
