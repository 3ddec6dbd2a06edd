//! How often a server is tried.

use storage_core::StorageBackend;
use storage_mongo::{Mongo, MongoConfig};
use test_servers::proxy::{Commands, Mongo as Proxy};

use crate::place::{Place, laws};

laws! {
    Nothing: clones_of_a_configuration_try_the_server_once,
}

async fn clones_of_a_configuration_try_the_server_once(place: &Place) {
    let proxy = Proxy::to(&place.server.url).unwrap();
    let probes = proxy.count(Commands::all().on("_storage.probe"));
    let config = place.config_at(proxy.url());
    let first = connect(&config).await;
    let tried = probes.fired();
    assert!(tried > 0);
    let again = connect(&config).await;
    assert_eq!(probes.fired(), tried, "a clone tries the server again");
    assert_eq!(again.declaration(), first.declaration());
    assert_eq!(again.server(), first.server());
    let anew = connect(&place.config_at(proxy.url())).await;
    assert!(
        probes.fired() > tried,
        "a new configuration believes what another found"
    );
    for mongo in [first, again, anew] {
        mongo.close().await.unwrap();
    }
}

async fn connect(config: &MongoConfig) -> Mongo {
    Mongo::connect(config.clone()).await.unwrap()
}
