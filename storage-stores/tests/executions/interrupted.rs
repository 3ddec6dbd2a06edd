//! Somebody else comes between any two calls.

use futures::FutureExt;
use futures::future::BoxFuture;
use storage_core::bson::{Bson, Document};
use storage_core::{ErrorKind, Storage, Timestamp};
use storage_stores::executions::{ExecutionOptions, ExecutionState, ExecutionStorage, RetentionPolicy};

use crate::faulty::each_interruption;
use crate::place::{Place, execution, laws};

laws! {
    a_save_overtaken_by_a_save_still_wins,
    a_save_overtaken_by_a_delete_begins_anew,
    an_enforced_save_overtaken_by_a_final_state_is_refused,
    a_delete_overtaken_by_a_save_is_whole_or_the_save_is,
    a_delete_never_clears_another_current_execution,
    retention_keeps_what_was_taken_up_again,
    two_deletes_at_once_both_succeed,
}

/// What the others do, as often as asked.
fn others<F>(storage: &Storage, act: impl Fn(Storage) -> F) -> impl Fn() -> BoxFuture<'static, ()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let storage = storage.clone();
    move || act(storage.clone()).boxed()
}

async fn fill(storage: &Storage, state: ExecutionState) {
    storage.save_execution(&execution("e", state)).await.unwrap();
    storage.append_output("e", ["one"]).await.unwrap();
    storage.set_current_execution_id(Some("e")).await.unwrap();
}

/// Saves the execution with this program counter.
async fn save(storage: Storage, pc: i64, state: ExecutionState) {
    let mut execution = execution("e", state);
    execution.pc = pc;
    storage.save_execution(&execution).await.unwrap();
}

async fn pc(storage: &Storage) -> Option<i64> {
    storage
        .get_execution("e")
        .await
        .unwrap()
        .map(|execution| execution.pc)
}

async fn a_save_overtaken_by_a_save_still_wins(place: &Place) {
    let storage = place.open().await;
    for there in [true, false] {
        let faster = others(&storage, |storage| save(storage, 1, ExecutionState::Running));
        let calls = each_interruption(place, faster, async |slow, at| {
            storage.delete_execution("e").await.unwrap();
            if there {
                fill(&storage, ExecutionState::Running).await;
            }
            save(slow, 2, ExecutionState::Running).await;
            assert_eq!(pc(&storage).await, Some(2), "overtaken at call {at}");
        })
        .await;
        assert_eq!(calls, 2, "a read and a write");
    }
}

async fn a_save_overtaken_by_a_delete_begins_anew(place: &Place) {
    let storage = place.open().await;
    let faster = others(&storage, |storage| async move {
        storage.delete_execution("e").await.unwrap();
    });
    each_interruption(place, faster, async |slow, at| {
        fill(&storage, ExecutionState::Running).await;
        save(slow, 2, ExecutionState::Running).await;
        assert_eq!(pc(&storage).await, Some(2), "overtaken at call {at}");
        let output = storage.get_output("e").await.unwrap().len();
        assert_eq!(
            output,
            usize::from(at == 2),
            "only what nobody overtook keeps its output"
        );
        storage.delete_execution("e").await.unwrap();
    })
    .await;
}

async fn an_enforced_save_overtaken_by_a_final_state_is_refused(place: &Place) {
    let storage = place.open().await;
    let faster = others(&storage, |storage| save(storage, 1, ExecutionState::Completed));
    let calls = each_interruption(place, faster, async |slow, at| {
        storage.delete_execution("e").await.unwrap();
        fill(&storage, ExecutionState::Running).await;
        let slow = slow.executions_with(ExecutionOptions::new().enforce_transitions(true));
        let outcome = slow
            .save_execution(&execution("e", ExecutionState::Running))
            .await;
        if at < 2 {
            assert_eq!(
                outcome.unwrap_err().kind(),
                ErrorKind::InvalidArgument,
                "overtaken at call {at}"
            );
            assert_eq!(pc(&storage).await, Some(1));
        } else {
            outcome.unwrap();
        }
    })
    .await;
    assert_eq!(calls, 2, "a read and a write");
}

async fn a_delete_overtaken_by_a_save_is_whole_or_the_save_is(place: &Place) {
    let storage = place.open().await;
    let faster = others(&storage, |storage| save(storage, 1, ExecutionState::Running));
    let calls = each_interruption(place, faster, async |slow, at| {
        fill(&storage, ExecutionState::Running).await;
        assert!(slow.delete_execution("e").await.unwrap());
        let stored = storage
            .collection::<Document>("executions")
            .get("e")
            .await
            .unwrap();
        let marked = stored.is_some_and(|stored| stored.value.get("state") == Some(&Bson::Null));
        assert!(!marked, "overtaken at call {at}");
        assert!(
            storage.get_output("e").await.unwrap().is_empty(),
            "overtaken at call {at}"
        );
        assert_eq!(
            storage.current_execution_id().await.unwrap(),
            None,
            "overtaken at call {at}"
        );
    })
    .await;
    assert!(calls >= 6, "{calls}");
}

async fn a_delete_never_clears_another_current_execution(place: &Place) {
    let storage = place.open().await;
    let faster = others(&storage, |storage| async move {
        storage.set_current_execution_id(Some("another")).await.unwrap();
    });
    let mut cleared = 0;
    let calls = each_interruption(place, faster, async |slow, _| {
        fill(&storage, ExecutionState::Running).await;
        slow.delete_execution("e").await.unwrap();
        match storage.current_execution_id().await.unwrap().as_deref() {
            Some("another") => {}
            None => cleared += 1,
            other => panic!("{other:?}"),
        }
    })
    .await;
    assert_eq!((cleared, calls >= 6), (1, true), "only where nobody came between");
}

async fn retention_keeps_what_was_taken_up_again(place: &Place) {
    let storage = place.open().await;
    let policy = RetentionPolicy::new().keep_since(Timestamp::from_millis(i64::MAX));
    let faster = others(&storage, |storage| save(storage, 1, ExecutionState::Running));
    let mut removed = 0;
    let calls = each_interruption(place, faster, async |slow, at| {
        storage.delete_execution("e").await.unwrap();
        fill(&storage, ExecutionState::Completed).await;
        let report = slow.retain_executions(policy).await.unwrap();
        match pc(&storage).await {
            // Saved before it was removed, and kept, or removed first, and saved anew without what was removed.
            Some(pc) => {
                assert_eq!(pc, 1, "overtaken at call {at}");
                let output = storage.get_output("e").await.unwrap().len();
                assert_eq!(
                    output,
                    usize::from(report.removed.is_empty()),
                    "overtaken at call {at}"
                );
            }
            None => removed += 1,
        }
    })
    .await;
    assert_eq!((removed, calls >= 6), (1, true), "only where nobody came between");
}

async fn two_deletes_at_once_both_succeed(place: &Place) {
    let storage = place.open().await;
    let faster = others(&storage, |storage| async move {
        storage.delete_execution("e").await.unwrap();
    });
    each_interruption(place, faster, async |slow, _| {
        fill(&storage, ExecutionState::Running).await;
        slow.delete_execution("e").await.unwrap();
        assert_eq!(pc(&storage).await, None);
        assert!(
            storage
                .collection::<Document>("executions")
                .get("e")
                .await
                .unwrap()
                .is_none()
        );
        assert_eq!(storage.logs().await.unwrap(), []);
    })
    .await;
}
