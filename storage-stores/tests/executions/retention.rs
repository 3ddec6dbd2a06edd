//! Retention removes finished executions whole.

use storage_core::{ErrorKind, Storage, Timestamp};
use storage_stores::executions::{ExecutionState, ExecutionStorage, RetentionPolicy};

use crate::place::{Place, execution, laws};

laws! {
    the_newest_are_kept,
    those_changed_since_are_kept,
    rules_join,
    what_is_not_final_is_kept,
    a_policy_without_rules_is_refused,
    removed_executions_leave_nothing,
}

/// Ten executions of each state, `e0` the oldest; each was updated 1,000 ms after it was created.
async fn fill(storage: &Storage, state: &ExecutionState) {
    for at in 0..10 {
        let mut execution = execution(&format!("{state}{at}"), state.clone());
        execution.created = Timestamp::from_millis(at);
        execution.updated = Some(Timestamp::from_millis(at + 1_000));
        storage.save_execution(&execution).await.unwrap();
        storage.append_output(&execution.id, ["line"]).await.unwrap();
    }
}

async fn left(storage: &Storage) -> Vec<String> {
    storage
        .list_executions()
        .await
        .unwrap()
        .into_iter()
        .map(|execution| execution.id)
        .collect()
}

async fn the_newest_are_kept(place: &Place) {
    let storage = place.open().await;
    fill(&storage, &ExecutionState::Completed).await;
    fill(&storage, &ExecutionState::Error).await;
    let report = storage
        .retain_executions(RetentionPolicy::new().keep_newest(3))
        .await
        .unwrap();
    assert_eq!(left(&storage).await, ["COMPLETED8", "COMPLETED9", "ERROR9"]);
    assert_eq!((report.removed.len(), report.removed[0].as_str()), (17, "ERROR8"));
    let report = storage
        .retain_executions(RetentionPolicy::new().keep_newest(3))
        .await
        .unwrap();
    assert!(report.removed.is_empty());
}

async fn those_changed_since_are_kept(place: &Place) {
    let storage = place.open().await;
    fill(&storage, &ExecutionState::Completed).await;
    let mut unchanged = execution("never updated", ExecutionState::Completed);
    unchanged.created = Timestamp::from_millis(1_006);
    storage.save_execution(&unchanged).await.unwrap();
    storage
        .retain_executions(RetentionPolicy::new().keep_since(Timestamp::from_millis(1_007)))
        .await
        .unwrap();
    assert_eq!(left(&storage).await, ["COMPLETED7", "COMPLETED8", "COMPLETED9"]);
}

async fn rules_join(place: &Place) {
    let storage = place.open().await;
    fill(&storage, &ExecutionState::Completed).await;
    let policy = RetentionPolicy::new()
        .keep_newest(1)
        .keep_since(Timestamp::from_millis(1_008));
    storage.retain_executions(policy).await.unwrap();
    assert_eq!(left(&storage).await, ["COMPLETED8", "COMPLETED9"]);
    let policy = RetentionPolicy::new()
        .keep_newest(1)
        .keep_since(Timestamp::from_millis(9_999));
    storage.retain_executions(policy).await.unwrap();
    assert_eq!(left(&storage).await, ["COMPLETED9"]);
}

async fn what_is_not_final_is_kept(place: &Place) {
    let storage = place.open().await;
    let states = ["READY", "RUNNING", "AWAITING_COGNITIVE_RESULT", "PAUSED"];
    for state in states {
        fill(&storage, &ExecutionState::from(state)).await;
    }
    let report = storage
        .retain_executions(RetentionPolicy::new().keep_newest(0))
        .await
        .unwrap();
    assert!(report.removed.is_empty());
    assert_eq!(left(&storage).await.len(), 40);
}

async fn a_policy_without_rules_is_refused(place: &Place) {
    let storage = place.open().await;
    fill(&storage, &ExecutionState::Completed).await;
    let error = storage
        .retain_executions(RetentionPolicy::new())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(left(&storage).await.len(), 10);
}

async fn removed_executions_leave_nothing(place: &Place) {
    let storage = place.open().await;
    fill(&storage, &ExecutionState::Completed).await;
    storage
        .set_current_execution_id(Some("COMPLETED4"))
        .await
        .unwrap();
    storage
        .retain_executions(RetentionPolicy::new().keep_newest(0))
        .await
        .unwrap();
    assert!(left(&storage).await.is_empty());
    assert_eq!(storage.current_execution_id().await.unwrap(), None);
    assert_eq!(storage.logs().await.unwrap(), []);
}
