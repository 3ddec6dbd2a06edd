//! Forks.

use storage_core::ErrorKind;
use storage_core::bson::doc;
use storage_stores::executions::{ExecutionState, ExecutionStorage};

use crate::faulty::each_call;
use crate::place::{Place, execution, laws};
use conformance_tests::Fault;

laws! {
    a_fork_is_a_copy_and_independent,
    a_fork_takes_as_many_lines_as_asked,
    a_fork_never_overwrites,
    a_fork_of_nothing_is_not_found,
    a_fork_cut_short_at_any_call_is_not_seen_and_is_finished_by_another,
}

async fn a_fork_is_a_copy_and_independent(place: &Place) {
    let storage = place.open().await;
    let mut source = execution("from", ExecutionState::AwaitingCognitiveResult);
    source.variables = doc! { "x": 1_i64 };
    source.extra = doc! { "note": "kept" };
    storage.save_execution(&source).await.unwrap();
    storage.append_output("from", ["one", "", "three"]).await.unwrap();
    storage.close_output("from").await.unwrap();
    let fork = storage.fork_execution("from", "to", 3).await.unwrap();
    source.id = "to".to_owned();
    assert_eq!(fork, source);
    assert_eq!(storage.get_execution("to").await.unwrap(), Some(source));
    storage.append_output("to", ["four"]).await.unwrap();
    storage.delete_execution("from").await.unwrap();
    assert_eq!(
        storage.get_output("to").await.unwrap(),
        ["one", "", "three", "four"]
    );
}

async fn a_fork_takes_as_many_lines_as_asked(place: &Place) {
    let storage = place.open().await;
    storage
        .save_execution(&execution("from", ExecutionState::Running))
        .await
        .unwrap();
    let lines: Vec<String> = (0..2_100).map(|line| line.to_string()).collect();
    storage.append_output("from", &lines).await.unwrap();
    for count in [0, 1, 1_000, 1_001, 2_100] {
        let to = format!("to {count}");
        storage.fork_execution("from", &to, count as u64).await.unwrap();
        assert_eq!(storage.get_output(&to).await.unwrap(), lines[..count]);
    }
    let error = storage.fork_execution("from", "to", 2_101).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(storage.get_execution("to").await.unwrap(), None);
    assert_eq!(storage.get_output("to").await.unwrap(), [""; 0]);
}

async fn a_fork_never_overwrites(place: &Place) {
    let storage = place.open().await;
    let there = execution("to", ExecutionState::Running);
    storage
        .save_execution(&execution("from", ExecutionState::Running))
        .await
        .unwrap();
    storage.append_output("from", ["one", "two"]).await.unwrap();
    storage.save_execution(&there).await.unwrap();
    let error = storage.fork_execution("from", "to", 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(storage.get_execution("to").await.unwrap(), Some(there));
    for printed in [&["other"][..], &["one", "two"]] {
        storage.delete_execution("to").await.unwrap();
        storage.append_output("to", printed).await.unwrap();
        let error = storage.fork_execution("from", "to", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        assert_eq!(storage.get_output("to").await.unwrap(), printed);
    }
    let error = storage.fork_execution("from", "from", 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

async fn a_fork_of_nothing_is_not_found(place: &Place) {
    let storage = place.open().await;
    let error = storage.fork_execution("nobody", "to", 0).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.key()),
        (ErrorKind::NotFound, Some("executions/nobody"))
    );
}

async fn a_fork_cut_short_at_any_call_is_not_seen_and_is_finished_by_another(place: &Place) {
    let storage = place.open().await;
    let lines: Vec<String> = (0..2_500).map(|line| line.to_string()).collect();
    storage
        .save_execution(&execution("from", ExecutionState::Running))
        .await
        .unwrap();
    storage.append_output("from", &lines).await.unwrap();
    for fault in [Fault::BeforeTheCall, Fault::AfterTheCall] {
        let calls = each_call(place, fault, async |faulty, call| {
            storage.delete_execution("to").await.unwrap();
            let outcome = faulty.fork_execution("from", "to", 2_500).await;
            let seen = storage.get_execution("to").await.unwrap().is_some();
            if seen {
                assert_eq!(storage.get_output("to").await.unwrap(), lines, "call {call}");
                return outcome.is_ok();
            }
            assert!(outcome.is_err());
            storage.fork_execution("from", "to", 2_500).await.unwrap();
            assert_eq!(storage.get_output("to").await.unwrap(), lines, "call {call}");
            false
        })
        .await;
        assert!(calls >= 8, "{calls} calls were cut short");
    }
}
