use std::sync::Arc;

use storage_core::*;
use storage_layers::{Fault, FaultPlan, ReadOnly};

use crate::{NOW, id, key, name, put};

#[tokio::test]
async fn whatever_would_change_something_is_refused_before_it_reaches_the_medium() {
    let memory = Memory::new();
    memory.put(&name("c"), put("a", 1)).await.unwrap();
    let below = FaultPlan::default();
    let view = Arc::new(ReadOnly::new(Fault::new(memory, below.clone())));
    let (a, b, c, l) = (key("a"), key("b"), name("c"), name("l"));
    let delete = DeleteDocumentRequest::new(id("a"), NOW);
    let refusals = [
        view.write(Area::Objects, &a, "1".into(), WriteRequest::default())
            .await
            .map(drop),
        view.delete(Area::Objects, &a, DeleteRequest::default()).await,
        view.delete_many(Area::Objects, std::slice::from_ref(&a))
            .await
            .map(drop),
        view.copy(Area::Objects, &a, &b, WriteRequest::default())
            .await
            .map(drop),
        Arc::clone(&view)
            .open_writer(Area::Objects, &a, WriteRequest::default())
            .await
            .map(drop),
        view.put(&c, put("a", 2)).await.map(drop),
        view.put_many(&c, vec![put("a", 2)]).await.map(drop),
        view.delete_document(&c, delete).await.map(drop),
        view.commit(BatchRequest::default()).await.map(drop),
        view.drop_index(&c, &name("by_n")).await.map(drop),
        view.rebuild_index(&c, &name("by_n"), NOW).await,
        view.append(&l, AppendRequest::new(vec![])).await.map(drop),
        view.close_log(&l).await,
        view.delete_log(&l).await,
        view.sweep(NOW).await.map(drop),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!(
            (error.kind(), error.applied()),
            (ErrorKind::PermissionDenied, Applied::No)
        );
    }
    assert_eq!(below.calls(), 0);
}

#[tokio::test]
async fn an_index_that_is_there_is_made_sure_of_and_another_refused() {
    let memory = Memory::new();
    let (c, there) = (name("c"), Index::btree("by_n", ["n"]));
    memory.ensure_index(&c, &there, NOW).await.unwrap();
    let view = ReadOnly::new(memory);
    assert!(!view.ensure_index(&c, &there, NOW).await.unwrap());
    let other = view.ensure_index(&c, &Index::btree("by_m", ["m"]), NOW).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn capabilities_of_writing_are_absent_with_the_reason() {
    let view = ReadOnly::new(Memory::new());
    for capability in [
        Capability::CreateIfAbsent,
        Capability::Expiry,
        Capability::AtomicBatch,
    ] {
        let refusal = view.declaration().require(capability).unwrap_err();
        assert!(refusal.to_string().contains("read-only"), "{refusal}");
    }
    view.declaration().require(Capability::Indexes).unwrap();
}
