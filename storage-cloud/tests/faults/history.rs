//! Many writers and many faults.

use storage_cloud::Cloud;
use storage_core::{Applied, Area, Condition, Error, ErrorKind, Key, ReadRequest, StorageBackend};

use crate::bench::{Bench, PATIENCE, key, passing, puts, write};

/// Four writers add lines to one object by compare-and-swap while every third request meets a fault.
pub(crate) async fn no_acknowledged_swap_is_lost_and_none_is_there_twice(bench: Bench) {
    const WRITERS: usize = 4;
    const LINES: usize = 8;

    let client = bench.client(PATIENCE).await;
    let key = key("lines");
    write(&bench.direct, &key, "", Condition::Always).await.unwrap();
    let faults: Vec<_> = passing()
        .iter()
        .map(|fault| bench.proxy.nth(3, puts(), *fault))
        .collect();
    let writers = (0..WRITERS).map(|writer| {
        let (client, key) = (client.clone(), key.clone());
        tokio::spawn(async move {
            let mut told = Vec::new();
            for line in 0..LINES {
                let line = format!("{writer}-{line}\n");
                let outcome = add(&client, &key, &line).await;
                told.push((line, outcome));
            }
            told
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut told = Vec::new();
    for writer in writers {
        told.extend(writer.await.unwrap());
    }
    assert_eq!(told.len(), WRITERS * LINES);
    assert!(
        faults.iter().all(|fault| fault.fired() == 1),
        "every fault was met"
    );
    let lines = String::from_utf8(bench.stored(&key).await.unwrap().0.to_vec()).unwrap();
    for (line, outcome) in told {
        let there = lines.matches(&line).count();
        match outcome {
            Ok(()) => assert_eq!(there, 1, "{line} of {lines}"),
            Err(error) => {
                assert_eq!(error.applied(), Applied::Unknown, "{error}");
                assert!(there <= 1, "{line} of {lines}");
            }
        }
    }
}

/// Adds a line, again and again while others are faster.
async fn add(client: &Cloud, key: &Key, line: &str) -> Result<(), Error> {
    loop {
        let object = client
            .read(Area::Objects, key, ReadRequest::default())
            .await?
            .unwrap();
        let text = format!("{}{line}", String::from_utf8(object.bytes.to_vec()).unwrap());
        match write(client, key, &text, Condition::IfVersion(object.meta.version)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
                assert_eq!(error.applied(), Applied::No);
            }
            Err(error) => return Err(error),
        }
    }
}
