use std::time::Duration;

use storage_core::*;
use storage_layers::{Fault, FaultAction, FaultPlan, FaultRule, Operation, Retry, RetryOptions};

use crate::{key, name, put};

fn options() -> RetryOptions {
    let mut options = RetryOptions::default();
    options.attempts = 3;
    options.first_pause = Duration::from_millis(1);
    options
}

fn retried(memory: &Memory, rules: impl IntoIterator<Item = FaultRule>) -> Retry<Fault<Memory>> {
    Retry::new(Fault::new(memory.clone(), FaultPlan::new(rules)), options())
}

fn before() -> FaultRule {
    FaultRule::new(FaultAction::Before(ErrorKind::Unavailable))
}

/// Done, and the answer lost.
fn after() -> FaultRule {
    FaultRule::new(FaultAction::After(ErrorKind::Unavailable))
}

async fn entries(memory: &Memory) -> usize {
    memory.read_log(&name("l"), 0, 100).await.unwrap().entries.len()
}

#[tokio::test]
async fn an_append_is_never_doubled() {
    let memory = Memory::new();
    let adapter = retried(&memory, [after().at(0)]);
    let append = AppendRequest::new(vec!["1".into()]);
    let error = adapter.append(&name("l"), append).await.unwrap_err();
    assert_eq!(error.applied(), Applied::Unknown);
    assert_eq!(entries(&memory).await, 1);
    assert_eq!((adapter.stats().repeated, adapter.stats().unknown), (0, 1));
}

#[tokio::test]
async fn an_append_that_names_its_place_is_repeated_and_stands_once() {
    let memory = Memory::new();
    let adapter = retried(&memory, [after().at(0)]);
    let mut append = AppendRequest::new(vec!["1".into()]);
    append.expected = Some(0);
    assert_eq!(
        adapter.append(&name("l"), append).await.unwrap(),
        Appended { first: 0, next: 1 }
    );
    assert_eq!(entries(&memory).await, 1);
    assert_eq!((adapter.stats().repeated, adapter.stats().recovered), (1, 1));
}

#[tokio::test]
async fn what_did_not_happen_is_repeated_whatever_it_is() {
    let memory = Memory::new();
    let adapter = retried(&memory, [before().every(2)]);
    let create = WriteRequest::when(Condition::IfAbsent);
    for n in ["a", "b", "c"] {
        adapter
            .write(Area::Objects, &key(n), "1".into(), create.clone())
            .await
            .unwrap();
        adapter
            .append(&name("l"), AppendRequest::new(vec!["1".into()]))
            .await
            .unwrap();
    }
    assert_eq!(entries(&memory).await, 3);
    assert!(adapter.stats().repeated > 0);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_repeated_only_where_overwriting_is_allowed() {
    for (allowed, repeated) in [(false, 0), (true, 1)] {
        let mut options = options();
        options.repeat_overwrites = allowed;
        let fault = Fault::new(Memory::new(), FaultPlan::new([after().at(0)]));
        let adapter = Retry::new(fault, options);
        let written = adapter
            .write(Area::Objects, &key("a"), "1".into(), WriteRequest::default())
            .await;
        assert_eq!(written.is_ok(), allowed);
        assert_eq!(adapter.stats().repeated, repeated);
    }
}

#[tokio::test]
async fn a_lost_create_is_never_taken_for_somebody_elses() {
    let adapter = retried(&Memory::new(), [after().at(0)]);
    let create = WriteRequest::when(Condition::IfAbsent);
    let error = adapter
        .write(Area::Objects, &key("a"), "1".into(), create)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.applied()),
        (ErrorKind::Unavailable, Applied::Unknown)
    );
}

#[tokio::test]
async fn what_fails_each_time_is_exhausted_after_as_many_attempts_as_allowed() {
    let plan = FaultPlan::new([before()]);
    let adapter = Retry::new(Fault::new(Memory::new(), plan.clone()), options());
    let error = adapter.stat(Area::Objects, &key("a")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, storage_core::Retry::Exhausted)
    );
    assert_eq!(error.context_value("attempts"), Some("3"));
    assert_eq!((plan.calls(), adapter.stats().exhausted), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_deadline() {
    let plan = FaultPlan::new([
        FaultRule::new(FaultAction::DelayBefore(Duration::from_secs(10))),
        before(),
    ]);
    let mut options = options();
    options.attempts = 1000;
    options.deadline = Duration::from_secs(35);
    options.first_pause = Duration::from_nanos(1);
    let adapter = Retry::new(Fault::new(Memory::new(), plan.clone()), options);
    adapter.stat(Area::Objects, &key("a")).await.unwrap_err();
    assert_eq!(plan.calls(), 4);
}

#[tokio::test]
async fn a_refusal_is_given_as_it_is() {
    let memory = Memory::new();
    let plan = FaultPlan::default();
    let adapter = Retry::new(Fault::new(memory.clone(), plan.clone()), options());
    let stale = WriteRequest::when(Condition::IfVersion(Version::random()));
    let error = adapter
        .write(Area::Objects, &key("a"), "1".into(), stale)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), plan.calls()), (ErrorKind::PreconditionFailed, 1));
}

#[tokio::test]
async fn of_many_the_whole_call_is_repeated_when_nothing_could_be_attempted() {
    let memory = Memory::new();
    let adapter = retried(&memory, [before().on(&[Operation::PutMany]).at(0)]);
    let results = adapter
        .put_many(&name("c"), vec![put("a", 1), put("b", 2)])
        .await
        .unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(adapter.stats().repeated, 1);
}
