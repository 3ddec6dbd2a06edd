//! Deleting an execution leaves nothing behind, and nothing half of it.

use storage_core::Storage;
use storage_core::bson::{Bson, Document, doc};
use storage_stores::executions::{ExecutionQuery, ExecutionState, ExecutionStorage, RetentionPolicy};

use crate::faulty::each_call;
use crate::place::{Place, execution, laws, program};
use conformance_tests::Fault;

laws! {
    deleting_removes_state_output_and_pointer,
    deleting_leaves_the_rest,
    deleting_what_is_not_there_is_false,
    output_without_an_execution_can_be_deleted,
    a_delete_cut_short_at_any_call_is_never_half_read_and_is_finished_by_another,
    a_delete_cut_short_is_finished_by_a_save,
    a_delete_cut_short_is_finished_by_retention,
    a_delete_cut_short_hides_the_execution_everywhere,
}

async fn fill(storage: &Storage, id: &str) {
    storage
        .save_execution(&execution(id, ExecutionState::Running))
        .await
        .unwrap();
    storage.append_output(id, ["one", "two"]).await.unwrap();
    storage.set_current_execution_id(Some(id)).await.unwrap();
}

/// State, output, and whether it is current.
async fn seen(storage: &Storage, id: &str) -> (bool, usize, bool) {
    let state = storage.get_execution(id).await.unwrap().is_some();
    let output = storage.get_output(id).await.unwrap().len();
    assert_eq!(storage.read_output(id, 0, 10).await.unwrap().lines.len(), output);
    let current = storage.current_execution_id().await.unwrap().as_deref() == Some(id);
    (state, output, current)
}

const WHOLE: (bool, usize, bool) = (true, 2, true);
const GONE: (bool, usize, bool) = (false, 0, false);

/// Nothing is stored, whether or not it could be read.
async fn assert_no_trace(storage: &Storage, id: &str) {
    assert_eq!(seen(storage, id).await, GONE);
    assert!(
        storage
            .collection::<Document>("executions")
            .get(id)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        storage
            .log(format!("outputs/{id}"))
            .read(0, 1)
            .await
            .unwrap()
            .incarnation,
        None
    );
    assert!(
        storage
            .collection::<Document>("metadata")
            .get("current")
            .await
            .unwrap()
            .is_none()
    );
}

async fn deleting_removes_state_output_and_pointer(place: &Place) {
    let storage = place.open().await;
    fill(&storage, "e").await;
    storage.close_output("e").await.unwrap();
    assert_eq!(seen(&storage, "e").await, WHOLE);
    assert!(storage.delete_execution("e").await.unwrap());
    assert_no_trace(&storage, "e").await;
    assert!(!storage.delete_execution("e").await.unwrap());
    // The id can be used again.
    fill(&storage, "e").await;
    assert_eq!(seen(&storage, "e").await, WHOLE);
}

async fn deleting_leaves_the_rest(place: &Place) {
    let storage = place.open().await;
    storage.save_program(&program("p")).await.unwrap();
    fill(&storage, "e").await;
    fill(&storage, "e/2").await;
    storage.delete_execution("e").await.unwrap();
    assert_eq!(seen(&storage, "e/2").await, WHOLE);
    assert!(storage.get_program("p").await.unwrap().is_some());
    assert!(storage.get_execution("e").await.unwrap().is_none());
}

async fn deleting_what_is_not_there_is_false(place: &Place) {
    let storage = place.open().await;
    assert!(!storage.delete_execution("e").await.unwrap());
    assert_no_trace(&storage, "e").await;
}

async fn output_without_an_execution_can_be_deleted(place: &Place) {
    let storage = place.open().await;
    storage.append_output("e", ["one"]).await.unwrap();
    assert!(storage.delete_execution("e").await.unwrap());
    assert_no_trace(&storage, "e").await;
    storage.set_current_execution_id(Some("e")).await.unwrap();
    assert!(storage.delete_execution("e").await.unwrap());
    assert_no_trace(&storage, "e").await;
}

async fn a_delete_cut_short_at_any_call_is_never_half_read_and_is_finished_by_another(place: &Place) {
    let storage = place.open().await;
    for fault in [Fault::BeforeTheCall, Fault::AfterTheCall] {
        let (mut whole, mut gone) = (0, 0);
        let calls = each_call(place, fault, async |faulty, call| {
            fill(&storage, "e").await;
            let outcome = faulty.delete_execution("e").await;
            match seen(&storage, "e").await {
                WHOLE => whole += 1,
                GONE => gone += 1,
                half => panic!("{fault:?} {call}: half of it is seen: {half:?}"),
            }
            if outcome.is_ok() {
                assert_no_trace(&storage, "e").await;
                return true;
            }
            storage.delete_execution("e").await.unwrap();
            assert_no_trace(&storage, "e").await;
            false
        })
        .await;
        assert!(
            calls >= 7 && whole >= 2 && gone >= 4,
            "{calls} calls: {whole} whole, {gone} gone"
        );
    }
}

/// Leaves what a crash after the first step leaves.
async fn cut_short(place: &Place) -> Storage {
    let storage = place.open().await;
    fill(&storage, "e").await;
    each_call(place, Fault::AfterTheCall, async |faulty, _| {
        assert!(faulty.delete_execution("e").await.is_err());
        let stored = storage
            .collection::<Document>("executions")
            .get("e")
            .await
            .unwrap()
            .unwrap()
            .value;
        stored.get("state") == Some(&Bson::Null)
    })
    .await;
    assert_eq!(
        storage.log("outputs/e").len().await.unwrap(),
        2,
        "only the first step was done"
    );
    storage
}

async fn a_delete_cut_short_is_finished_by_a_save(place: &Place) {
    for create in [true, false] {
        let storage = cut_short(place).await;
        let mut fresh = execution("e", ExecutionState::Ready);
        fresh.variables = doc! { "fresh": true };
        if create {
            storage.create_execution(&fresh).await.unwrap();
        } else {
            storage.save_execution(&fresh).await.unwrap();
        }
        assert_eq!(seen(&storage, "e").await, (true, 0, false));
        assert_eq!(storage.get_execution("e").await.unwrap(), Some(fresh));
    }
}

async fn a_delete_cut_short_is_finished_by_retention(place: &Place) {
    let storage = cut_short(place).await;
    let report = storage
        .retain_executions(RetentionPolicy::new().keep_newest(10))
        .await
        .unwrap();
    assert_eq!((report.finished, report.removed.len()), (1, 0));
    assert_no_trace(&storage, "e").await;
}

async fn a_delete_cut_short_hides_the_execution_everywhere(place: &Place) {
    let storage = cut_short(place).await;
    assert_eq!(seen(&storage, "e").await, GONE);
    let listed = storage.list_executions().await.unwrap();
    assert!(listed.is_empty() && listed.unreadable.is_empty());
    let page = storage.list_executions_page(ExecutionQuery::new()).await.unwrap();
    assert!(page.executions.is_empty() && page.executions.unreadable.is_empty());
    let error = storage.fork_execution("e", "f", 0).await.unwrap_err();
    assert_eq!(error.kind(), storage_core::ErrorKind::NotFound);
    let stale = execution("e", ExecutionState::Running);
    let error = storage
        .save_execution_if(&stale, storage_core::Version::random())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), storage_core::ErrorKind::PreconditionFailed);
}
