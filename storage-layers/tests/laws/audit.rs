use std::sync::Arc;

use bytes::Bytes;
use storage_core::*;
use storage_layers::audit::{AuditAnchor, AuditPhase, AuditProblem, DEFAULT_LOG};
use storage_layers::{
    Audit, AuditKey, AuditOptions, AuditTrail, Fault, FaultAction, FaultPlan, FaultRule, Operation, acting_as,
};

use crate::{NOW, id, key, name, put};

const KEY: AuditKey = AuditKey::new([7; 32]);

async fn audited(memory: &Memory, key: Option<AuditKey>) -> Audit<Memory> {
    let mut options = AuditOptions::new("service");
    options.key = key;
    Audit::open(memory.clone(), options).await.unwrap()
}

fn trail(memory: &Memory, key: Option<AuditKey>) -> AuditTrail {
    AuditTrail::new(Arc::new(memory.clone()), DEFAULT_LOG, key).unwrap()
}

async fn write(adapter: &impl StorageBackend, to: &str) -> Result<Version> {
    adapter
        .write(Area::Objects, &key(to), "value".into(), WriteRequest::default())
        .await
}

async fn entries(memory: &Memory) -> Vec<Bytes> {
    let page = memory.read_log(&name(DEFAULT_LOG), 0, 1000).await.unwrap();
    page.entries.into_iter().map(|entry| entry.bytes).collect()
}

/// Writes the log anew, as somebody with the medium in hand would.
async fn replace(memory: &Memory, entries: Vec<Bytes>) {
    memory.delete_log(&name(DEFAULT_LOG)).await.unwrap();
    memory
        .append(&name(DEFAULT_LOG), AppendRequest::new(entries))
        .await
        .unwrap();
}

#[tokio::test]
async fn every_change_is_recorded_with_who_what_key_and_outcome_and_no_value() {
    let memory = Memory::new();
    let audit = audited(&memory, None).await;
    acting_as("ada", write(&audit, "a")).await.unwrap();
    let stale = WriteRequest::when(Condition::IfVersion(Version::random()));
    audit
        .write(Area::Objects, &key("b"), "value".into(), stale)
        .await
        .unwrap_err();
    audit
        .put_many(&name("c"), vec![put("x", 1), put("y", 2)])
        .await
        .unwrap();
    let mut batch = BatchRequest::default();
    batch.operations.push((
        name("c"),
        BatchOperation::Delete(DeleteDocumentRequest::new(id("x"), NOW)),
    ));
    audit.commit(batch).await.unwrap();
    audit
        .read(Area::Objects, &key("a"), ReadRequest::default())
        .await
        .unwrap();
    let told: Vec<String> = trail(&memory, None)
        .tail(100)
        .await
        .unwrap()
        .into_iter()
        .map(|entry| {
            let phase = match entry.phase {
                AuditPhase::Began => "began",
                AuditPhase::Ended => "ended",
                _ => "did",
            };
            let outcome = entry.outcome.unwrap_or_default();
            format!(
                "{} {phase} {} {} {} {outcome}",
                entry.actor, entry.operation, entry.kind, entry.key
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "ada began write object a ",
            "ada ended write object a ok",
            "service began write object b ",
            "service ended write object b precondition-failed",
            "service began put document c/x ",
            "service began put document c/y ",
            "service ended put document c/x ok",
            "service ended put document c/y ok",
            "service began delete-document document c/x ",
            "service ended delete-document document c/x ok",
        ]
    );
    assert!(
        entries(&memory)
            .await
            .iter()
            .all(|entry| !entry.windows(5).any(|part| part == b"value"))
    );
    let report = audit.trail().verify(None).await.unwrap();
    assert_eq!(
        (report.entries, report.unfinished, report.problems.len()),
        (10, 0, 0)
    );
}

#[tokio::test]
async fn whatever_is_done_to_the_log_is_found() {
    type Tamper = fn(&mut Vec<Bytes>);
    let table: &[(&str, Tamper)] = &[
        ("a letter of the first is changed", |entries| {
            entries[0] = alter(&entries[0])
        }),
        ("a letter in the middle is changed", |entries| {
            entries[4] = alter(&entries[4])
        }),
        ("a letter of the last is changed", |entries| {
            let last = entries.len() - 1;
            entries[last] = alter(&entries[last]);
        }),
        ("the first is removed", |entries| drop(entries.remove(0))),
        ("one in the middle is removed", |entries| drop(entries.remove(4))),
        ("the last is cut off", |entries| drop(entries.pop())),
        ("all are cut off", Vec::clear),
        ("two change places", |entries| entries.swap(3, 4)),
        ("the last two change places", |entries| {
            let last = entries.len() - 1;
            entries.swap(last - 1, last);
        }),
        ("one is there twice", |entries| {
            entries.insert(4, entries[4].clone())
        }),
        ("one is put in", |entries| entries.insert(4, "{}".into())),
        ("one is not an entry", |entries| entries[4] = "not json".into()),
        ("one is another one", |entries| entries[4] = entries[2].clone()),
    ];
    for key in [None, Some(KEY)] {
        for (what, tamper) in table {
            let memory = Memory::new();
            let audit = audited(&memory, key.clone()).await;
            for n in 0..4 {
                write(&audit, &n.to_string()).await.unwrap();
            }
            let sound = trail(&memory, key.clone()).verify(None).await.unwrap();
            assert_eq!(sound.problems, [], "{what}");
            let mut log = entries(&memory).await;
            tamper(&mut log);
            replace(&memory, log).await;
            let found = trail(&memory, key.clone()).verify(None).await.unwrap();
            assert!(!found.problems.is_empty(), "{what}: {found:?}");
        }
    }
}

fn alter(entry: &Bytes) -> Bytes {
    let text = String::from_utf8(entry.to_vec()).unwrap();
    text.replacen("service", "nobody", 1).into()
}

/// Somebody writes everything anew, hashes and head included: with a key that shows, without one only against an earlier state.
#[tokio::test]
async fn a_log_made_anew_is_found_with_a_key_and_with_an_anchor() {
    let memory = Memory::new();
    let audit = audited(&memory, Some(KEY)).await;
    for n in 0..4 {
        write(&audit, &n.to_string()).await.unwrap();
    }
    let anchor: AuditAnchor = trail(&memory, Some(KEY))
        .verify(None)
        .await
        .unwrap()
        .anchor
        .to_string()
        .parse()
        .unwrap();

    // The forger has everything but the key.
    memory.delete_log(&name(DEFAULT_LOG)).await.unwrap();
    let gone = DeleteDocumentRequest::new(id(DEFAULT_LOG), NOW);
    memory
        .delete_document(&name("_storage.audit"), gone)
        .await
        .unwrap();
    let forged = audited(&memory, None).await;
    for n in 0..5 {
        write(&forged, &n.to_string()).await.unwrap();
    }
    assert_eq!(trail(&memory, None).verify(None).await.unwrap().problems, []);
    assert!(
        !trail(&memory, Some(KEY))
            .verify(None)
            .await
            .unwrap()
            .problems
            .is_empty()
    );
    let against = trail(&memory, None).verify(Some(&anchor)).await.unwrap();
    assert_eq!(against.problems, [AuditProblem::Other { expected: 8 }]);
    let longer = format!("100:{}", anchor.hash).parse().unwrap();
    let cut = trail(&memory, None).verify(Some(&longer)).await.unwrap();
    assert_eq!(cut.problems, [AuditProblem::Cut { expected: 100 }]);
}

#[tokio::test]
async fn a_log_that_was_cut_takes_no_more_entries_and_nothing_is_done() {
    let memory = Memory::new();
    let audit = audited(&memory, None).await;
    write(&audit, "a").await.unwrap();
    let mut log = entries(&memory).await;
    log.pop();
    replace(&memory, log).await;
    let error = write(&audit, "b").await.unwrap_err();
    assert_eq!((error.kind(), error.applied()), (ErrorKind::Corrupt, Applied::No));
    assert!(memory.stat(Area::Objects, &key("b")).await.unwrap().is_none());
    let refused = Audit::open(memory.clone(), AuditOptions::new("x"))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
}

/// The head is there before the first entry, so a log whose head is gone was tampered with, and one that a crash cut short was not.
#[tokio::test]
async fn a_crash_at_any_call_of_the_first_append_is_no_tampering_and_a_head_that_is_gone_is() {
    for at in 0.. {
        let memory = Memory::new();
        let died = FaultRule::new(FaultAction::Before(ErrorKind::Io)).from(at);
        let plan = FaultPlan::default();
        let dying = Audit::open(Fault::new(memory.clone(), plan.clone()), AuditOptions::new("x"))
            .await
            .unwrap();
        let before = plan.calls();
        plan.replace([died]);
        let done = write(&dying, "a").await.is_ok();
        let report = trail(&memory, None).verify(None).await.unwrap();
        assert_eq!(report.problems, [], "dead at call {at}");
        let next = audited(&memory, None).await;
        write(&next, "b").await.unwrap();
        let report = trail(&memory, None).verify(None).await.unwrap();
        assert_eq!(report.problems, [], "gone on after {at}");
        if done && plan.calls() - before <= at {
            break;
        }
        assert!(at < 50, "it never ends");
    }
    let memory = Memory::new();
    write(&audited(&memory, None).await, "a").await.unwrap();
    let mut log = entries(&memory).await;
    log.truncate(1);
    replace(&memory, log.clone()).await;
    let cut = trail(&memory, None).verify(None).await.unwrap();
    assert_eq!(
        cut.problems,
        [AuditProblem::Cut { expected: 2 }],
        "cut within the first call"
    );
    replace(&memory, Vec::new()).await;
    let cut = trail(&memory, None).verify(None).await.unwrap();
    assert_eq!(
        cut.problems,
        [AuditProblem::Cut { expected: 2 }],
        "cut at its beginning"
    );
    replace(&memory, log).await;
    let gone = DeleteDocumentRequest::new(id(DEFAULT_LOG), NOW);
    memory
        .delete_document(&name("_storage.audit"), gone)
        .await
        .unwrap();
    let headless = trail(&memory, None).verify(None).await.unwrap();
    assert_eq!(headless.problems, [AuditProblem::NoHead]);
    assert!(headless.problems[0].to_string().contains("taken away"));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let memory = Memory::new();
    let place = FaultPlan::default();
    let log = Arc::new(Fault::new(Memory::new(), place.clone()));
    let audit = Audit::open_in(memory.clone(), log, AuditOptions::new("x"))
        .await
        .unwrap();
    place.replace([FaultRule::new(FaultAction::Before(ErrorKind::NoSpace)).on(&[Operation::Append])]);
    let error = write(&audit, "a").await.unwrap_err();
    assert_eq!((error.kind(), error.applied()), (ErrorKind::NoSpace, Applied::No));
    assert!(memory.stat(Area::Objects, &key("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_stands_once() {
    let memory = Memory::new();
    let lost = FaultRule::new(FaultAction::After(ErrorKind::Unavailable))
        .on(&[Operation::Append])
        .every(2);
    let faulty = Fault::new(memory.clone(), FaultPlan::new([lost]));
    let audit = Audit::open(faulty, AuditOptions::new("x")).await.unwrap();
    for n in 0..5 {
        write(&audit, &n.to_string()).await.unwrap();
    }
    let report = trail(&memory, None).verify(None).await.unwrap();
    assert_eq!(
        (report.entries, report.unfinished, report.problems),
        (10, 0, vec![])
    );
}

#[tokio::test]
async fn a_call_nobody_saw_the_end_of_is_unfinished_and_no_fault() {
    let memory = Memory::new();
    let audit = audited(&memory, None).await;
    let slow = FaultRule::new(FaultAction::DelayBefore(std::time::Duration::from_secs(3600)));
    let inner = Fault::new(memory.clone(), FaultPlan::new([slow.on(&[Operation::Write])]));
    drop(audit);
    let audit = Audit::open(inner, AuditOptions::new("x")).await.unwrap();
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), write(&audit, "a")).await;
    given_up.unwrap_err();
    let report = trail(&memory, None).verify(None).await.unwrap();
    assert_eq!(
        (report.entries, report.unfinished, report.problems),
        (1, 1, vec![])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_on_several_handles_make_one_chain() {
    let memory = Memory::new();
    let mut tasks = Vec::new();
    for handle in 0..3 {
        let audit = Arc::new(audited(&memory, Some(KEY)).await);
        for task in 0..4 {
            let audit = Arc::clone(&audit);
            tasks.push(tokio::spawn(async move {
                for n in 0..20 {
                    write(&*audit, &format!("{handle}-{task}-{n}")).await.unwrap();
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let report = trail(&memory, Some(KEY)).verify(None).await.unwrap();
    assert_eq!(
        (report.entries, report.unfinished, report.problems),
        (3 * 4 * 20 * 2, 0, vec![])
    );
}

#[tokio::test]
async fn the_log_is_not_to_be_written_to_and_not_among_the_logs() {
    let memory = Memory::new();
    let audit = audited(&memory, None).await;
    audit
        .append(&name("zoo"), AppendRequest::new(vec!["1".into()]))
        .await
        .unwrap();
    let log = name(DEFAULT_LOG);
    let refusals = [
        audit
            .append(&log, AppendRequest::new(vec!["1".into()]))
            .await
            .map(drop),
        audit.close_log(&log).await,
        audit.delete_log(&log).await,
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    assert_eq!(audit.logs(None, 1).await.unwrap(), [name("zoo")]);
    assert!(!audit.read_log(&log, 0, 1).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn reads_are_recorded_where_asked_for() {
    let memory = Memory::new();
    let mut options = AuditOptions::new("reader");
    options.reads = true;
    let audit = Audit::open(memory.clone(), options).await.unwrap();
    audit.get(&name("c"), &id("x"), NOW).await.unwrap();
    let told = trail(&memory, None).tail(1).await.unwrap();
    assert_eq!((told[0].operation.as_str(), told[0].key.as_str()), ("get", "c/x"));
    assert_eq!(told[0].phase, AuditPhase::Did);
}

#[test]
fn a_key_shows_nowhere() {
    let mut options = AuditOptions::new("x");
    options.key = Some(KEY);
    assert!(!format!("{options:?}").contains('7'), "{options:?}");
    let error = AuditKey::from_hex("070707").unwrap_err();
    assert!(!error.to_string().contains("0707"));
}
