//! The adapter itself, asked for what it does not declare: it must not panic, and must not answer `Ok` for a condition it ignored.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use storage_core::bson::rawdoc;
use storage_core::*;

use crate::case::{Failure, Verdict, ensure};
use crate::context::Ctx;

/// Calls the adapter as [`Storage`] never would.
pub(super) async fn probe(ctx: &Ctx, capability: Capability) -> Verdict {
    let adapter = Arc::clone(ctx.storage().adapter());
    let probed = AssertUnwindSafe(ask(ctx, adapter, capability))
        .catch_unwind()
        .await;
    let works = probed
        .map_err(|_| Failure::new(format!("the adapter, asked directly for {capability}, panicked")))??;
    if works {
        ctx.advise(format!(
            "{capability} works when the adapter is asked directly, and is not declared"
        ));
    }
    Ok(())
}

/// Whether what is not declared works all the same.
///
/// # Errors
/// When a condition that does not hold was ignored.
async fn ask(ctx: &Ctx, adapter: Arc<dyn StorageAdapter>, capability: Capability) -> Result<bool, Failure> {
    let (object, other) = (Key::new("object")?, Key::new("other")?);
    let (collection, index) = (Name::new("documents")?, Name::new("by_n")?);
    let id = DocumentId::new("a")?;
    let now = ctx.clock().now();
    let bytes = Bytes::from_static(b"direct");
    let wrong = Version::random();
    match capability {
        Capability::AtomicBatch => {
            let put = PutRequest::new(id, rawdoc! { "n": 1_i64 }, now);
            let mut batch = BatchRequest::default();
            batch.operations.push((collection, BatchOperation::Put(put)));
            Ok(adapter.commit(batch).await.is_ok())
        }
        Capability::CompareAndSwap => {
            let request = WriteRequest::when(Condition::IfVersion(wrong));
            ignored(
                "if-version",
                adapter
                    .write(Area::Objects, &object, bytes.clone(), request.clone())
                    .await,
            )?;
            ignored(
                "if-version",
                adapter.write(Area::Objects, &other, bytes, request).await,
            )
        }
        Capability::Copy => Ok(adapter
            .copy(Area::Objects, &object, &other, WriteRequest::default())
            .await
            .is_ok()),
        Capability::CreateIfAbsent => {
            let request = WriteRequest::when(Condition::IfAbsent);
            ignored(
                "if-absent",
                adapter.write(Area::Objects, &object, bytes, request).await,
            )
        }
        Capability::DeleteIf => {
            let request = DeleteRequest::if_version(wrong);
            ignored(
                "if-version",
                adapter.delete(Area::Objects, &object, request).await,
            )
        }
        Capability::Documents => {
            let put = adapter
                .put(
                    &collection,
                    PutRequest::new(id.clone(), rawdoc! { "n": 1_i64 }, now),
                )
                .await;
            let got = adapter.get(&collection, &id, now).await;
            let many = adapter
                .get_many(&collection, std::slice::from_ref(&id), now)
                .await;
            let find = FindRequest::new(Filter::All, Vec::new(), now);
            let _ = adapter.find(&collection, find.clone()).await;
            let _ = adapter.count(&collection, find.clone()).await;
            let _ = adapter.explain(&collection, &find).await;
            let _ = adapter.collections(None, 10).await;
            let _ = adapter
                .delete_document(&collection, DeleteDocumentRequest::new(id, now))
                .await;
            let _ = adapter.sweep(now).await;
            Ok(put.is_ok() && got.is_ok() && many.is_ok())
        }
        Capability::Expiry => {
            let mut put = PutRequest::new(id.clone(), rawdoc! { "n": 1_i64 }, now);
            put.expires_at = Some(Timestamp::from_millis(now.as_millis() - 1));
            let answer = adapter.put(&collection, put).await;
            let gone = adapter
                .get(&collection, &id, now)
                .await
                .is_ok_and(|found| found.is_none());
            ensure!(
                answer.is_err() || gone,
                "the adapter took a time of expiry it does not declare, and ignored it"
            );
            Ok(answer.is_ok())
        }
        Capability::GuardedWrite => {
            let guard = DocumentGuard {
                collection: collection.clone(),
                id: DocumentId::new("nothing")?,
                version: wrong,
            };
            let mut put = PutRequest::new(id.clone(), rawdoc! { "n": 1_i64 }, now);
            put.guard = Some(guard.clone());
            ignored("guard", adapter.put(&collection, put).await)?;
            let mut delete = DeleteDocumentRequest::new(id, now);
            delete.guard = Some(guard);
            ignored("guard", adapter.delete_document(&collection, delete).await)
        }
        Capability::Indexes => {
            let ensured = adapter
                .ensure_index(&collection, &Index::btree("by_n", ["n"]), now)
                .await;
            let _ = adapter.indexes(&collection).await;
            let _ = adapter.rebuild_index(&collection, &index, now).await;
            let _ = adapter.index_stats(&collection, &index, now).await;
            let _ = adapter.drop_index(&collection, &index).await;
            Ok(ensured.is_ok())
        }
        Capability::Logs => {
            let log = Name::new("log")?;
            let appended = adapter.append(&log, AppendRequest::new(vec![bytes])).await;
            let _ = adapter.read_log(&log, 0, 10).await;
            let _ = adapter.logs(None, 10).await;
            let _ = adapter.close_log(&log).await;
            let _ = adapter.delete_log(&log).await;
            Ok(appended.is_ok())
        }
        Capability::ObjectGuard => {
            let mut request = WriteRequest::default();
            request.guard = Some(ObjectGuard {
                key: Key::new("nothing")?,
                version: wrong,
            });
            ignored(
                "guard",
                adapter.write(Area::Objects, &object, bytes, request).await,
            )
        }
        Capability::Presign => Ok(adapter
            .presign(Area::Objects, &object, Duration::from_secs(1))
            .await
            .is_ok()),
        Capability::StreamingWrite => {
            let writer = Arc::clone(&adapter)
                .open_writer(Area::Objects, &other, WriteRequest::default())
                .await;
            Ok(writer.is_ok())
        }
        Capability::UniqueIndexes => {
            let index = Index::btree("by_n", ["n"]).unique();
            Ok(adapter.ensure_index(&collection, &index, now).await.is_ok())
        }
        Capability::Watch => Ok(adapter.watch(&collection, WatchRequest::default()).await.is_ok()),
        _ => Ok(false),
    }
}

/// A call under a condition that does not hold: an `Ok` says that the condition was ignored. Deciding it right is no fault.
fn ignored<R>(condition: &str, answer: storage_core::Result<R>) -> Result<bool, Failure> {
    match answer {
        Ok(_) => Err(Failure::new(format!(
            "the adapter, asked directly under a {condition} it does not declare and that does not hold, answered Ok"
        ))),
        Err(error) => Ok(error.kind() != ErrorKind::Unsupported),
    }
}
