//! A writing process is killed at random moments; whoever opens the place next finds everything that was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use storage_core::{Index, Query, Result, Storage};

use super::work::{self, COLLECTION, ENTRIES, INDEX, LOG, Row, TARGETS};
use super::{Lane, Role, Work, block_on, said_by};

/// Longer than a child takes to come up and write a few hundred times.
const LONGEST_LIFE: Duration = Duration::from_millis(60);

/// What may be there: for each target the operations whose outcome may be the current one; `None` is no operation at all.
#[derive(Debug, Default)]
struct Possible(BTreeMap<(String, u64), BTreeSet<Option<u64>>>);

#[derive(Debug, Default)]
struct Tally {
    acknowledged: u64,
    unacknowledged: u64,
}

impl Lane {
    /// Kills a writing process `rounds` times (`CONFORMANCE_ROUNDS` overrides) and after each looks at what is there: everything
    /// acknowledged, everything else whole or absent, lists and indexes in step. Prints a line with the figures.
    ///
    /// # Panics
    /// When anything is lost or torn.
    pub fn kill(mut self, rounds: u64) {
        (self.work, self.rounds) = (Work::Kill, Self::rounds(rounds));
        let rounds = self.rounds;
        if let Some(role) = Role::of_this_process() {
            let worked = block_on(async { work::work(self.open(&role.directory).await?, role.number).await });
            panic!("the child ended by itself: {worked:?}");
        }
        let directory = self.fresh_directory();
        block_on(async {
            let storage = self.open(directory.path()).await.expect("a fresh place opens");
            let rows = storage.collection::<Row>(COLLECTION);
            rows.ensure_index(Index::btree(INDEX, ["number"]))
                .await
                .expect("an index");
            storage.close().await.expect("closes");
        });
        let mut possible = Possible::default();
        let mut tally = Tally::default();
        for round in 0..rounds {
            self.live_and_die(directory.path(), round, &mut possible, &mut tally);
            block_on(async {
                let storage = self
                    .open(directory.path())
                    .await
                    .expect("the place opens after a crash");
                possible
                    .check(&storage)
                    .await
                    .expect("the place can be read after a crash");
                if round % 10 == 9 {
                    storage.sweep().await.expect("sweeps");
                    possible
                        .check(&storage)
                        .await
                        .expect("the place can be read after a sweep");
                }
                storage.close().await.expect("closes");
                if round % 10 == 9 {
                    // What one opening put right stays right.
                    let again = self
                        .open(directory.path())
                        .await
                        .expect("the place opens once more");
                    possible
                        .check(&again)
                        .await
                        .expect("the place can be read once more");
                    again.close().await.expect("closes");
                }
            });
        }
        eprintln!(
            "{}: {rounds} rounds of kill -9, {} acknowledged writes, {} under way when killed; lost 0, torn 0",
            self.name(),
            tally.acknowledged,
            tally.unacknowledged
        );
    }

    /// One life of a child: from its first word for a random while.
    fn live_and_die(
        &self,
        directory: &std::path::Path,
        round: u64,
        possible: &mut Possible,
        tally: &mut Tally,
    ) {
        // Numbers of different rounds never meet, and those of one leave every delete where it was.
        let mut child = self.spawn(directory, round * 1_000_000).expect("a child process");
        let words = said_by(&mut child);
        let life = LONGEST_LIFE.mul_f64(fraction());
        let mut born: Option<Instant> = None;
        let mut killed = false;
        for line in words {
            let Some((what, kind, target, number)) = parse(&line) else {
                continue;
            };
            let states = possible.states(kind, target);
            if what == "ack" {
                *states = BTreeSet::from([Some(number)]);
                tally.acknowledged += 1;
            } else {
                states.insert(Some(number));
            }
            if !killed && born.get_or_insert_with(Instant::now).elapsed() >= life {
                child.kill().expect("kills its own child");
                killed = true;
            }
        }
        assert!(
            killed,
            "{}: the child ended by itself in round {round}",
            self.name()
        );
        child.wait().expect("waits for its own child");
        tally.unacknowledged += possible.0.values().filter(|states| states.len() > 1).count() as u64;
    }
}

impl Possible {
    fn states(&mut self, kind: &str, target: u64) -> &mut BTreeSet<Option<u64>> {
        self.0
            .entry((kind.to_owned(), target))
            .or_insert_with(|| BTreeSet::from([None]))
    }

    /// Compares what is there with what may be there, and narrows it to what is.
    async fn check(&mut self, storage: &Storage) -> Result<()> {
        let rows = storage.collection::<Row>(COLLECTION);
        let mut listed = BTreeSet::new();
        let mut found = BTreeSet::new();
        for target in 0..TARGETS {
            let bytes = storage.objects().read(work::key(target)).await?;
            self.settle("object", target, |number| {
                number.and_then(|number| work::object(target, number)) == bytes
            });
            if bytes.is_some() {
                listed.insert(work::key(target));
            }
            let row = rows.get(target.to_string()).await?.map(|document| document.value);
            self.settle("document", target, |number| {
                number.and_then(|number| work::row(target, number)) == row
            });
            found.extend(row.map(|row| (row.number, row.target)));
        }
        let files = storage.objects().list_files("killed").await?;
        let files: BTreeSet<String> = files.iter().map(|name| format!("killed/{name}")).collect();
        assert_eq!(files, listed, "a list shows exactly what can be read");
        let by_index = rows.find(Query::ge("number", 0)).await?.collect().await?;
        let by_index: BTreeSet<(u64, u64)> = by_index
            .into_iter()
            .map(|row| (row.value.number, row.value.target))
            .collect();
        assert_eq!(by_index, found, "an index finds exactly what can be read");
        self.check_log(storage).await
    }

    async fn check_log(&mut self, storage: &Storage) -> Result<()> {
        let log = storage.log(LOG);
        let end = log.len().await?;
        assert_eq!(
            end % ENTRIES,
            0,
            "an append is there with all its entries or with none"
        );
        self.settle("log", 0, |last| {
            last.map_or(0, |last| (last + 1) * ENTRIES) == end
        });
        // What earlier rounds checked is only looked at where it borders on the new.
        let mut from = end.saturating_sub(300 * ENTRIES);
        while from < end {
            for entry in log.read(from, 1000).await?.entries {
                assert_eq!(entry.sequence, from, "numbers are contiguous");
                assert_eq!(
                    entry.bytes,
                    work::entry(from / ENTRIES, from % ENTRIES),
                    "entry {from}"
                );
                from += 1;
            }
        }
        Ok(())
    }

    fn settle(&mut self, kind: &str, target: u64, fits: impl Fn(Option<u64>) -> bool) {
        let states = self.states(kind, target);
        let seen: BTreeSet<_> = states.iter().copied().filter(|state| fits(*state)).collect();
        assert!(
            !seen.is_empty(),
            "{kind} {target} is not what any of the operations {states:?} leaves behind"
        );
        *states = seen;
    }
}

fn parse(line: &str) -> Option<(&str, &str, u64, u64)> {
    let mut words = line.split(' ');
    Some((
        words.next()?,
        words.next()?,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    ))
}

/// Between 0 and 1, from the system's randomness: the moment of death is nobody's choice.
#[allow(clippy::cast_precision_loss, reason = "a fraction needs no more")]
fn fraction() -> f64 {
    (storage_core::random_u128() >> 96) as f64 / f64::from(u32::MAX)
}
