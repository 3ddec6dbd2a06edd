//! Output comes back line for line, byte for byte, once.

use futures::{StreamExt, TryStreamExt};
use storage_core::ErrorKind;
use storage_stores::executions::{ExecutionState, ExecutionStorage};

use crate::place::{Place, execution, laws};

laws! {
    output_is_lossless,
    appending_nothing_adds_nothing,
    missing_output_is_empty,
    a_repeated_append_adds_nothing,
    a_crash_between_output_and_state_prints_nothing_twice,
    output_is_read_in_pages,
    following_sees_every_line_and_ends_when_the_output_is_closed,
    following_a_deleted_execution_ends_with_not_found,
    closed_output_takes_no_more_lines,
    output_outgrows_the_largest_document,
    an_append_that_is_too_large_adds_nothing,
}

const LINES: [&str; 10] = [
    "a\nb",
    "",
    "c",
    "\r",
    "x\r\n",
    "\n",
    " ",
    "é🦀\u{feff}",
    "\"\\\u{1b}[0m",
    "nul \0 nul",
];

/// The predecessor gave `a`, `b`, `c` for the first three.
async fn output_is_lossless(place: &Place) {
    let storage = place.open().await;
    let appended = storage.append_output("e", LINES).await.unwrap();
    assert_eq!((appended.first, appended.next), (0, LINES.len() as u64));
    storage.append_output("e", vec![String::new()]).await.unwrap();
    let expected: Vec<&str> = LINES.into_iter().chain([""]).collect();
    assert_eq!(storage.get_output("e").await.unwrap(), expected);
    assert_eq!(place.open().await.get_output("e").await.unwrap(), expected);
}

async fn appending_nothing_adds_nothing(place: &Place) {
    let storage = place.open().await;
    storage.append_output("e", [""; 0]).await.unwrap();
    assert_eq!(storage.get_output("e").await.unwrap(), [""; 0]);
    storage.append_output("e", ["a"]).await.unwrap();
    storage.append_output("e", [""; 0]).await.unwrap();
    assert_eq!(storage.get_output("e").await.unwrap(), ["a"]);
}

async fn missing_output_is_empty(place: &Place) {
    let storage = place.open().await;
    assert_eq!(storage.get_output("e").await.unwrap(), [""; 0]);
    let page = storage.read_output("e", 5, 10).await.unwrap();
    assert_eq!(
        (page.lines.len(), page.next, page.end, page.closed),
        (0, 0, 0, false)
    );
}

async fn a_repeated_append_adds_nothing(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    storage.append_output_at("e", 0, ["a", "b"]).await.unwrap();
    storage.append_output_at("e", 2, ["c"]).await.unwrap();
    let again = other.append_output_at("e", 0, ["a", "b"]).await.unwrap();
    assert_eq!((again.first, again.next), (0, 2));
    for (expected, lines) in [(0, ["x", "b"]), (2, ["c", "d"]), (7, ["a", "b"])] {
        let error = storage.append_output_at("e", expected, lines).await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::PreconditionFailed,
            "{expected} {lines:?}"
        );
    }
    assert_eq!(storage.get_output("e").await.unwrap(), ["a", "b", "c"]);
}

/// The predecessor's runner printed, crashed before it saved, and printed again when it was run again.
async fn a_crash_between_output_and_state_prints_nothing_twice(place: &Place) {
    let storage = place.open().await;
    let mut saved = execution("e", ExecutionState::Running);
    for crash in [true, false] {
        // The state says how much was printed before this step.
        let printed = saved.extra.get_i64("printed").unwrap_or(0).unsigned_abs();
        let next = storage
            .append_output_at("e", printed, ["step 1"])
            .await
            .unwrap()
            .next;
        if crash {
            continue;
        }
        saved.extra.insert("printed", i64::try_from(next).unwrap());
        storage.save_execution(&saved).await.unwrap();
    }
    assert_eq!(storage.get_output("e").await.unwrap(), ["step 1"]);
}

async fn output_is_read_in_pages(place: &Place) {
    let storage = place.open().await;
    let lines: Vec<String> = (0..2_500).map(|line| format!("line {line}")).collect();
    storage.append_output("e", &lines).await.unwrap();
    storage.close_output("e").await.unwrap();
    let (mut read, mut from) = (Vec::new(), 0);
    loop {
        let page = storage.read_output("e", from, 700).await.unwrap();
        assert_eq!((page.end, page.closed, page.torn_bytes), (2_500, true, 0));
        assert!(page.lines.len() <= 700);
        if page.lines.is_empty() {
            break;
        }
        for line in page.lines {
            assert_eq!(line.sequence, read.len() as u64);
            read.push(line.text);
        }
        from = page.next;
    }
    assert_eq!(read, lines);
    assert_eq!(storage.get_output("e").await.unwrap(), lines);
    assert_eq!(
        storage.read_output("e", 0, 0).await.unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

async fn following_sees_every_line_and_ends_when_the_output_is_closed(place: &Place) {
    let (storage, other) = (place.open().await, place.open().await);
    let mut followed = storage.follow_output("e", 1);
    other.append_output("e", ["skipped", "one"]).await.unwrap();
    assert_eq!(followed.next().await.unwrap().unwrap().text, "one");
    other.append_output("e", ["two", ""]).await.unwrap();
    assert_eq!(followed.next().await.unwrap().unwrap().text, "two");
    other.close_output("e").await.unwrap();
    let rest: Vec<_> = followed
        .map_ok(|line| (line.sequence, line.text))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest, [(3, String::new())]);
}

async fn following_a_deleted_execution_ends_with_not_found(place: &Place) {
    let storage = place.open().await;
    storage
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    storage.append_output("e", ["one"]).await.unwrap();
    let mut followed = storage.follow_output("e", 0);
    followed.next().await.unwrap().unwrap();
    storage.delete_execution("e").await.unwrap();
    assert_eq!(
        followed.next().await.unwrap().unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

async fn closed_output_takes_no_more_lines(place: &Place) {
    let storage = place.open().await;
    storage.append_output("e", ["one"]).await.unwrap();
    storage.close_output("e").await.unwrap();
    storage.close_output("e").await.unwrap();
    assert_eq!(
        storage.append_output("e", ["two"]).await.unwrap_err().kind(),
        ErrorKind::LogClosed
    );
    storage.append_output_at("e", 0, ["one"]).await.unwrap();
    assert_eq!(storage.get_output("e").await.unwrap(), ["one"]);
}

async fn output_outgrows_the_largest_document(place: &Place) {
    let storage = place.open().await;
    let line = "x".repeat(1024 * 1024);
    for _ in 0..18 {
        storage.append_output("e", [&line]).await.unwrap();
    }
    let lines = storage.get_output("e").await.unwrap();
    assert_eq!((lines.len(), lines.iter().all(|read| *read == line)), (18, true));
}

async fn an_append_that_is_too_large_adds_nothing(place: &Place) {
    let storage = place.open().await;
    let limit = storage.declaration().logs.as_ref().unwrap().max_entries;
    let lines = vec!["x"; usize::try_from(limit).unwrap() + 1];
    assert_eq!(
        storage.append_output("e", lines).await.unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );
    assert_eq!(storage.get_output("e").await.unwrap(), [""; 0]);
}
