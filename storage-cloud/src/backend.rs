//! [`Cloud`]: the contract of bytes, over a bucket.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use storage_core::{
    Area, Capability, Condition, Consistency, Declaration, DeleteRequest, Error, Key, ListPage, ListRequest,
    Object, ObjectMeta, ObjectWriter, ReadRequest, Result, StorageBackend, Support, Version, WriteRequest,
};

use crate::client::Client;
use crate::config::{CloudConfig, ConditionalWrites};
use crate::error::failed;
use crate::layout::Layout;
use crate::leftovers::Leftovers;
use crate::probe::Findings;
use crate::upload::CloudWriter;
use crate::wire::watch;

/// An upload has at most so many parts, on S3 and Google (Azure takes five times as many).
const MAX_PARTS: u64 = 10_000;

/// Objects in a bucket, or under a prefix in it. Cheap to clone; clones share connections.
///
/// # What the server is found to do
/// Unless [told otherwise](CloudConfig::conditional_writes), opening tries on a scratch object whether the server decides conditions:
/// a second create must be refused, a stale version too, and of eight writers at once exactly one may win. Where it does not,
/// `create_if_absent` and `compare_and_swap` are not declared, so an `Overlay` offers no documents and no logs, and
/// the declaration's [`reasons`](Declaration::reasons) say why.
#[derive(Debug, Clone)]
pub struct Cloud {
    client: Client,
    layout: Arc<Layout>,
    declaration: Arc<Declaration>,
    leftovers: Arc<Leftovers>,
}

impl Cloud {
    /// Opens a bucket, which has to be there, and tries what its server can do.
    ///
    /// # Errors
    /// `InvalidArgument` for a configuration that cannot be; `NotFound` for a bucket that is not there; `Unauthenticated` and
    /// `PermissionDenied` for credentials the server does not accept; `Unavailable` and `Timeout` for a server that does not answer.
    pub async fn open(config: impl Into<CloudConfig> + Send) -> Result<Self> {
        let config = config.into();
        let client = config.client().map_err(|error| error.with_operation("open"))?;
        let backend = client.dialect.backend;
        Self::open_with(&config, client)
            .await
            .map_err(|error| error.with_operation("open").with_backend(backend))
    }

    async fn open_with(config: &CloudConfig, client: Client) -> Result<Self> {
        let layout = Layout::new(&config.prefix, client.dialect.careful_names)?;
        client.reach(&layout).await?;
        let findings = match config.conditional_writes {
            ConditionalWrites::Trust => Findings::Decides,
            ConditionalWrites::Never => {
                Findings::DoesNot("the configuration turns writes with a condition off".to_owned())
            }
            ConditionalWrites::Probe => {
                let probe = || client.probe(&layout);
                let found = config.findings.get_or_try_init(probe).await?.clone();
                if let Findings::DoesNot(why) = &found {
                    tracing::warn!("{why}: there are no documents, logs or leases on it");
                }
                found
            }
        };
        let declaration = declare(config, &client, &layout, &findings);
        Ok(Self {
            client,
            layout: Arc::new(layout),
            declaration: Arc::new(declaration),
            leftovers: Arc::default(),
        })
    }

    /// What is asked for must be offered; `Storage` asks for nothing else, but others may.
    fn check(&self, request: &WriteRequest) -> Result<()> {
        if request.guard.is_some() {
            return Err(Error::unsupported(Capability::ObjectGuard));
        }
        match request.condition {
            Condition::Always => Ok(()),
            Condition::IfAbsent => self.declaration.require(Capability::CreateIfAbsent),
            Condition::IfVersion(_) => self.declaration.require(Capability::CompareAndSwap),
        }
    }
}

fn declare(config: &CloudConfig, client: &Client, layout: &Layout, findings: &Findings) -> Declaration {
    let dialect = &client.dialect;
    let mut declaration = Declaration::new(dialect.backend);
    let objects = &mut declaration.objects;
    match findings {
        Findings::Decides => {
            objects.create_if_absent = Support::Native;
            objects.compare_and_swap = Support::Native;
        }
        Findings::DoesNot(why) => {
            let conditions = [Capability::CreateIfAbsent, Capability::CompareAndSwap];
            let reasons = conditions.map(|condition| (condition, why.clone().into()));
            declaration.reasons.extend(reasons);
        }
    }
    objects.streaming_write = Support::Native;
    objects.copy = if dialect.server_copy {
        Support::Native
    } else {
        Support::emulated("every byte comes here and goes back")
    };
    objects.presign = if dialect.presigns {
        Support::Native
    } else {
        Support::Absent
    };
    objects.versions = dialect.versions;
    objects.durability = config.effective_durability(dialect);
    // All three vendors say so: docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html (data consistency model),
    // cloud.google.com/storage/docs/consistency, learn.microsoft.com/azure/storage/blobs/concurrency-manage.
    objects.consistency = Consistency::Linearizable;
    objects.max_key_bytes = layout.max_key_bytes() as u64;
    objects.max_object_bytes = Some(MAX_PARTS * client.part_bytes as u64);
    declaration
}

#[async_trait]
impl StorageBackend for Cloud {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        let path = self.layout.path(area, key)?;
        self.client.read(&path, &request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.check(&request)?;
        let path = self.layout.path(area, key)?;
        self.client.put(&path, bytes, &request.condition).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.client.stat(&self.layout.path(area, key)?).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        if request.if_version.is_some() {
            return Err(Error::unsupported(Capability::DeleteIf));
        }
        self.client.remove(&self.layout.path(area, key)?).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.client.list(&self.layout, area, &request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.check(&request)?;
        let path = self.layout.path(area, key)?;
        Ok(Box::new(CloudWriter::new(
            self.client.clone(),
            Arc::clone(&self.leftovers),
            path,
            request.condition,
        )))
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.check(&request)?;
        let (from, to) = (self.layout.path(area, from)?, self.layout.path(area, to)?);
        let swaps = self.declaration.objects.compare_and_swap.is_present();
        self.client
            .copy(&self.leftovers, &from, &to, &request.condition, swaps)
            .await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        let mut results = Vec::with_capacity(keys.len());
        let mut paths = Vec::with_capacity(keys.len());
        for key in keys {
            results.push(match self.layout.path(area, key) {
                Ok(path) => {
                    paths.push(path);
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
        let mut removed = self.client.remove_many(&paths).await.into_iter();
        let of = |result: Option<Result<()>>| result.or_else(|| removed.next()).unwrap_or(Ok(()));
        Ok(results.into_iter().map(of).collect())
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        if !self.client.dialect.presigns {
            return Err(Error::unsupported(Capability::Presign));
        }
        let longest = self.client.dialect.max_presign;
        if valid_for > longest {
            return Err(Error::limit_exceeded(
                "the time a presigned address is valid, in seconds,",
                longest.as_secs(),
                valid_for.as_secs(),
            ));
        }
        let path = self.layout.path(area, key)?;
        match watch(self.client.stores.once.signed_url(Method::GET, &path, valid_for)).await {
            (Ok(url), _) => Ok(url.to_string()),
            (Err(error), reply) => Err(failed(&error, &reply)),
        }
    }

    async fn health(&self) -> Result<()> {
        self.client.reach(&self.layout).await
    }

    async fn close(&self) -> Result<()> {
        self.leftovers.settle().await;
        Ok(())
    }
}
