//! [`Fault`]: makes the unlikely happen, on purpose and each time the same. For tests.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use storage_core::{Result, StorageAdapter, StorageBackend};

use crate::call::{Answer, Around, Call};
use crate::forward::{around, forward};

mod plan;

pub use self::plan::{FaultAction, FaultPlan, FaultRule};

/// What is planned goes wrong; everything else goes through.
///
/// It promises that the same plan strikes at the same calls, where calls come in the same order. It belongs at the bottom, where a real
/// medium would fail, so that every other layer meets what it is there for.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// use storage_core::{Applied, ErrorKind, Memory, Storage};
/// use storage_layers::{Fault, FaultAction, FaultPlan, FaultRule, Operation};
///
/// let lost_answer = FaultRule::new(FaultAction::After(ErrorKind::Unavailable)).on(&[Operation::Write]).at(0);
/// let storage = Storage::new(Fault::new(Memory::new(), FaultPlan::new([lost_answer])));
/// let error = storage.objects().write("a", "1").await.unwrap_err();
/// assert_eq!(error.applied(), Applied::Unknown);
/// assert!(storage.objects().exists("a").await?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Fault<A: ?Sized> {
    plan: FaultPlan,
    inner: Arc<A>,
}

impl<A: StorageBackend> Fault<A> {
    /// This adapter, where what is planned goes wrong. The plan is shared with whoever holds a clone of it.
    pub fn new(inner: A, plan: FaultPlan) -> Self {
        Self {
            plan,
            inner: Arc::new(inner),
        }
    }
}

impl<A: StorageBackend> Around for Fault<A> {
    async fn around<'a, R: Answer>(&'a self, call: Call, work: BoxFuture<'a, Result<R>>) -> Result<R> {
        let operation = call.operation;
        for action in self.plan.strike(operation) {
            match action {
                FaultAction::Before(kind) => return Err(plan::before(kind, operation)),
                FaultAction::After(kind) => {
                    work.await?;
                    return Err(plan::after(kind, operation));
                }
                FaultAction::DelayBefore(time) => tokio::time::sleep(time).await,
                FaultAction::DelayAfter(time) => {
                    let answer = work.await;
                    tokio::time::sleep(time).await;
                    return answer;
                }
                FaultAction::Meanwhile(others) => others().await,
            }
        }
        work.await
    }
}

#[async_trait]
impl<A: StorageBackend> StorageBackend for Fault<A> {
    forward! { inner: declaration }

    around! { inner: read, write, stat, delete, list, open_writer, copy, delete_many, presign, health, close }
}

#[async_trait]
impl<A: StorageAdapter> StorageAdapter for Fault<A> {
    around! { inner:
        put, get, get_many, delete_document, put_many, commit, find, count, explain, collections,
        ensure_index, drop_index, indexes, rebuild_index, index_stats, watch,
        append, read_log, close_log, delete_log, logs, sweep
    }
}
