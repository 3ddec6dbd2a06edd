//! Ids are data.

use std::time::Duration;

use storage_core::ErrorKind;
use storage_stores::executions::{ExecutionState, ExecutionStorage};

use crate::place::{Place, execution, laws, program};

laws! { ids_are_data, the_longest_id_works_everywhere_and_one_more_nowhere, empty_and_nul_are_refused }

async fn ids_are_data(place: &Place) {
    let storage = place.open().await;
    let ids = [
        "../../evil",
        "..",
        "a/b",
        "a",
        "A",
        "a.json",
        "a b",
        "é",
        "e\u{301}",
        "C:\\x",
        "CON",
        "%2F",
        "$x",
        "/",
        "a\nb",
        "🦀",
    ];
    for id in ids {
        storage.save_program(&program(id)).await.unwrap();
        storage
            .save_execution(&execution(id, ExecutionState::Running))
            .await
            .unwrap();
        storage.append_output(id, [id]).await.unwrap();
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let programs = storage.list_programs().await.unwrap().all().unwrap();
    assert_eq!(
        programs
            .iter()
            .map(|program| program.id.as_str())
            .collect::<Vec<_>>(),
        sorted
    );
    let executions = storage.list_executions().await.unwrap().all().unwrap();
    assert_eq!(
        executions
            .iter()
            .map(|execution| execution.id.as_str())
            .collect::<Vec<_>>(),
        sorted
    );
    for id in ids {
        assert_eq!(storage.get_output(id).await.unwrap(), [id]);
        storage.set_current_execution_id(Some(id)).await.unwrap();
        assert_eq!(storage.current_execution_id().await.unwrap().as_deref(), Some(id));
        assert!(storage.delete_execution(id).await.unwrap(), "{id:?}");
        assert_eq!(storage.get_execution(id).await.unwrap(), None);
        assert!(storage.delete_program(id).await.unwrap(), "{id:?}");
    }
    if let Some((_, root)) = place.outside() {
        let outside = root.parent().unwrap().read_dir().unwrap();
        let evil = outside
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().contains("evil"));
        assert!(evil.is_none(), "{evil:?}");
    }
}

async fn the_longest_id_works_everywhere_and_one_more_nowhere(place: &Place) {
    let storage = place.open().await;
    let too_long = "x".repeat(300);
    let error = storage
        .save_execution(&execution(&too_long, ExecutionState::Ready))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    let limit: usize = error.context_value("limit").unwrap().parse().unwrap();
    assert!(error.to_string().contains("execution id"), "{error}");

    let longest = "x".repeat(limit);
    let mut saved = execution(&longest, ExecutionState::Running);
    saved.program_id = longest.clone();
    storage.save_program(&program(&longest)).await.unwrap();
    storage.save_execution(&saved).await.unwrap();
    storage.append_output(&longest, ["line"]).await.unwrap();
    storage.set_current_execution_id(Some(&longest)).await.unwrap();
    let lease = storage
        .execution_lease(&longest, Duration::from_secs(5))
        .acquire()
        .await
        .unwrap();
    lease.release().await.unwrap();
    let query = storage_stores::executions::ExecutionQuery::new().program(&longest);
    assert_eq!(
        storage
            .list_executions_page(query)
            .await
            .unwrap()
            .executions
            .len(),
        1
    );
    storage.save_execution(&saved).await.unwrap();
    assert!(storage.delete_execution(&longest).await.unwrap());

    let over = "x".repeat(limit + 1);
    let kinds = [
        storage.save_program(&program(&over)).await.unwrap_err().kind(),
        storage
            .save_execution(&execution(&over, ExecutionState::Ready))
            .await
            .unwrap_err()
            .kind(),
        storage.append_output(&over, ["line"]).await.unwrap_err().kind(),
        storage.close_output(&over).await.unwrap_err().kind(),
        storage
            .set_current_execution_id(Some(&over))
            .await
            .unwrap_err()
            .kind(),
    ];
    assert_eq!(kinds, [ErrorKind::LimitExceeded; 5]);
}

async fn empty_and_nul_are_refused(place: &Place) {
    let storage = place.open().await;
    for id in ["", "a\0b"] {
        let kinds = [
            storage.save_program(&program(id)).await.unwrap_err().kind(),
            storage
                .save_execution(&execution(id, ExecutionState::Ready))
                .await
                .unwrap_err()
                .kind(),
            storage.get_execution(id).await.unwrap_err().kind(),
            storage.append_output(id, ["line"]).await.unwrap_err().kind(),
            storage
                .set_current_execution_id(Some(id))
                .await
                .unwrap_err()
                .kind(),
        ];
        assert_eq!(kinds, [ErrorKind::InvalidName; 5], "{id:?}");
    }
}
