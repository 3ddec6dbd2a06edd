use std::sync::mpsc;

use super::*;
use crate::config::SqliteConfig;
use crate::connect;
use crate::documents::cached;
use crate::error::classify;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A writer over a file with one table, and a way to see what is in it.
fn writer(directory: &tempfile::TempDir) -> (Writer, impl Fn() -> Vec<i64> + use<>) {
    let path = directory.path().join("app.db");
    let session = connect::writing(&SqliteConfig::new(&path)).unwrap();
    session
        .connection
        .execute_batch("CREATE TABLE numbers (n INTEGER, filling BLOB)")
        .unwrap();
    let rows = move || {
        let shell = rusqlite::Connection::open(&path).unwrap();
        let mut statement = shell.prepare("SELECT n FROM numbers ORDER BY n").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(|row| row.unwrap()).collect()
    };
    (
        Writer::start(Arc::new(Mutex::new(Some(session))), TIMEOUT).unwrap(),
        rows,
    )
}

fn insert(session: &mut Session, n: i64, filling: usize) -> Result<i64> {
    cached(session, "INSERT INTO numbers (n, filling) VALUES (?1, ?2)")?
        .execute(rusqlite::params![n, vec![0_u8; filling]])
        .map_err(classify)?;
    Ok(n)
}

type Work = Box<dyn FnOnce(&mut Session) -> Result<i64> + Send>;

/// The answers to requests that are served as one group, because the thread is kept busy until all have been asked for.
fn as_a_group(writer: &Writer, works: Vec<Work>) -> Vec<Result<i64>> {
    let (go, wait) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let first = writer
        .ask(0, move |_| {
            begin.send(()).unwrap();
            let _ = wait.recv();
            Ok(())
        })
        .unwrap();
    begun.recv().unwrap();
    let answers: Vec<_> = works
        .into_iter()
        .map(|work| writer.ask(0, work).unwrap())
        .collect();
    go.send(()).unwrap();
    first.blocking_recv().unwrap().unwrap();
    answers
        .into_iter()
        .map(|answer| answer.blocking_recv().unwrap())
        .collect()
}

#[test]
fn a_panic_undoes_its_request_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, rows) = writer(&directory);
    let answers = as_a_group(
        &writer,
        vec![
            Box::new(|session| insert(session, 1, 0)),
            Box::new(|session| {
                insert(session, 2, 0)?;
                panic!("on purpose")
            }),
            Box::new(|session| insert(session, 3, 0)),
        ],
    );
    assert!(answers[0].is_ok() && answers[2].is_ok());
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(
        (error.kind(), error.applied()),
        (ErrorKind::Internal, Applied::No)
    );
    assert!(error.message().contains("on purpose"));
    assert_eq!(rows(), [1, 3]);
    writer.close().unwrap();
}

#[test]
fn a_lost_transaction_fails_its_group_and_the_next_group_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, rows) = writer(&directory);
    let answers = as_a_group(
        &writer,
        vec![
            Box::new(|session| insert(session, 1, 0)),
            Box::new(|_| Err(Error::already_exists())),
            Box::new(|session| {
                // What SQLite does by itself after some failures.
                session.connection.execute_batch("ROLLBACK").map_err(classify)?;
                Err(Error::new(ErrorKind::NoSpace, "the disk is full"))
            }),
            Box::new(|session| insert(session, 4, 0)),
        ],
    );
    let kinds: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map_err(Error::kind))
        .collect();
    assert_eq!(
        kinds,
        [
            Err(ErrorKind::Conflict),
            Err(ErrorKind::Conflict),
            Err(ErrorKind::NoSpace),
            Ok(&4)
        ]
    );
    assert!(
        answers
            .iter()
            .flat_map(|answer| answer.as_ref().err())
            .all(|error| error.applied() == Applied::No)
    );
    assert_eq!(rows(), [4]);
    writer.close().unwrap();
}

#[test]
fn a_full_database_refuses_what_does_not_fit_and_takes_what_does() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, rows) = writer(&directory);
    let limited = writer.ask(0, |session| {
        session
            .connection
            .query_row("PRAGMA max_page_count = 60", [], |_| Ok(()))
            .map_err(classify)
    });
    limited.unwrap().blocking_recv().unwrap().unwrap();
    let answers = as_a_group(&writer, vec![Box::new(|session| insert(session, 1, 1_000_000))]);
    let error = answers[0].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.applied()), (ErrorKind::NoSpace, Applied::No));
    let answers = as_a_group(&writer, vec![Box::new(|session| insert(session, 2, 10))]);
    assert!(answers[0].is_ok());
    assert_eq!(rows(), [2]);
    writer.close().unwrap();
}

#[test]
fn a_commit_that_fails_is_unknown_for_all_who_were_told_nothing_worse() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, rows) = writer(&directory);
    let answers = as_a_group(
        &writer,
        vec![
            Box::new(|session| insert(session, 1, 0)),
            Box::new(|_| Err(Error::already_exists())),
            // A constraint that is looked at only when the transaction commits.
            Box::new(|session| {
                session
                    .connection
                    .execute_batch(
                        "CREATE TABLE parents (id INTEGER PRIMARY KEY);
                         CREATE TABLE children (parent REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
                         INSERT INTO children VALUES (7);",
                    )
                    .map_err(classify)?;
                Ok(3)
            }),
        ],
    );
    let told: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map_err(Error::applied))
        .collect();
    assert_eq!(
        told,
        [Err(Applied::Unknown), Err(Applied::No), Err(Applied::Unknown)]
    );
    assert!(rows().is_empty());
    let answers = as_a_group(&writer, vec![Box::new(|session| insert(session, 2, 0))]);
    assert!(answers[0].is_ok());
    assert_eq!(rows(), [2]);
    writer.close().unwrap();
}

#[test]
fn close_finishes_what_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, rows) = writer(&directory);
    for n in 0..300 {
        drop(writer.ask(0, move |session| insert(session, n, 0)).unwrap());
    }
    writer.close().unwrap();
    assert_eq!(rows(), (0..300).collect::<Vec<_>>());
    assert_eq!(writer.ask(0, |_| Ok(())).unwrap_err().kind(), ErrorKind::Closed);
}
