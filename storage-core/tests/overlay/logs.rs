//! Logs: contiguous, all or nothing, idempotent where a number is expected, closed for good, deleted for good.

use bytes::Bytes;
use futures::FutureExt;
use storage_core::{
    AppendRequest, Appended, Applied, ErrorKind, LogPage, MemoryBackend, Overlay, Result, StorageAdapter,
    Timestamp,
};

use crate::faulty::{Fault, Faulty};
use crate::store::{NOW, keys, kind, name};

fn request(entries: &[&[u8]], expected: Option<u64>) -> AppendRequest {
    let mut request = AppendRequest::new(
        entries
            .iter()
            .map(|entry| Bytes::copy_from_slice(entry))
            .collect(),
    );
    request.expected = expected;
    request
}

async fn append(store: &impl StorageAdapter, entries: &[&[u8]], expected: Option<u64>) -> Result<Appended> {
    store.append(&name("l/é"), request(entries, expected)).await
}

async fn read(store: &impl StorageAdapter, from: u64, limit: usize) -> LogPage {
    store.read_log(&name("l/é"), from, limit).await.unwrap()
}

fn texts(page: &LogPage) -> Vec<(u64, &[u8])> {
    page.entries
        .iter()
        .map(|entry| (entry.sequence, &*entry.bytes))
        .collect()
}

const fn span(first: u64, next: u64) -> Appended {
    Appended { first, next }
}

#[tokio::test]
async fn entries_are_numbered_without_gaps_and_read_from_anywhere() {
    let backend = MemoryBackend::new();
    // Short pages, so every walk goes on.
    let (one, two) = (
        Overlay::new(Faulty::sound(backend.clone())),
        Overlay::new(backend),
    );
    assert_eq!(read(&one, 0, 10).await, LogPage::default());
    let mut all: Vec<Vec<u8>> = Vec::new();
    for size in [1_usize, 3, 1, 1, 1, 5, 1, 2, 1, 1] {
        let entries: Vec<Vec<u8>> = (0..size)
            .map(|at| [0, 0xFF, b'\n'].repeat(all.len() + at))
            .collect();
        let slices: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let first = all.len() as u64;
        assert_eq!(
            append(&two, &slices, None).await.unwrap(),
            span(first, first + size as u64)
        );
        all.extend(entries);
    }
    for from in 0..=all.len() + 1 {
        for limit in [0, 1, 2, 7, 100] {
            let page = read(&one, from as u64, limit).await;
            let expected = all.iter().enumerate().skip(from).take(limit);
            let expected: Vec<_> = expected
                .map(|(at, bytes)| (at as u64, bytes.as_slice()))
                .collect();
            assert_eq!(texts(&page), expected, "{from}, {limit}");
            assert_eq!(
                (page.end, page.closed, page.torn_bytes),
                (all.len() as u64, false, 0)
            );
        }
    }
    assert_eq!(one.logs(None, 10).await.unwrap(), [name("l/é")]);
    assert_eq!(one.logs(Some(&name("l/é")), 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_expected_number_makes_a_retry_idempotent() {
    let store = Overlay::new(MemoryBackend::new());
    assert_eq!(
        kind(append(&store, &[b"a"], Some(1)).await),
        ErrorKind::PreconditionFailed
    );
    assert_eq!(store.logs(None, 10).await.unwrap(), []);
    for _ in 0..2 {
        assert_eq!(append(&store, &[b"a", b"b"], Some(0)).await.unwrap(), span(0, 2));
    }
    append(&store, &[b"c"], Some(2)).await.unwrap();
    assert_eq!(append(&store, &[b"b", b"c"], Some(1)).await.unwrap(), span(1, 3));
    for (entries, expected) in [(&[&b"x"[..]][..], 0), (&[b"c", b"d"], 2), (&[b"d"], 4), (&[], 4)] {
        assert_eq!(
            kind(append(&store, entries, Some(expected)).await),
            ErrorKind::PreconditionFailed
        );
    }
    store.close_log(&name("l/é")).await.unwrap();
    assert_eq!(append(&store, &[b"c"], Some(2)).await.unwrap(), span(2, 3));
    assert_eq!(kind(append(&store, &[b"d"], Some(3)).await), ErrorKind::LogClosed);
}

#[tokio::test]
async fn an_empty_append_creates_nothing_and_still_checks() {
    let backend = MemoryBackend::new();
    let store = Overlay::new(backend.clone());
    assert_eq!(append(&store, &[], None).await.unwrap(), span(0, 0));
    assert_eq!(append(&store, &[], Some(0)).await.unwrap(), span(0, 0));
    assert_eq!(keys(&backend, "logs/").await, []);
    append(&store, &[b"a"], None).await.unwrap();
    assert_eq!(append(&store, &[], None).await.unwrap(), span(1, 1));
    store.close_log(&name("l/é")).await.unwrap();
    assert_eq!(kind(append(&store, &[], None).await), ErrorKind::LogClosed);
}

#[tokio::test]
async fn closing_takes_the_next_number_and_deleting_begins_anew() {
    let backend = MemoryBackend::new();
    let store = Overlay::new(backend.clone());
    append(&store, &[b"a"], None).await.unwrap();
    for _ in 0..2 {
        store.close_log(&name("l/é")).await.unwrap();
    }
    let page = read(&store, 0, 10).await;
    assert_eq!(
        (texts(&page), page.end, page.closed),
        (vec![(0, &b"a"[..])], 1, true)
    );
    for _ in 0..2 {
        store.delete_log(&name("l/é")).await.unwrap();
    }
    assert_eq!(read(&store, 0, 10).await, LogPage::default());
    assert_eq!(store.logs(None, 10).await.unwrap(), []);
    assert_eq!(keys(&backend, "logs/").await, []);
    assert_eq!(append(&store, &[b"z"], None).await.unwrap(), span(0, 1));
    let anew = read(&store, 0, 10).await;
    assert_ne!(anew.incarnation, page.incarnation);
    assert!(!anew.closed);
    // Closing creates a log if need be.
    store.close_log(&name("other")).await.unwrap();
    assert!(store.read_log(&name("other"), 0, 1).await.unwrap().closed);
}

#[tokio::test]
async fn of_two_appenders_each_gets_numbers_of_its_own() {
    for round in 0..40 {
        let backend = MemoryBackend::new();
        let tasks: Vec<_> = (0..3_u64)
            .map(|writer| {
                let store = Overlay::new(Faulty::shaken(backend.clone(), round * 3 + writer + 1));
                tokio::spawn(async move {
                    for at in 0..5 {
                        append(&store, &[format!("{writer}{at}").as_bytes(), b"-"], None)
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let page = read(&Overlay::new(backend), 0, 100).await;
        let mut words: Vec<&[u8]> = page
            .entries
            .iter()
            .step_by(2)
            .map(|entry| &*entry.bytes)
            .collect();
        assert!(
            page.entries
                .iter()
                .skip(1)
                .step_by(2)
                .all(|entry| *entry.bytes == *b"-")
        );
        words.sort_unstable();
        let expected: Vec<String> = (0..15).map(|at| format!("{}{}", at / 5, at % 5)).collect();
        assert_eq!(words, expected.iter().map(String::as_bytes).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_damaged_log_is_corrupt_and_never_appended_to() {
    let backend = MemoryBackend::new();
    let store = Overlay::new(backend.clone());
    append(&store, &[b"a"], None).await.unwrap();
    append(&store, &[b"b"], None).await.unwrap();
    let objects = keys(&backend, "logs/").await;
    crate::store::damage(&backend, &objects[0], "SLOG\u{1}").await;
    assert_eq!(kind(append(&store, &[b"c"], None).await), ErrorKind::Corrupt);
    let error = store.read_log(&name("l/é"), 0, 10).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.key()),
        (ErrorKind::Corrupt, Some(objects[0].as_str()))
    );
    assert_eq!(keys(&backend, "logs/").await, objects);
}

#[tokio::test]
async fn appending_closing_and_deleting_survive_every_fault() {
    for fault in Fault::ALL {
        for operation in 0..4 {
            for nth in 1.. {
                let backend = MemoryBackend::new();
                let healthy = Overlay::new(backend.clone());
                if operation != 3 {
                    append(&healthy, &[b"a"], None).await.unwrap();
                }
                let store = Overlay::new(Faulty::at(backend.clone(), nth, fault));
                let run = async {
                    match operation {
                        0 => append(&store, &[b"b", b"c"], None).await.map(drop),
                        1 => store.close_log(&name("l/é")).await,
                        2 => store.delete_log(&name("l/é")).await,
                        _ => append(&store, &[b"a"], Some(0)).await.map(drop),
                    }
                };
                let outcome = run.now_or_never();
                let at = format!("{operation}: {fault:?} at {nth}, {outcome:?}");
                for _ in 0..2 {
                    let page = read(&healthy, 0, 10).await;
                    let done = match operation {
                        0 => page.end == 3,
                        1 => page.closed,
                        2 => page == LogPage::default(),
                        _ => page.end == 1,
                    };
                    assert_eq!(page.entries.len() as u64, page.end, "{at}");
                    match &outcome {
                        Some(Ok(())) => assert!(done, "{at}"),
                        Some(Err(error)) if error.applied() == Applied::No => assert!(!done, "{at}"),
                        _ => {}
                    }
                    store.backend().land().await;
                    healthy
                        .sweep(NOW.after(std::time::Duration::from_secs(1 << 40)))
                        .await
                        .unwrap();
                }
                // It can be said again.
                match operation {
                    1 => healthy.close_log(&name("l/é")).await.unwrap(),
                    2 => healthy.delete_log(&name("l/é")).await.unwrap(),
                    3 => drop(append(&healthy, &[b"a"], Some(0)).await.unwrap()),
                    _ => drop(append(&healthy, &[b"d"], None).await.unwrap()),
                }
                if !store.backend().struck() {
                    assert!(matches!(outcome, Some(Ok(()))), "{at}");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn sweeping_removes_what_a_crashed_delete_left() {
    let backend = MemoryBackend::new();
    let store = Overlay::new(backend.clone());
    for _ in 0..5 {
        append(&store, &[b"a"], None).await.unwrap();
    }
    // Head read, head swapped, then gone.
    let crashing = Overlay::new(Faulty::at(backend.clone(), 3, Fault::Gone));
    crashing.delete_log(&name("l/é")).await.unwrap();
    assert!(keys(&backend, "logs/").await.len() > 1);
    assert_eq!(store.logs(None, 10).await.unwrap(), []);
    store.sweep(Timestamp::from_millis(i64::MAX)).await.unwrap();
    assert_eq!(keys(&backend, "logs/").await, []);
}
