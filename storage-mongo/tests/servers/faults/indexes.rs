//! Indexes: an index that is said to be there is, and one that was left halfway is finished by the next call.

use storage_core::bson::rawdoc;
use storage_core::{
    Clock, DocumentId, ErrorKind, Index, Name, PutRequest, StorageAdapter, SystemClock, Timestamp,
};
use test_servers::proxy::Commands;

use super::{FAULTS, Weather};
use crate::place::{Place, laws};

laws! {
    Atomic: the_catalog,
    Atomic: the_engines_indexes,
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

fn put(id: &str) -> PutRequest {
    PutRequest::new(DocumentId::new(id).unwrap(), rawdoc! { "n": 1_i64 }, now())
}

async fn under_each(place: &Place, commands: Commands) {
    let weather = Weather::at(place).await;
    let index = Index::btree("by_n", ["n"]).unique();
    for (round, fault) in FAULTS.into_iter().enumerate() {
        let name = Name::new(format!("users{round}")).unwrap();
        weather.clear.put(&name, put("a")).await.unwrap();
        let ensured = weather.through.ensure_index(&name, &index, now());
        let answer = weather.under(&commands, fault, ensured).await;
        if let Err(error) = &answer {
            // What was on its way when the caller gave up may arrive while it is tried again.
            let again = weather.through.ensure_index(&name, &index, now()).await;
            again.unwrap_or_else(|again| panic!("{again} after {error} after {fault:?}"));
        }
        for mongo in [&weather.clear, &weather.through] {
            assert!(mongo.indexes(&name).await.unwrap()[0].ready, "{fault:?}");
            let refused = mongo.put(&name, put("b")).await.unwrap_err();
            assert_eq!(
                refused.kind(),
                ErrorKind::UniqueViolation,
                "{refused} after {fault:?}"
            );
        }
    }
    weather.close().await;
}

async fn the_catalog(place: &Place) {
    under_each(place, Commands::all().on("_storage.catalog")).await;
}

async fn the_engines_indexes(place: &Place) {
    under_each(place, Commands::named("createIndexes")).await;
}
