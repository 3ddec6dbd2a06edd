//! Lists.

use storage_core::{ErrorKind, Timestamp};
use storage_stores::executions::{ExecutionQuery, ExecutionState, ExecutionStorage};

use crate::place::{Place, execution, laws, program};

laws! {
    lists_are_in_the_byte_order_of_ids,
    pages_are_in_the_order_of_creation,
    pages_are_filtered_by_state_and_program,
    executions_saved_after_the_index_was_made_are_found,
    a_page_token_belongs_to_its_query,
}

async fn lists_are_in_the_byte_order_of_ids(place: &Place) {
    let storage = place.open().await;
    assert!(storage.list_programs().await.unwrap().is_empty());
    assert!(storage.list_executions().await.unwrap().is_empty());
    for id in ["b", "a", "é", "B", "10", "9"] {
        storage.save_program(&program(id)).await.unwrap();
        storage
            .save_execution(&execution(id, ExecutionState::Ready))
            .await
            .unwrap();
    }
    let expected = ["10", "9", "B", "a", "b", "é"];
    let programs: Vec<_> = storage
        .list_programs()
        .await
        .unwrap()
        .into_iter()
        .map(|item| item.id)
        .collect();
    let executions: Vec<_> = storage
        .list_executions()
        .await
        .unwrap()
        .iter()
        .map(|item| item.id.clone())
        .collect();
    assert_eq!(programs, expected);
    assert_eq!(executions, expected);
}

async fn fill(storage: &storage_core::Storage) {
    for (at, millis) in (0..30_usize).zip(0_i64..) {
        let state = [
            ExecutionState::Running,
            ExecutionState::Completed,
            ExecutionState::Error,
        ][at % 3]
            .clone();
        let mut execution = execution(&format!("e{at:02}"), state);
        execution.program_id = ["p", "q"][at % 2].to_owned();
        // Against the order of ids, and two at a time.
        execution.created = Timestamp::from_millis(1_000_000 - millis / 2);
        storage.save_execution(&execution).await.unwrap();
    }
}

async fn all(storage: &storage_core::Storage, query: ExecutionQuery) -> Vec<String> {
    let (mut ids, mut query, base) = (Vec::new(), query.clone(), query);
    loop {
        let page = storage.list_executions_page(query).await.unwrap();
        ids.extend(
            page.executions
                .all()
                .unwrap()
                .into_iter()
                .map(|execution| execution.id),
        );
        let Some(next) = page.next else { return ids };
        query = base.clone().after(next);
    }
}

async fn pages_are_in_the_order_of_creation(place: &Place) {
    let storage = place.open().await;
    fill(&storage).await;
    let mut oldest: Vec<i64> = (0..30).collect();
    oldest.sort_by_key(|at| (1_000_000 - at / 2, *at));
    let oldest: Vec<String> = oldest.into_iter().map(|at| format!("e{at:02}")).collect();
    for limit in [1, 7, 30, 100] {
        assert_eq!(
            all(&storage, ExecutionQuery::new().limit(limit)).await,
            oldest,
            "pages of {limit}"
        );
    }
    let newest: Vec<String> = (0..30).map(|at| format!("e{at:02}")).collect();
    assert_eq!(
        all(&storage, ExecutionQuery::new().newest_first().limit(4)).await,
        newest
    );
}

async fn pages_are_filtered_by_state_and_program(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    fill(&storage).await;
    let ids = |keep: fn(usize) -> bool| {
        (0..30)
            .filter(|at| keep(*at))
            .map(|at| format!("e{at:02}"))
            .collect::<Vec<_>>()
    };
    let query = || ExecutionQuery::new().newest_first().limit(3);
    let completed = query().state(ExecutionState::Completed);
    assert_eq!(all(&storage, completed.clone()).await, ids(|at| at % 3 == 1));
    assert_eq!(all(&other, query().program("q")).await, ids(|at| at % 2 == 1));
    assert_eq!(all(&storage, completed.program("q")).await, ids(|at| at % 6 == 1));
    assert!(
        all(&storage, query().state(ExecutionState::Other("PAUSED".into())))
            .await
            .is_empty()
    );
}

async fn executions_saved_after_the_index_was_made_are_found(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    let query = || ExecutionQuery::new().state(ExecutionState::Running);
    assert!(all(&storage, query()).await.is_empty());
    other
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    assert_eq!(all(&storage, query()).await, ["e"]);
    other
        .save_execution(&execution("e", ExecutionState::Completed))
        .await
        .unwrap();
    assert!(all(&storage, query()).await.is_empty());
}

async fn a_page_token_belongs_to_its_query(place: &Place) {
    let storage = place.open().await;
    fill(&storage).await;
    let page = storage
        .list_executions_page(ExecutionQuery::new().limit(1))
        .await
        .unwrap();
    let other = ExecutionQuery::new()
        .state(ExecutionState::Running)
        .after(page.next.unwrap());
    assert_eq!(
        storage.list_executions_page(other).await.unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}
