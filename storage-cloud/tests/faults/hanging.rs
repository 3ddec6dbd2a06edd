//! Requests and answers that hang, or come late.

use std::time::Duration;

use storage_core::{Applied, Condition};
use test_servers::proxy::{HttpFault, Requests};
use tokio::time::timeout;

use crate::bench::{Bench, IMPATIENCE, KINDS, Kind, PATIENCE, check, key, puts, write};

pub(crate) async fn a_write_nobody_answers_ends_and_says_that_nothing_is_known(bench: Bench) {
    let client = bench.client(IMPATIENCE).await;
    for applied in [true, false] {
        for kind in KINDS {
            let what = format!("{kind:?} applied: {applied}");
            let key = key(&format!("{kind:?}-{applied}"));
            let condition = kind.prepare(&bench, &key).await;
            bench
                .proxy
                .always(Requests::all().path(key.as_str()), HttpFault::Hang { applied });
            // Not how long it takes, but that it ends.
            let outcome = timeout(PATIENCE, write(&client, &key, "after", condition)).await;
            bench.proxy.heal();
            let error = outcome
                .unwrap_or_else(|_| panic!("{what}: it hangs"))
                .unwrap_err();
            assert_eq!(error.applied(), Applied::Unknown, "{what}: {error}");
        }
    }
}

pub(crate) async fn a_conditional_write_is_found_again_when_only_its_answer_hangs(bench: Bench) {
    let client = bench.client(IMPATIENCE).await;
    for kind in [Kind::Create, Kind::Swap] {
        let key = key(&format!("{kind:?}"));
        let condition = kind.prepare(&bench, &key).await;
        bench.proxy.once(puts(), HttpFault::Hang { applied: true });
        let outcome = write(&client, &key, "after", condition).await;
        assert!(outcome.is_ok(), "{kind:?}: {outcome:?}");
        check(&outcome, bench.stored(&key).await, kind, "its answer hangs");
    }
}

pub(crate) async fn a_write_that_arrives_late_was_not_called_undone(bench: Bench) {
    let client = bench.client(IMPATIENCE).await;
    for kind in KINDS {
        let key = key(&format!("{kind:?}"));
        let condition = kind.prepare(&bench, &key).await;
        bench.proxy.once(puts(), HttpFault::DelayRequest(IMPATIENCE * 3));
        match write(&client, &key, "after", condition).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.applied(), Applied::Unknown, "{kind:?}: {error}"),
        }
        // It hangs, and so fails, if the write never arrives.
        while bench.stored(&key).await.is_none_or(|(bytes, _)| bytes != "after") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn what_somebody_else_wrote_meanwhile_stays_and_the_outcome_is_unknown(bench: Bench) {
    let client = bench.client(IMPATIENCE).await;
    for applied in [true, false] {
        for kind in [Kind::Create, Kind::Swap] {
            let what = format!("{kind:?} applied: {applied}");
            let key = key(&format!("{kind:?}-{applied}"));
            let condition = kind.prepare(&bench, &key).await;
            // Until somebody else has written, nothing can be looked up either.
            bench
                .proxy
                .always(Requests::all().method("HEAD"), HttpFault::Hang { applied: false });
            let met = bench.proxy.once(puts(), HttpFault::Drop { applied });
            let writing = tokio::spawn({
                let (client, key) = (client.clone(), key.clone());
                async move { write(&client, &key, "after", condition).await }
            });
            assert!(met.met().await);
            while applied && bench.stored(&key).await.is_none_or(|(bytes, _)| bytes != "after") {
                tokio::task::yield_now().await;
            }
            let theirs = write(&bench.direct, &key, "theirs", Condition::Always)
                .await
                .unwrap();
            bench.proxy.heal();
            let error = writing.await.unwrap().unwrap_err();
            assert_eq!(error.applied(), Applied::Unknown, "{what}: {error}");
            assert_eq!(
                bench.stored(&key).await.unwrap(),
                ("theirs".into(), theirs),
                "{what}"
            );
        }
    }
}
