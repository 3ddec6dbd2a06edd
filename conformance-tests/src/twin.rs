//! The negative twin of a capability: what is not declared is refused, by name and before any effect.

mod direct;

use std::time::Duration;

use futures::{Stream, StreamExt};
use storage_core::bson::{Document, doc};
use storage_core::{
    Bytes, Capability, ChangePosition, ErrorKind, Fence, Index, PutOptions, Query, Result, Timestamp,
    WriteOptions,
};

use crate::case::{Failure, Verdict, check_kind, ensure, ensure_eq};
use crate::context::Ctx;
use crate::digest::digest;

/// The id of a twin, before `::` and the capability.
pub(crate) const ID: &str = "declaration.absent-is-refused";

/// Checks that a capability that is not declared is refused, through [`Storage`](storage_core::Storage) without any effect, and that
/// the adapter, asked directly, neither panics nor ignores a condition.
pub(crate) async fn refused(ctx: &Ctx, capability: Capability) -> Verdict {
    ensure!(!ctx.has(capability), "{capability} is declared");
    let storage = ctx.storage();
    storage.objects().write("object", "as it was").await?;
    if ctx.has(Capability::Documents) {
        storage
            .collection::<Document>("documents")
            .put("a", &doc! { "n": 1_i64 })
            .await?;
    }
    if ctx.has(Capability::Logs) {
        storage.log("log").append("as it was").await?;
    }
    let before = digest(storage).await?;
    let mut asked = Asked { capability, calls: 0 };
    through_storage(ctx, &mut asked).await?;
    ensure!(
        asked.calls > 0 || capability == Capability::ObjectGuard,
        "the twin of {capability} asked for nothing"
    );
    ensure_eq!(
        digest(storage).await?,
        before,
        "what is stored after {capability} was refused"
    );
    direct::probe(ctx, capability).await
}

/// Checks each answer and counts them.
struct Asked {
    capability: Capability,
    calls: usize,
}

impl Asked {
    #[track_caller]
    fn refused<R>(&mut self, what: &str, result: Result<R>) -> Verdict {
        self.calls += 1;
        let capability = self.capability;
        let error = check_kind(result.map(|_| ()), ErrorKind::Unsupported)
            .map_err(|problem| Failure::new(format!("{what} without {capability}: {problem}")))?;
        // Where there are no documents at all, that is as good a name for what is missing.
        let named = error.message().contains(capability.as_str()) || error.message().contains("documents");
        ensure!(
            named,
            "{what} without {capability}: the error does not name it: failed to {error}"
        );
        Ok(())
    }

    /// A stream refuses at its first item and ends.
    async fn refused_stream<R>(&mut self, what: &str, stream: impl Stream<Item = Result<R>>) -> Verdict {
        let mut stream = std::pin::pin!(stream);
        let first = stream.next().await.map_or(Ok(None), |item| item.map(Some));
        self.refused(what, first)?;
        ensure!(stream.next().await.is_none(), "{what}: a refused stream goes on");
        Ok(())
    }
}

async fn through_storage(ctx: &Ctx, asked: &mut Asked) -> Verdict {
    let storage = ctx.storage();
    let objects = storage.objects();
    let documents = storage.collection::<Document>("documents");
    let body = doc! { "n": 2_i64 };
    let second = Duration::from_secs(1);
    let required = storage.require(&[asked.capability]);
    asked.refused("require", required)?;
    match asked.capability {
        Capability::AtomicBatch => {
            asked.refused("an empty batch", storage.batch().commit().await)?;
            asked.refused(
                "a batch",
                storage.batch().put(&documents, "b", &body).commit().await,
            )?;
            asked.refused(
                "a batch that deletes",
                storage.batch().delete(&documents, "a").commit().await,
            )
        }
        Capability::CompareAndSwap => {
            let version = version(ctx).await?;
            asked.refused(
                "write_if of the current version",
                objects.write_if("object", "x", version.clone()).await,
            )?;
            asked.refused(
                "write_if where nothing is",
                objects.write_if("nothing", "x", version).await,
            )
        }
        Capability::Copy => {
            asked.refused("copy", objects.copy("object", "copy").await)?;
            asked.refused("copy of nothing", objects.copy("nothing", "copy").await)?;
            asked.refused("copy onto itself", objects.copy("object", "object").await)
        }
        Capability::CreateIfAbsent => {
            asked.refused("create where nothing is", objects.create("new", "x").await)?;
            asked.refused("create where something is", objects.create("object", "x").await)
        }
        Capability::DeleteIf => {
            let version = version(ctx).await?;
            asked.refused(
                "delete_if of the current version",
                objects.delete_if("object", version.clone()).await,
            )?;
            asked.refused(
                "delete_if where nothing is",
                objects.delete_if("nothing", version).await,
            )
        }
        Capability::Documents => no_documents(ctx, asked).await,
        Capability::Expiry => {
            let ttl = || PutOptions::new().ttl(second);
            let at = PutOptions::new().expires_at(Timestamp::from_millis(i64::MAX));
            asked.refused(
                "put with a time to live",
                documents.put_with("b", &body, ttl()).await,
            )?;
            asked.refused(
                "put with a time of expiry",
                documents.put_with("a", &body, at).await,
            )?;
            if ctx.has(Capability::AtomicBatch) {
                let batch = storage.batch().put_with(&documents, "b", &body, ttl());
                asked.refused("a batch with a time to live", batch.commit().await)?;
            }
            Ok(())
        }
        Capability::GuardedWrite => {
            let fenced = PutOptions::new().fence(fence()?);
            asked.refused("put under a fence", documents.put_with("b", &body, fenced).await)?;
            asked.refused(
                "delete under a fence",
                documents.delete_fenced("a", fence()?).await,
            )
        }
        Capability::Indexes => {
            asked.refused(
                "ensure_index",
                documents.ensure_index(Index::btree("by_n", ["n"])).await,
            )?;
            asked.refused("drop_index", documents.drop_index("by_n").await)?;
            asked.refused("indexes", documents.indexes().await)?;
            asked.refused("rebuild_index", documents.rebuild_index("by_n").await)?;
            asked.refused("index_stats", documents.index_stats("by_n").await)?;
            asked.refused("find by a field", documents.find(Query::eq("n", 1)).await)?;
            asked.refused("find in an order", documents.find(Query::all().sort("n")).await)
        }
        Capability::Logs => {
            let log = storage.log("log");
            asked.refused("append", log.append("x").await)?;
            asked.refused("append of nothing", log.append_all(Vec::<Bytes>::new()).await)?;
            asked.refused("append at a number", log.append_at(0, ["x"]).await)?;
            asked.refused("read of a log", log.read(0, 1).await)?;
            asked.refused("length of a log", log.len().await)?;
            asked.refused("close of a log", log.close().await)?;
            asked.refused("delete of a log", log.delete().await)?;
            asked.refused("the names of logs", storage.logs().await)?;
            asked.refused_stream("entries of a log", log.entries(0)).await?;
            asked.refused_stream("following a log", log.follow(0)).await
        }
        Capability::Presign => {
            asked.refused("presign", objects.presign("object", second).await)?;
            asked.refused("presign of nothing", objects.presign("nothing", second).await)
        }
        Capability::StreamingWrite => {
            asked.refused("upload", objects.upload("new", WriteOptions::new()).await)?;
            asked.refused(
                "upload over an object",
                objects.upload("object", WriteOptions::new()).await,
            )?;
            let stream = futures::stream::iter([Ok(Bytes::from_static(b"x"))]);
            asked.refused(
                "write_stream",
                objects.write_stream("new", stream, WriteOptions::new()).await,
            )
        }
        Capability::UniqueIndexes => {
            asked.refused(
                "a unique index",
                documents.ensure_index(Index::btree("by_n", ["n"]).unique()).await,
            )?;
            asked.refused(
                "a unique hash index",
                documents.ensure_index(Index::hash("by_n", ["n"]).unique()).await,
            )
        }
        Capability::Watch => {
            let position = ChangePosition::new(vec![1]);
            asked.refused("watch", documents.watch().await)?;
            asked.refused("watch from a position", documents.watch_after(&position).await)
        }
        // Storage has no call for it; the adapter is asked directly.
        _ => Ok(()),
    }
}

async fn no_documents(ctx: &Ctx, asked: &mut Asked) -> Verdict {
    let storage = ctx.storage();
    let documents = storage.collection::<Document>("documents");
    let body = doc! { "n": 2_i64 };
    asked.refused("put", documents.put("a", &body).await)?;
    asked.refused("insert", documents.insert("a", &body).await)?;
    asked.refused("add", documents.add(&body).await)?;
    asked.refused("put_many", documents.put_many([("a", &body)]).await)?;
    asked.refused("get", documents.get("a").await)?;
    asked.refused("get_many", documents.get_many(["a"]).await)?;
    asked.refused("update", documents.update("a", |_| ()).await)?;
    asked.refused("delete", documents.delete("a").await)?;
    asked.refused(
        "delete_if",
        documents.delete_if("a", storage_core::Version::random()).await,
    )?;
    asked.refused("find", documents.find(Query::all()).await)?;
    asked.refused("find_page", documents.find_page(Query::all()).await)?;
    asked.refused("count", documents.count(Query::all()).await)?;
    asked.refused("explain", documents.explain(Query::all()).await)?;
    asked.refused("watch", documents.watch().await)?;
    asked.refused("collections", storage.collections().await)?;
    asked.refused(
        "a lease",
        storage.lease("lease", Duration::from_secs(1)).try_acquire().await,
    )?;
    asked.refused("leases", storage.leases().await)
}

async fn version(ctx: &Ctx) -> Result<storage_core::Version, Failure> {
    let meta = ctx.storage().objects().stat("object").await?;
    meta.map(|meta| meta.version)
        .ok_or_else(|| Failure::new("the object just written is not there"))
}

/// A fence of a lease nobody ever held; text is the only way to make one without holding it.
fn fence() -> Result<Fence, Failure> {
    serde_json::from_str(r#"{"lease":"lease","token":1}"#).map_err(|error| Failure::new(error.to_string()))
}
