//! Two processes write the same things at the same time: no update is lost, nothing is torn, nothing is there twice.

use std::io::Read;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_core::{ErrorKind, Index, Query, Result, Storage};

use super::{Lane, Role, Work, block_on};

const COUNTER: &str = "hammered/counter";
const BLOB: &str = "hammered/blob.bin";
const LOG: &str = "hammered/log";
const COLLECTION: &str = "hammered";
const PROCESSES: u64 = 2;

#[derive(Debug, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

impl Lane {
    /// Lets two processes count up one object and one document by conditional writes, `rounds` times each
    /// (`CONFORMANCE_ROUNDS` overrides), overwrite and read one object, and append to one log. Prints a line with the figures.
    ///
    /// # Panics
    /// When an update is lost, a read is torn, or an entry is missing, doubled or out of order.
    pub fn hammer(mut self, rounds: u64) {
        (self.work, self.rounds) = (Work::Hammer, Self::rounds(rounds));
        let rounds = self.rounds;
        if let Some(role) = Role::of_this_process() {
            let hammered = block_on(async {
                let storage = self.open(&role.directory).await?;
                hammer(&storage, role.number, rounds).await?;
                storage.close().await
            });
            hammered.expect("a process among others works as one alone does");
            return;
        }
        let directory = self.fresh_directory();
        // Nothing is prepared: both open, create and index a place that is not there yet.
        let mut children: Vec<_> = (0..PROCESSES)
            .map(|number| self.spawn(directory.path(), number).expect("a child process"))
            .collect();
        for child in &mut children {
            let mut output = String::new();
            child
                .stdout
                .take()
                .expect("its output")
                .read_to_string(&mut output)
                .expect("text");
            assert!(
                child.wait().expect("waits for its own child").success(),
                "a child failed:\n{output}"
            );
        }
        block_on(async {
            let storage = self.open(directory.path()).await.expect("the place opens");
            check(&storage, rounds).await.expect("the place can be read");
            storage.close().await.expect("closes");
        });
        eprintln!(
            "{}: {PROCESSES} processes x {rounds} rounds of conditional writes on one object and one document; lost 0, torn 0",
            self.name()
        );
    }
}

async fn hammer(storage: &Storage, process: u64, rounds: u64) -> Result<()> {
    let counters = storage.collection::<Counter>(COLLECTION);
    counters.ensure_index(Index::btree("by_count", ["count"])).await?;
    let log = storage.log(LOG);
    for round in 0..rounds {
        count_object(storage).await?;
        count_document(storage).await?;
        storage
            .objects()
            .write(BLOB, blob(process * rounds + round))
            .await?;
        let read = storage.objects().read(BLOB).await?.unwrap_or_default();
        assert!(is_whole(&read), "an overwritten object is read whole");
        log.append_all([format!("{process}:{round}:a"), format!("{process}:{round}:b")])
            .await?;
    }
    Ok(())
}

async fn count_object(storage: &Storage) -> Result<()> {
    let objects = storage.objects();
    loop {
        let written = match objects
            .read_with(COUNTER, storage_core::ReadRequest::default())
            .await?
        {
            Some(object) => {
                let count: u64 = String::from_utf8_lossy(&object.bytes)
                    .parse()
                    .expect("a number, whole");
                objects
                    .write_if(COUNTER, (count + 1).to_string(), object.meta.version)
                    .await
            }
            None => objects.create(COUNTER, "1").await,
        };
        match written {
            Ok(_) => return Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

async fn count_document(storage: &Storage) -> Result<()> {
    let counters = storage.collection::<Counter>(COLLECTION);
    loop {
        let written = match counters.get("counter").await? {
            Some(found) => {
                counters
                    .put_if(
                        "counter",
                        &Counter {
                            count: found.value.count + 1,
                        },
                        found.version,
                    )
                    .await
            }
            None => counters.insert("counter", &Counter { count: 1 }).await,
        };
        match written {
            Ok(_) => return Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

async fn check(storage: &Storage, rounds: u64) -> Result<()> {
    let total = PROCESSES * rounds;
    let object = storage.objects().read(COUNTER).await?.unwrap_or_default();
    assert_eq!(
        String::from_utf8_lossy(&object),
        total.to_string(),
        "no update of the object is lost"
    );
    let counters = storage.collection::<Counter>(COLLECTION);
    let found = counters.find(Query::ge("count", 0)).await?.collect().await?;
    let counts: Vec<u64> = found.iter().map(|found| found.value.count).collect();
    assert_eq!(
        counts,
        [total],
        "no update of the document is lost, and the index has it once"
    );
    let mut next = vec![Vec::new(); usize::try_from(PROCESSES).unwrap_or(0)];
    let log = storage.log(LOG);
    let end = log.len().await?;
    let mut from = 0;
    while from < end {
        for entry in log.read(from, 1000).await?.entries {
            assert_eq!(entry.sequence, from, "numbers are contiguous");
            let text = String::from_utf8_lossy(&entry.bytes).into_owned();
            let (process, rest) = text.split_once(':').expect("an entry, whole");
            next[process.parse::<usize>().expect("a process")].push(rest.to_owned());
            from += 1;
        }
    }
    let expected: Vec<String> = (0..rounds)
        .flat_map(|round| [format!("{round}:a"), format!("{round}:b")])
        .collect();
    for entries in next {
        assert_eq!(
            entries, expected,
            "each process's entries are there once and in its order"
        );
    }
    Ok(())
}

/// 64 KiB of one number, so that any mix of two shows.
fn blob(number: u64) -> Bytes {
    Bytes::from(
        number
            .to_le_bytes()
            .repeat(64 * 1024 / 8 + usize::try_from(number % 3).unwrap_or(0)),
    )
}

fn is_whole(bytes: &[u8]) -> bool {
    let number = bytes.first_chunk::<8>().map(|first| u64::from_le_bytes(*first));
    number.is_some_and(|number| blob(number) == bytes)
}
