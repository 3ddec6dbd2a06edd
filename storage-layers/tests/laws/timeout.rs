use std::time::Duration;

use storage_core::*;
use storage_layers::{Fault, FaultAction, FaultPlan, FaultRule, Timeout, TimeoutOptions};

use crate::{NOW, key, name, put};

const LONG: Duration = Duration::from_secs(3600);

fn slow(memory: &Memory, action: FaultAction) -> Timeout<Fault<Memory>> {
    let fault = Fault::new(memory.clone(), FaultPlan::new([FaultRule::new(action)]));
    Timeout::new(fault, TimeoutOptions::of(Duration::from_secs(1)))
}

/// Time is paused, so that an hour passes at once.
#[tokio::test(start_paused = true)]
async fn a_write_that_ran_out_says_unknown_whether_or_not_it_happened() {
    for (action, happened) in [
        (FaultAction::DelayBefore(LONG), false),
        (FaultAction::DelayAfter(LONG), true),
    ] {
        let memory = Memory::new();
        let adapter = slow(&memory, action);
        let writes = [
            adapter
                .write(Area::Objects, &key("a"), "1".into(), WriteRequest::default())
                .await
                .map(drop),
            adapter.put(&name("c"), put("a", 1)).await.map(drop),
            adapter
                .append(&name("l"), AppendRequest::new(vec!["1".into()]))
                .await
                .map(drop),
        ];
        for write in writes {
            let error = write.unwrap_err();
            assert_eq!(
                (error.kind(), error.applied()),
                (ErrorKind::Timeout, Applied::Unknown)
            );
            assert_eq!(error.retry(), Retry::Later);
        }
        let there = memory.stat(Area::Objects, &key("a")).await.unwrap().is_some();
        let entries = memory.read_log(&name("l"), 0, 10).await.unwrap().entries.len();
        assert_eq!((there, entries), (happened, usize::from(happened)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_ran_out_changed_nothing_and_says_so() {
    let adapter = slow(&Memory::new(), FaultAction::DelayBefore(LONG));
    let read = adapter
        .read(Area::Objects, &key("a"), ReadRequest::default())
        .await
        .map(drop);
    let listed = adapter.list(Area::Objects, ListRequest::new("")).await.map(drop);
    for answer in [read, listed] {
        let error = answer.unwrap_err();
        assert_eq!((error.kind(), error.applied()), (ErrorKind::Timeout, Applied::No));
    }
}

#[tokio::test(start_paused = true)]
async fn housekeeping_has_the_time_it_needs() {
    let adapter = slow(&Memory::new(), FaultAction::DelayBefore(LONG));
    adapter.sweep(NOW).await.unwrap();
}
