//! Conditional saves, transitions and leases.

use std::time::Duration;

use storage_core::{Capability, ErrorKind};
use storage_stores::executions::{ExecutionOptions, ExecutionState, ExecutionStorage};

use crate::place::{Place, execution, laws};

laws! {
    a_stale_save_is_refused_and_changes_nothing,
    a_second_create_is_refused,
    illegal_transitions_are_refused_naming_both_states,
    transitions_are_free_unless_enforced,
    enforced_saves_still_check_versions,
    one_runner_at_a_time_holds_the_lease,
    a_save_under_a_lost_lease_is_refused,
}

async fn a_stale_save_is_refused_and_changes_nothing(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    let mut mine = execution("e", ExecutionState::Running);
    let first = storage.save_execution(&mine).await.unwrap();
    mine.pc = 1;
    let second = other.save_execution_if(&mine, first.clone()).await.unwrap();
    mine.pc = 2;
    let error = storage.save_execution_if(&mine, first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    let (stored, version) = storage.get_execution_with_version("e").await.unwrap().unwrap();
    assert_eq!((stored.pc, &version), (1, &second));
    storage.delete_execution("e").await.unwrap();
    let error = storage.save_execution_if(&mine, second).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    assert_eq!(storage.get_execution("e").await.unwrap(), None);
}

async fn a_second_create_is_refused(place: &Place) {
    let storage = place.open().await;
    let first = execution("e", ExecutionState::Ready);
    storage.create_execution(&first).await.unwrap();
    let error = storage
        .create_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(storage.get_execution("e").await.unwrap(), Some(first));
}

async fn illegal_transitions_are_refused_naming_both_states(place: &Place) {
    let storage = place.open().await;
    let enforced = storage.executions_with(ExecutionOptions::new().enforce_transitions(true));
    for state in [
        ExecutionState::Ready,
        ExecutionState::Running,
        ExecutionState::Running,
        ExecutionState::AwaitingCognitiveResult,
        ExecutionState::Other("PAUSED".to_owned()),
        ExecutionState::Running,
        ExecutionState::Completed,
        ExecutionState::Completed,
    ] {
        enforced.save_execution(&execution("e", state)).await.unwrap();
    }
    for state in [
        ExecutionState::Running,
        ExecutionState::Ready,
        ExecutionState::Error,
    ] {
        let error = enforced
            .save_execution(&execution("e", state.clone()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let text = error.to_string();
        assert!(
            text.contains("COMPLETED") && text.contains(state.as_str()),
            "{text}"
        );
        let stored = storage.get_execution("e").await.unwrap().unwrap();
        assert_eq!(stored.state, ExecutionState::Completed);
    }
    // The first save may have any state.
    enforced
        .save_execution(&execution("imported", ExecutionState::Completed))
        .await
        .unwrap();
}

async fn transitions_are_free_unless_enforced(place: &Place) {
    let storage = place.open().await;
    storage
        .save_execution(&execution("e", ExecutionState::Completed))
        .await
        .unwrap();
    storage
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    assert_eq!(
        storage.get_execution("e").await.unwrap().unwrap().state,
        ExecutionState::Running
    );
}

async fn enforced_saves_still_check_versions(place: &Place) {
    let storage = place.open().await;
    let enforced = storage.executions_with(ExecutionOptions::new().enforce_transitions(true));
    let first = enforced
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    let second = enforced
        .save_execution_if(&execution("e", ExecutionState::Running), first.clone())
        .await
        .unwrap();
    let error = enforced
        .save_execution_if(&execution("e", ExecutionState::Error), first)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    enforced
        .save_execution_if(&execution("e", ExecutionState::Completed), second)
        .await
        .unwrap();
    let missing = enforced
        .save_execution_if(
            &execution("nobody", ExecutionState::Ready),
            storage_core::Version::random(),
        )
        .await
        .unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::PreconditionFailed);
}

async fn one_runner_at_a_time_holds_the_lease(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    let ttl = Duration::from_secs(60);
    let lease = storage.execution_lease("e", ttl).acquire().await.unwrap();
    assert!(
        other
            .execution_lease("e", ttl)
            .try_acquire()
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        other
            .execution_lease("another", ttl)
            .try_acquire()
            .await
            .unwrap()
            .is_some()
    );
    let token = lease.token();
    lease.release().await.unwrap();
    assert!(other.execution_lease("e", ttl).acquire().await.unwrap().token() > token);
}

async fn a_save_under_a_lost_lease_is_refused(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    let ttl = Duration::from_secs(60);
    let lease = storage.execution_lease("e", ttl).acquire().await.unwrap();
    let mut saved = execution("e", ExecutionState::Running);
    let outcome = storage.save_execution_fenced(&saved, lease.fence()).await;
    if !storage
        .declaration()
        .support(Capability::GuardedWrite)
        .is_present()
    {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(storage.get_execution("e").await.unwrap(), None);
        return;
    }
    outcome.unwrap();
    other.break_lease("executions/e").await.unwrap();
    other.execution_lease("e", ttl).acquire().await.unwrap();
    saved.pc = 1;
    let error = storage
        .save_execution_fenced(&saved, lease.fence())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseLost);
    assert_eq!(storage.get_execution("e").await.unwrap().unwrap().pc, 0);
}
