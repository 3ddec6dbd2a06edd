//! What MongoDB answers is what the reference adapter answers: the same operations on both, the same answers but for versions.

use std::sync::Arc;

use conformance_tests::differential;
use storage_core::{StorageAdapter, StorageBackend};

use crate::place::{Place, laws};

laws! {
    Transactions: the_same_answers_as_the_reference,
}

async fn the_same_answers_as_the_reference(place: &Place) {
    for seed in differential::seeds(1..=3) {
        let mongo = [place.connect().await, place.connect().await];
        let clients = mongo
            .clone()
            .map(|mongo| Arc::new(mongo) as Arc<dyn StorageAdapter>);
        if let Err(difference) = differential::documents(&clients, seed, 300).await {
            panic!("{difference}");
        }
        for mongo in mongo {
            mongo.close().await.unwrap();
        }
        place.empty().await;
    }
}
