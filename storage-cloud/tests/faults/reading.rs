//! Reads, and the way back.

use storage_core::{Applied, Area, Condition, ErrorKind, ReadRequest, StorageBackend};
use test_servers::proxy::{HttpFault, Requests};
use tokio::time::timeout;

use crate::bench::{Bench, IMPATIENCE, PATIENCE, key, write};

pub(crate) async fn a_read_gives_the_whole_object_or_an_error(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    let key = key("whole");
    write(&bench.direct, &key, "0123456789", Condition::Always)
        .await
        .unwrap();
    let gets = || Requests::all().method("GET").path("whole");
    let passing = [503, 500, 429].map(|status| HttpFault::Answer {
        status,
        applied: false,
    });
    for fault in passing
        .into_iter()
        .chain([HttpFault::CutAnswer, HttpFault::Drop { applied: true }])
    {
        let met = bench.proxy.once(gets(), fault);
        let object = client.read(Area::Objects, &key, ReadRequest::default()).await;
        assert_eq!(met.fired(), 1, "{fault:?}");
        match object {
            Ok(object) => assert_eq!(object.unwrap().bytes, "0123456789", "{fault:?}"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::NotFound, "{fault:?}: {error}"),
        }
    }
    // A server that never has enough for the whole.
    bench.proxy.always(gets(), HttpFault::CutAnswer);
    let read = client.read(Area::Objects, &key, ReadRequest::default());
    let error = timeout(PATIENCE * 2, read).await.expect("it ends").unwrap_err();
    assert_eq!(error.applied(), Applied::No, "{error}");
}

pub(crate) async fn a_client_works_on_as_soon_as_the_network_is_back(bench: Bench) {
    let client = bench.client(IMPATIENCE).await;
    let key = key("back");
    let version = write(&client, &key, "before", Condition::Always).await.unwrap();
    bench.proxy.cut();
    for outcome in [
        write(&client, &key, "cut", Condition::Always).await.map(drop),
        write(&client, &key, "cut", Condition::IfVersion(version.clone()))
            .await
            .map(drop),
        client
            .read(Area::Objects, &key, ReadRequest::default())
            .await
            .map(drop),
        client.health().await,
    ] {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout),
            "{error}"
        );
    }
    assert_eq!(
        bench.stored(&key).await.unwrap(),
        ("before".into(), version.clone())
    );
    bench.proxy.heal();
    client.health().await.unwrap();
    write(&client, &key, "after", Condition::IfVersion(version))
        .await
        .unwrap();
    assert_eq!(bench.stored(&key).await.unwrap().0, "after");
}
