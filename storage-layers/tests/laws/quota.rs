use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage_core::*;
use storage_layers::{
    Fault, FaultAction, FaultPlan, FaultRule, Operation, Quota, QuotaLimits, QuotaOptions, Usage,
};

use crate::{NOW, id, key, name, put};

fn options(bytes: u64) -> QuotaOptions {
    QuotaOptions::new(QuotaLimits::of_bytes(bytes))
}

async fn opened(memory: &Memory, bytes: u64) -> Quota<Memory> {
    Quota::open(memory.clone(), options(bytes)).await.unwrap()
}

async fn write<A: StorageAdapter>(quota: &Quota<A>, to: &str, bytes: usize) -> Result<Version> {
    let bytes = Bytes::from(vec![7; bytes]);
    quota
        .write(Area::Objects, &key(to), bytes, WriteRequest::default())
        .await
}

/// What is really there.
async fn kept(memory: &Memory) -> u64 {
    let mut all = ListRequest::new("");
    all.with_meta = true;
    let page = memory.list(Area::Objects, all).await.unwrap();
    let size = |entry: &ListEntry| match entry {
        ListEntry::Object(_, Some(meta)) => meta.size,
        _ => 0,
    };
    page.entries.iter().map(size).sum()
}

#[tokio::test]
async fn a_write_past_the_limit_is_refused_before_it_has_an_effect_and_says_how_far() {
    let memory = Memory::new();
    let quota = opened(&memory, 100).await;
    write(&quota, "a", 60).await.unwrap();
    let error = write(&quota, "b", 41).await.unwrap_err();
    assert_eq!((error.kind(), error.applied()), (ErrorKind::NoSpace, Applied::No));
    let told = ["quota", "limit", "used", "needed"].map(|name| error.context_value(name).unwrap());
    assert_eq!(told, ["bytes", "100", "60", "41"]);
    assert_eq!(kept(&memory).await, 60);
    write(&quota, "b", 40).await.unwrap();
    // What is full can be written over, shrunk and deleted.
    write(&quota, "b", 40).await.unwrap();
    write(&quota, "b", 39).await.unwrap();
    write(&quota, "c", 1).await.unwrap();
    quota
        .delete(Area::Objects, &key("a"), DeleteRequest::default())
        .await
        .unwrap();
    write(&quota, "d", 60).await.unwrap();
    assert_eq!(kept(&memory).await, 100);
}

#[tokio::test]
async fn counts_are_limited_as_bytes_are() {
    let memory = Memory::new();
    let mut limits = QuotaLimits::default();
    (limits.objects, limits.documents) = (Some(2), Some(3));
    let quota = Quota::open(memory, QuotaOptions::new(limits)).await.unwrap();
    write(&quota, "a", 1).await.unwrap();
    write(&quota, "b", 1).await.unwrap();
    let error = write(&quota, "c", 1).await.unwrap_err();
    assert_eq!(error.context_value("quota"), Some("objects"));
    let documents = (0..3).map(|n| put(&n.to_string(), n)).collect();
    let results = quota.put_many(&name("c"), documents).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
    let error = quota.put(&name("c"), put("another", 1)).await.unwrap_err();
    assert_eq!(error.context_value("quota"), Some("documents"));
    quota.put(&name("c"), put("2", 5)).await.unwrap();
    assert!(
        quota
            .delete_document(&name("c"), DeleteDocumentRequest::new(id("2"), NOW))
            .await
            .unwrap()
    );
    quota.put(&name("c"), put("another", 1)).await.unwrap();
    let mut batch = BatchRequest::default();
    batch.operations.push((
        name("c"),
        BatchOperation::Delete(DeleteDocumentRequest::new(id("0"), NOW)),
    ));
    batch
        .operations
        .push((name("c"), BatchOperation::Put(put("new", 1))));
    quota.commit(batch.clone()).await.unwrap();
    batch
        .operations
        .push((name("c"), BatchOperation::Put(put("newer", 1))));
    assert_eq!(quota.commit(batch).await.unwrap_err().kind(), ErrorKind::NoSpace);
}

/// Eight writers on three handles write, overwrite and delete; nobody ever sees more than the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_writers_never_go_past_the_limit() {
    const LIMIT: u64 = 2_000;
    let memory = Memory::new();
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(Arc::new(opened(&memory, LIMIT).await));
    }
    let mut tasks = Vec::new();
    for writer in 0..8_usize {
        let (quota, memory) = (Arc::clone(&handles[writer % 3]), memory.clone());
        tasks.push(tokio::spawn(async move {
            let (mut written, mut refused) = (0, 0);
            for n in 0..150_usize {
                // Some keys are one writer's own, some everybody's.
                let target = if n % 3 == 0 {
                    format!("shared-{}", n % 5)
                } else {
                    format!("{writer}-{}", n % 7)
                };
                let outcome = match (n + writer) % 4 {
                    0 => {
                        quota
                            .delete(Area::Objects, &key(&target), DeleteRequest::default())
                            .await
                    }
                    part => write(&quota, &target, 37 * part + n % 50).await.map(drop),
                };
                match outcome {
                    Ok(()) => written += 1,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
                        refused += 1;
                    }
                }
                assert!(kept(&memory).await <= LIMIT);
            }
            (written, refused)
        }));
    }
    let (mut written, mut refused) = (0, 0);
    for task in tasks {
        let (one, other) = task.await.unwrap();
        (written, refused) = (written + one, refused + other);
    }
    assert!(
        written > 100 && refused > 100,
        "{written} written, {refused} refused"
    );
    for quota in &handles {
        quota.usage().await.unwrap();
    }
    let told = handles[0].usage().await.unwrap().bytes;
    assert!(told >= kept(&memory).await, "{told} told");
    assert_eq!(handles[0].recount().await.unwrap().bytes, kept(&memory).await);
}

#[tokio::test]
async fn usage_is_known_after_a_restart_without_counting() {
    let memory = Memory::new();
    let quota = opened(&memory, 1000).await;
    write(&quota, "a", 300).await.unwrap();
    quota.put(&name("c"), put("x", 1)).await.unwrap();
    quota
        .append(&name("l"), AppendRequest::new(vec!["12345".into()]))
        .await
        .unwrap();
    let before = quota.usage().await.unwrap();
    quota.close().await.unwrap();
    let plan = FaultPlan::default();
    let again = Quota::open(Fault::new(memory, plan.clone()), options(1000))
        .await
        .unwrap();
    let calls = plan.calls();
    assert_eq!(calls, 1, "only the record is read");
    assert_eq!(again.usage().await.unwrap(), before);
    assert_eq!((before.objects, before.documents), (1, 1));
    assert!(before.bytes > 305);
}

#[tokio::test]
async fn what_is_there_already_is_counted_when_the_quota_is_new() {
    let memory = Memory::new();
    memory
        .write(
            Area::Objects,
            &key("old"),
            "12345".into(),
            WriteRequest::default(),
        )
        .await
        .unwrap();
    let quota = opened(&memory, 10).await;
    assert_eq!(quota.usage().await.unwrap().bytes, 5);
    write(&quota, "a", 6).await.unwrap_err();
}

/// The process ends at each call in turn, before it or right after it; what is told is never less than what is there, and a recount is
/// exact once the dead handle's share is taken back.
#[tokio::test]
async fn a_crash_at_any_call_leaves_usage_too_high_at_worst() {
    for action in [
        FaultAction::Before(ErrorKind::Io),
        FaultAction::After(ErrorKind::Io),
    ] {
        let mut at = 0;
        loop {
            let memory = Memory::new();
            opened(&memory, 10_000).await.close().await.unwrap();
            let died = FaultRule::new(FaultAction::Before(ErrorKind::Io)).from(at + 1);
            let plan = FaultPlan::new([FaultRule::new(action.clone()).at(at), died]);
            if let Ok(quota) = Quota::open(Fault::new(memory.clone(), plan.clone()), options(10_000)).await {
                for (to, bytes) in [("a", 500), ("b", 300), ("a", 200)] {
                    let _ = write(&quota, to, bytes).await;
                }
                let _ = quota
                    .delete(Area::Objects, &key("b"), DeleteRequest::default())
                    .await;
                let _ = quota.usage().await;
            }
            let mut after = options(10_000);
            after.abandoned_after = Duration::ZERO;
            let survivor = Quota::open(memory.clone(), after).await.unwrap();
            let told = survivor.usage().await.unwrap().bytes;
            assert!(told >= kept(&memory).await, "{action:?} at {at}: {told} told");
            assert_eq!(
                survivor.recount().await.unwrap().bytes,
                kept(&memory).await,
                "{action:?} at {at}"
            );
            if plan.calls() <= at {
                break;
            }
            at += 1;
        }
        assert!(at > 8, "{at}");
    }
}

/// Somebody writes and deletes at each step of a recount.
#[tokio::test]
async fn a_recount_beside_writers_never_tells_less_than_there_is() {
    for at in 0..12 {
        let memory = Memory::new();
        let writer = Arc::new(opened(&memory, 100_000).await);
        for n in 0..5 {
            write(&writer, &format!("k{n}"), 100).await.unwrap();
        }
        let other = Arc::clone(&writer);
        let meanwhile = FaultAction::Meanwhile(Arc::new(move || {
            let other = Arc::clone(&other);
            Box::pin(async move {
                write(&other, "k0", 900).await.unwrap();
                other
                    .delete(Area::Objects, &key("k4"), DeleteRequest::default())
                    .await
                    .unwrap();
                write(&other, "new", 500).await.unwrap();
                other.usage().await.unwrap();
                write(&other, "k4", 50).await.unwrap();
            })
        }));
        let plan = FaultPlan::new([FaultRule::new(meanwhile).at(at)]);
        let counting = Quota::open(Fault::new(memory.clone(), plan), options(100_000))
            .await
            .unwrap();
        let told = counting.recount().await.unwrap().bytes;
        writer.usage().await.unwrap();
        let later = counting.usage().await.unwrap().bytes;
        let there = kept(&memory).await;
        assert!(
            told >= there && later >= there,
            "at {at}: {told}, {later} told, {there} there"
        );
    }
}

#[tokio::test]
async fn what_expired_or_was_dropped_gives_way_before_anything_is_refused() {
    let memory = Memory::new();
    let quota = opened(&memory, 100).await;
    let log = AppendRequest::new(vec![Bytes::from(vec![1; 90])]);
    quota.append(&name("l"), log).await.unwrap();
    quota.delete_log(&name("l")).await.unwrap();
    write(&quota, "a", 95).await.unwrap();
}

#[tokio::test]
async fn a_streamed_write_takes_room_as_its_bytes_come_and_gives_it_back_when_given_up() {
    let memory = Memory::new();
    let quota = Arc::new(opened(&memory, 100).await);
    let mut writer = Arc::clone(&quota)
        .open_writer(Area::Objects, &key("a"), WriteRequest::default())
        .await
        .unwrap();
    writer.write(Bytes::from(vec![1; 80])).await.unwrap();
    write(&quota, "b", 30).await.unwrap_err();
    writer.write(Bytes::from(vec![1; 30])).await.unwrap_err();
    writer.abort().await.unwrap();
    write(&quota, "b", 100).await.unwrap();
}

#[tokio::test]
async fn an_adapter_that_cannot_bind_a_write_to_what_was_seen_is_refused() {
    let view = storage_layers::ReadOnly::new(Memory::new());
    let refused = Quota::open(view, options(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_lost_answer_counts_as_written() {
    let memory = Memory::new();
    let lost = FaultRule::new(FaultAction::After(ErrorKind::Io))
        .on(&[Operation::Write])
        .at(0);
    let quota = Quota::open(Fault::new(memory.clone(), FaultPlan::new([lost])), options(100))
        .await
        .unwrap();
    write(&quota, "a", 70).await.unwrap_err();
    assert_eq!(quota.usage().await.unwrap(), {
        let mut usage = Usage::default();
        (usage.bytes, usage.objects) = (70, 1);
        usage
    });
}
