//! Indexes: an index that is said to be there is, and one that was left halfway is finished by the next call.

use storage_core::bson::rawdoc;
use storage_core::{
    Clock, DocumentId, ErrorKind, Index, Name, PutRequest, StorageAdapter, SystemClock, Timestamp,
};
use test_servers::proxy::{Commands, MongoFault};

use super::{FAULTS, Weather};
use crate::place::{Place, laws};

laws! {
    Atomic: the_catalog,
    Atomic: the_engines_indexes,
    Atomic: the_engines_indexes_over_a_network_that_is_silent_and_then_cut,
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

fn put(id: &str) -> PutRequest {
    PutRequest::new(DocumentId::new(id).unwrap(), rawdoc! { "n": 1_i64 }, now())
}

async fn under_each(place: &Place, commands: Commands, faults: &[(MongoFault, bool)]) {
    let weather = Weather::at(place).await;
    let index = Index::btree("by_n", ["n"]).unique();
    for (round, fault) in faults.iter().copied().enumerate() {
        let name = Name::new(format!("users{round}")).unwrap();
        weather.clear.put(&name, put("a")).await.unwrap();
        let ensured = weather.through.ensure_index(&name, &index, now());
        let answer = weather.under(&commands, fault, ensured).await;
        if answer.is_ok() {
            assert!(weather.clear.indexes(&name).await.unwrap()[0].ready, "{fault:?}");
        }
        is_made(&weather, &name, &index, &format!("{answer:?} after {fault:?}")).await;
    }
    weather.close().await;
}

/// Checks that every handle has the index, at the latest when it is asked for again.
async fn is_made(weather: &Weather, name: &Name, index: &Index, what: &str) {
    // What was on its way when the caller gave up may arrive meanwhile.
    let again = weather.through.ensure_index(name, index, now()).await;
    again.unwrap_or_else(|again| panic!("{again}: {what}"));
    for mongo in [&weather.clear, &weather.through] {
        assert!(mongo.indexes(name).await.unwrap()[0].ready, "{what}");
        let refused = mongo.put(name, put("b")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::UniqueViolation, "{refused}: {what}");
    }
}

async fn the_catalog(place: &Place) {
    under_each(place, Commands::all().on("_storage.catalog"), &FAULTS).await;
}

async fn the_engines_indexes(place: &Place) {
    // A server may take hours to build an index, so silence alone ends nothing.
    let silent = |(fault, _): &(MongoFault, bool)| matches!(fault, MongoFault::Hang { .. });
    let faults: Vec<_> = FAULTS.into_iter().filter(|fault| !silent(fault)).collect();
    under_each(place, Commands::named("createIndexes"), &faults).await;
}

async fn the_engines_indexes_over_a_network_that_is_silent_and_then_cut(place: &Place) {
    let weather = Weather::at(place).await;
    let index = Index::btree("by_n", ["n"]).unique();
    for applied in [true, false] {
        let name = Name::new(format!("users-{applied}")).unwrap();
        weather.clear.put(&name, put("a")).await.unwrap();
        let ensured = weather.through.ensure_index(&name, &index, now());
        let silence = Commands::named("createIndexes");
        let error = weather
            .silent_then_cut(silence, applied, ensured)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        is_made(&weather, &name, &index, &error.to_string()).await;
    }
    weather.close().await;
}
