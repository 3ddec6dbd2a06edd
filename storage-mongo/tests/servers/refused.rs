//! What a server without atomic updates is not trusted with.

use storage_core::{AppendRequest, Bytes, ErrorKind, Name, StorageAdapter, StorageBackend};

use crate::place::{Place, laws};

laws! {
    Careless: documents_and_logs_are_refused_and_the_server_is_named,
}

async fn documents_and_logs_are_refused_and_the_server_is_named(place: &Place) {
    let mongo = place.connect().await;
    let declaration = mongo.declaration();
    assert!(declaration.documents.is_none() && declaration.logs.is_none());
    let name = Name::new("log").unwrap();
    let append = AppendRequest::new(vec![Bytes::from_static(b"entry")]);
    let refusals = [
        mongo.append(&name, append).await.unwrap_err(),
        mongo.collections(None, 1).await.unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains(&place.server.name), "{refused}");
    }
    mongo.close().await.unwrap();
}
