//! From the first save to the close.

use futures::StreamExt;
use storage_core::bson::bson;
use storage_core::{ErrorKind, Result, Timestamp, Version};
use storage_stores::executions::{
    Execution, ExecutionQuery, ExecutionState, ExecutionStorage, Program, RetentionPolicy,
};

use crate::place::{Place, execution, laws, program};

laws! {
    the_predecessors_usage_example_works,
    everything_survives_a_reopen,
    deleting_a_program_is_idempotent_and_leaves_its_executions,
    the_current_execution_is_set_and_cleared_without_looking_whether_it_exists,
    every_method_after_close_is_closed,
}

async fn the_predecessors_usage_example_works(place: &Place) {
    let storage = place.open().await;
    let source = "function main() { return CC(\"Say hello\"); }";
    let program = Program::new("hello-world", "Hello World", source, bson!([{ "op": "CC" }]));
    storage.save_program(&program).await.unwrap();
    let mut execution = Execution::new("exec-123", "hello-world");
    execution.state = ExecutionState::Running;
    storage.save_execution(&execution).await.unwrap();
    storage
        .append_output("exec-123", ["Starting execution..."])
        .await
        .unwrap();
    storage.set_current_execution_id(Some("exec-123")).await.unwrap();

    let other = place.open().await;
    other.health().await.unwrap();
    assert_eq!(
        other.current_execution_id().await.unwrap().as_deref(),
        Some("exec-123")
    );
    assert_eq!(other.get_program("hello-world").await.unwrap(), Some(program));
    assert_eq!(other.get_execution("exec-123").await.unwrap(), Some(execution));
    assert_eq!(
        other.get_output("exec-123").await.unwrap(),
        ["Starting execution..."]
    );
}

async fn everything_survives_a_reopen(place: &Place) {
    let storage = place.open().await;
    let saved = execution("e", ExecutionState::Running);
    let version = storage.save_execution(&saved).await.unwrap();
    storage.append_output("e", ["one"]).await.unwrap();
    storage.close_output("e").await.unwrap();
    storage.set_current_execution_id(Some("e")).await.unwrap();
    storage.close().await.unwrap();

    let storage = place.open().await;
    assert_eq!(
        storage.get_execution_with_version("e").await.unwrap(),
        Some((saved, version))
    );
    let page = storage.read_output("e", 0, 10).await.unwrap();
    assert_eq!((page.lines.len(), page.closed), (1, true));
    assert_eq!(
        storage.current_execution_id().await.unwrap().as_deref(),
        Some("e")
    );
}

async fn deleting_a_program_is_idempotent_and_leaves_its_executions(place: &Place) {
    let storage = place.open().await;
    storage.save_program(&program("p")).await.unwrap();
    storage
        .save_execution(&execution("e", ExecutionState::Ready))
        .await
        .unwrap();
    assert!(storage.delete_program("p").await.unwrap());
    assert!(!storage.delete_program("p").await.unwrap());
    assert_eq!(storage.get_program("p").await.unwrap(), None);
    assert!(storage.get_execution("e").await.unwrap().is_some());
}

async fn the_current_execution_is_set_and_cleared_without_looking_whether_it_exists(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    assert_eq!(storage.current_execution_id().await.unwrap(), None);
    storage.set_current_execution_id(None).await.unwrap();
    storage.set_current_execution_id(Some("nobody")).await.unwrap();
    assert_eq!(
        other.current_execution_id().await.unwrap().as_deref(),
        Some("nobody")
    );
    other.set_current_execution_id(Some("e")).await.unwrap();
    assert_eq!(
        storage.current_execution_id().await.unwrap().as_deref(),
        Some("e")
    );
    storage.set_current_execution_id(None).await.unwrap();
    storage.set_current_execution_id(None).await.unwrap();
    assert_eq!(other.current_execution_id().await.unwrap(), None);
}

async fn every_method_after_close_is_closed(place: &Place) {
    let storage = place.open().await;
    let execution = execution("e", ExecutionState::Ready);
    storage.save_execution(&execution).await.unwrap();
    let lease = storage.execution_lease("e", std::time::Duration::from_secs(5));
    let fence = lease.acquire().await.unwrap().fence();
    storage.close().await.unwrap();
    storage.close().await.unwrap();
    fn kind<T>(result: Result<T>) -> ErrorKind {
        result.err().expect("the storage is closed").kind()
    }
    let followed = storage.follow_output("e", 0).next().await.unwrap();
    let kinds = [
        kind(storage.health().await),
        kind(storage.save_program(&program("p")).await),
        kind(storage.get_program("p").await),
        kind(storage.list_programs().await),
        kind(storage.delete_program("p").await),
        kind(storage.save_execution(&execution).await),
        kind(storage.create_execution(&execution).await),
        kind(storage.save_execution_if(&execution, Version::random()).await),
        kind(storage.save_execution_fenced(&execution, fence).await),
        kind(storage.get_execution("e").await),
        kind(storage.get_execution_with_version("e").await),
        kind(storage.list_executions().await),
        kind(storage.list_executions_page(ExecutionQuery::new()).await),
        kind(storage.delete_execution("e").await),
        kind(storage.append_output("e", ["x"]).await),
        kind(storage.append_output("e", [""; 0]).await),
        kind(storage.append_output_at("e", 0, ["x"]).await),
        kind(storage.get_output("e").await),
        kind(storage.read_output("e", 0, 1).await),
        kind(followed),
        kind(storage.close_output("e").await),
        kind(storage.current_execution_id().await),
        kind(storage.set_current_execution_id(Some("e")).await),
        kind(storage.set_current_execution_id(None).await),
        kind(storage.fork_execution("e", "f", 0).await),
        kind(
            storage
                .retain_executions(RetentionPolicy::new().keep_since(Timestamp::from_millis(0)))
                .await,
        ),
        kind(lease.acquire().await),
    ];
    assert_eq!(kinds, [ErrorKind::Closed; 27]);
}
