//! What cannot be read is reported, and hides nothing.

use storage_core::ErrorKind;
use storage_core::bson::{Document, doc};
use storage_stores::executions::{ExecutionQuery, ExecutionState, ExecutionStorage, RetentionPolicy};

use crate::faulty::each_call;
use crate::place::{Place, execution, laws, program};
use conformance_tests::Fault;

laws! {
    a_corrupt_neighbour_hides_no_healthy_one,
    a_corrupt_document_is_named_and_never_reads_as_missing,
    a_broken_current_pointer_stops_a_delete_before_anything_is_deleted,
    a_document_copied_under_another_id_is_corrupt,
    a_corrupt_execution_can_be_deleted_and_saved_anew,
    damage_nobody_can_go_past_is_an_error_and_not_a_list,
}

async fn put(place: &Place, collection: &str, id: &str, document: Document) {
    place
        .open()
        .await
        .collection::<Document>(collection)
        .put(id, &document)
        .await
        .unwrap();
}

async fn a_corrupt_neighbour_hides_no_healthy_one(place: &Place) {
    let storage = place.open().await;
    for id in ["a", "c"] {
        storage.save_program(&program(id)).await.unwrap();
        storage
            .save_execution(&execution(id, ExecutionState::Completed))
            .await
            .unwrap();
    }
    put(place, "programs", "b", doc! { "name": "b" }).await;
    put(
        place,
        "executions",
        "b",
        doc! { "state": "COMPLETED", "created": "yesterday" },
    )
    .await;

    let programs = storage.list_programs().await.unwrap();
    assert_eq!(
        programs
            .iter()
            .map(|program| program.id.as_str())
            .collect::<Vec<_>>(),
        ["a", "c"]
    );
    assert_eq!(programs.unreadable.len(), 1);
    assert_eq!(programs.unreadable[0].key(), Some("programs/b"));
    assert_eq!(programs.all().unwrap_err().kind(), ErrorKind::Corrupt);
    let executions = storage.list_executions().await.unwrap();
    assert_eq!(
        (executions.len(), executions.unreadable[0].key()),
        (2, Some("executions/b"))
    );
    let query = ExecutionQuery::new().state(ExecutionState::Completed);
    let page = storage.list_executions_page(query).await.unwrap().executions;
    assert_eq!((page.len(), page.unreadable.len()), (2, 1));
    let report = storage
        .retain_executions(RetentionPolicy::new().keep_newest(0))
        .await
        .unwrap();
    assert_eq!((report.removed.len(), report.unreadable.len()), (2, 1));
    assert_eq!(
        storage.get_execution("b").await.unwrap_err().kind(),
        ErrorKind::Corrupt,
        "kept"
    );
}

async fn a_corrupt_document_is_named_and_never_reads_as_missing(place: &Place) {
    let storage = place.open().await;
    let good = doc! {
        "programId": "p", "state": "READY", "pc": 0_i64, "stack": [], "variables": {}, "created": "2024-01-01T00:00:00Z",
    };
    put(place, "executions", "e", good.clone()).await;
    storage.get_execution("e").await.unwrap().unwrap();
    for field in good.keys() {
        let mut missing = good.clone();
        missing.remove(field);
        let mut wrong = good.clone();
        wrong.insert(field, true);
        for broken in [missing, wrong] {
            put(place, "executions", "e", broken).await;
            let error = storage.get_execution("e").await.unwrap_err();
            assert_eq!(
                (error.kind(), error.key()),
                (ErrorKind::Corrupt, Some("executions/e"))
            );
            assert!(
                error.to_string().contains(field.as_str()),
                "{error} names {field}"
            );
        }
    }
}

/// The predecessor deleted the files first and failed then.
async fn a_broken_current_pointer_stops_a_delete_before_anything_is_deleted(place: &Place) {
    let storage = place.open().await;
    let saved = execution("e", ExecutionState::Running);
    storage.save_execution(&saved).await.unwrap();
    storage.append_output("e", ["one"]).await.unwrap();
    for broken in [doc! {}, doc! { "currentExecutionId": 5_i64 }] {
        put(place, "metadata", "current", broken).await;
        let error = storage.current_execution_id().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.key()),
            (ErrorKind::Corrupt, Some("metadata/current"))
        );
        assert_eq!(
            storage.delete_execution("e").await.unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        assert_eq!(storage.get_execution("e").await.unwrap(), Some(saved.clone()));
        assert_eq!(storage.get_output("e").await.unwrap(), ["one"]);
    }
    storage.set_current_execution_id(Some("e")).await.unwrap();
    assert!(storage.delete_execution("e").await.unwrap());
    assert_eq!(storage.current_execution_id().await.unwrap(), None);
}

async fn a_document_copied_under_another_id_is_corrupt(place: &Place) {
    let storage = place.open().await;
    storage.save_program(&program("a")).await.unwrap();
    let copy = storage
        .collection::<Document>("programs")
        .get("a")
        .await
        .unwrap()
        .unwrap()
        .value;
    put(place, "programs", "b", copy).await;
    assert_eq!(
        storage.get_program("b").await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

async fn a_corrupt_execution_can_be_deleted_and_saved_anew(place: &Place) {
    let storage = place.open().await;
    for save in [true, false] {
        put(place, "executions", "e", doc! { "state": "RUNNING" }).await;
        if save {
            let fresh = execution("e", ExecutionState::Ready);
            storage.save_execution(&fresh).await.unwrap();
            assert_eq!(storage.get_execution("e").await.unwrap(), Some(fresh));
        } else {
            assert!(storage.delete_execution("e").await.unwrap());
            assert_eq!(storage.get_execution("e").await.unwrap(), None);
        }
    }
}

/// A damaged document is stepped over; a damaged collection is not tried again for ever.
async fn damage_nobody_can_go_past_is_an_error_and_not_a_list(place: &Place) {
    let storage = place.open().await;
    for id in 0..250 {
        storage.save_program(&program(&format!("{id:03}"))).await.unwrap();
    }
    let pages = each_call(place, Fault::Damaged, async |damaged, page| {
        match damaged.list_programs().await {
            Ok(listed) => listed.all().unwrap().len() == 250,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "at page {page}");
                false
            }
        }
    })
    .await;
    assert!(pages >= 2, "{pages}");
}
