//! Faults that pass: one request meets one.

use std::sync::Arc;

use bytes::Bytes;
use storage_core::{Applied, Area, Condition, DeleteRequest, ErrorKind, Retry, StorageBackend, WriteRequest};
use test_servers::proxy::{HttpFault, Requests};

use crate::bench::{Bench, KINDS, Kind, PATIENCE, check, key, passing, puts, write};

pub(crate) async fn a_conditional_write_outlives_every_passing_fault(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    for (number, fault) in passing().into_iter().enumerate() {
        for kind in [Kind::Create, Kind::Swap] {
            let what = format!("{kind:?} {fault:?}");
            let key = key(&format!("{number}-{kind:?}"));
            let condition = kind.prepare(&bench, &key).await;
            let met = bench.proxy.once(puts().path(key.as_str()), fault);
            let outcome = write(&client, &key, "after", condition).await;
            assert_eq!(met.fired(), 1, "{what}");
            assert!(outcome.is_ok(), "{what}: {outcome:?}");
            check(&outcome, bench.stored(&key).await, kind, &what);
        }
    }
}

pub(crate) async fn an_unconditional_write_is_sent_once_and_tells_what_it_knows(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    for (number, fault) in passing().into_iter().enumerate() {
        let what = format!("{fault:?}");
        let key = key(&format!("{number}"));
        let condition = Kind::Put.prepare(&bench, &key).await;
        let sent = bench.proxy.count(puts().path(key.as_str()));
        bench.proxy.once(puts().path(key.as_str()), fault);
        let outcome = write(&client, &key, "after", condition).await;
        assert_eq!(sent.fired(), 1, "{what}");
        assert_eq!(
            outcome.is_ok(),
            matches!(fault, HttpFault::Twice | HttpFault::DelayAnswer(_)),
            "{what}: {outcome:?}"
        );
        check(&outcome, bench.stored(&key).await, Kind::Put, &what);
    }
}

pub(crate) async fn a_deletion_is_sent_once_and_tells_what_it_knows(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    let deletes = || Requests::all().method("DELETE");
    for (number, fault) in passing().into_iter().enumerate() {
        let key = key(&format!("{number}"));
        Kind::Put.prepare(&bench, &key).await;
        let sent = bench.proxy.count(deletes().path(key.as_str()));
        bench.proxy.once(deletes().path(key.as_str()), fault);
        let outcome = client.delete(Area::Objects, &key, DeleteRequest::default()).await;
        assert_eq!(sent.fired(), 1, "{fault:?}");
        let is_there = bench.stored(&key).await.is_some();
        match outcome {
            Ok(()) => assert!(!is_there, "{fault:?}"),
            Err(error) if error.applied() == Applied::No => assert!(is_there, "{fault:?}: {error}"),
            Err(_) => {}
        }
    }
}

pub(crate) async fn a_condition_that_does_not_hold_is_refused_also_when_it_is_sent_twice(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    let key = key("held");
    let stale = write(&bench.direct, &key, "old", Condition::Always)
        .await
        .unwrap();
    let current = write(&bench.direct, &key, "before", Condition::Always)
        .await
        .unwrap();
    for (condition, kind) in [
        (Condition::IfAbsent, ErrorKind::AlreadyExists),
        (Condition::IfVersion(stale), ErrorKind::PreconditionFailed),
    ] {
        bench.proxy.once(puts(), HttpFault::Twice);
        let error = write(&client, &key, "after", condition).await.unwrap_err();
        assert_eq!((error.kind(), error.applied()), (kind, Applied::No), "{error}");
        assert_eq!(
            bench.stored(&key).await.unwrap(),
            ("before".into(), current.clone())
        );
    }
}

pub(crate) async fn a_streamed_write_whose_end_is_lost_tells_what_it_knows(bench: Bench) {
    let client = Arc::new(bench.client(PATIENCE).await);
    // Longer than a part of the default size, so that it is one of several.
    let bytes = Bytes::from(vec![7; 9 * 1024 * 1024]);
    for (number, fault) in passing()
        .into_iter()
        .filter(|fault| *fault != HttpFault::Twice)
        .enumerate()
    {
        let key = key(&format!("{number}"));
        let end = Requests::all().method("POST").path(key.as_str()).path("uploadId");
        let met = bench.proxy.once(end, fault);
        let writing = Arc::clone(&client).open_writer(Area::Objects, &key, WriteRequest::default());
        let mut writer = writing.await.unwrap();
        writer.write(bytes.clone()).await.unwrap();
        let outcome = writer.finish().await;
        assert_eq!(met.fired(), 1, "{fault:?}");
        let stored = bench.stored(&key).await;
        match outcome {
            Ok(version) => assert!(stored.unwrap() == (bytes.clone(), version), "{fault:?}"),
            Err(error) if error.applied() == Applied::No => assert!(stored.is_none(), "{fault:?}: {error}"),
            Err(_) => assert!(stored.is_none_or(|(whole, _)| whole == bytes), "{fault:?}"),
        }
    }
}

/// It should mean that nothing was done; a gateway that answers for a server does not know.
pub(crate) async fn a_write_done_and_answered_with_429_is_not_called_undone(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    let done = HttpFault::Answer {
        status: 429,
        applied: true,
    };
    for kind in KINDS {
        let key = key(&format!("{kind:?}"));
        let condition = kind.prepare(&bench, &key).await;
        let met = bench.proxy.once(puts().path(key.as_str()), done);
        let outcome = write(&client, &key, "after", condition).await;
        assert_eq!(met.fired(), 1, "{kind:?}");
        check(&outcome, bench.stored(&key).await, kind, &format!("{kind:?}"));
    }
}

/// Nothing was done, so that to send it again is no second write.
pub(crate) async fn a_write_that_met_another_request_is_sent_again(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    for kind in KINDS {
        let key = key(&format!("{kind:?}"));
        let condition = kind.prepare(&bench, &key).await;
        let met = bench.proxy.once(puts().path(key.as_str()), MET);
        let outcome = write(&client, &key, "after", condition).await;
        assert_eq!(met.fired(), 1, "{kind:?}");
        assert!(outcome.is_ok(), "{kind:?}: {outcome:?}");
        check(&outcome, bench.stored(&key).await, kind, &format!("{kind:?}"));
    }
}

pub(crate) async fn a_write_that_meets_another_request_for_ever_comes_to_an_end(bench: Bench) {
    let client = bench.client(PATIENCE).await;
    for kind in KINDS {
        let key = key(&format!("{kind:?}"));
        let condition = kind.prepare(&bench, &key).await;
        let met = bench.proxy.always(puts().path(key.as_str()), MET);
        let outcome = write(&client, &key, "after", condition).await;
        assert_eq!(met.fired(), 5, "{kind:?}: the first and four more");
        let error = outcome.as_ref().unwrap_err();
        assert_eq!(
            (error.kind(), error.applied(), error.retry()),
            (ErrorKind::Conflict, Applied::No, Retry::Later),
            "{kind:?}"
        );
        check(&outcome, bench.stored(&key).await, kind, &format!("{kind:?}"));
    }
}

const MET: HttpFault = HttpFault::Answer {
    status: 409,
    applied: false,
};
