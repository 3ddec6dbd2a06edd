//! [`Generator`]: random steps, mostly on what is there.

use storage_core::{Declaration, Index};

use super::doomed::can_be_cut_short;
use super::operation::{Content, End, Operation, Put, Range, Step, When, Which, Write};
use super::state::State;
use super::values::{body, condition, text};
use crate::processes::Moment;
use crate::random::Random;

/// Few keys that are beginnings of one another, so that what confuses them shows.
const KEYS: [&str; 10] = ["a", "a/b", "a0", "A", "a/b/c", "a/", "b", "é/x", "z//z", "%2F"];
const IDS: [&str; 10] = ["a", "a/b", "a0", "A", "B", "é", "10", "9", "%", "'"];
const COLLECTIONS: [&str; 2] = ["a", "a0"];
const LOGS: [&str; 3] = ["a", "a/b", "A"];
const LEASES: [&str; 2] = ["a", "a0"];
const ENTRIES: [&str; 4] = ["", "x", "\n", "é"];
/// Around the pieces in which engines keep bytes.
const LENGTHS: [usize; 8] = [0, 1, 5, 5, 100, 4_097, 65_537, 262_145];
/// What a query is ordered by, each field seldom.
const ORDERS: [&str; 6] = ["a", "b", "c", r"$d\.e", "%", "inner.x"];

/// Of a hundred operations that are not declared, so many are asked for all the same.
const UNDECLARED_OF_100: usize = 2;

/// Of a hundred steps so many are crashes, where there are any: each starts a process.
const CRASHES_OF_100: usize = 4;

/// How long a process lives that is killed while it works: around what a write takes on a disk that is idle, and on one that is busy.
const MICROSECONDS: [u64; 8] = [0, 200, 700, 2_000, 5_000, 12_000, 25_000, 60_000];

pub(super) struct Generator {
    random: Random,
    declaration: Declaration,
    crashes: bool,
}

impl Generator {
    pub(super) const fn new(seed: u64, declaration: Declaration, crashes: bool) -> Self {
        Self {
            random: Random::new(seed),
            declaration,
            crashes,
        }
    }

    /// The next step, given what is there.
    pub(super) fn step(&mut self, state: &State) -> Step {
        let crashes = self.crashes && self.random.below(100) < CRASHES_OF_100;
        loop {
            let operation = self.operation(state);
            if crashes && !can_be_cut_short(&operation) {
                continue;
            }
            let declared = operation
                .needs()
                .into_iter()
                .all(|capability| self.declaration.support(capability).is_present());
            let presign = matches!(operation, Operation::Presign { .. });
            if crashes && declared {
                return Step {
                    client: self.random.below(2),
                    operation: Operation::CrashRestart {
                        during: Box::new(operation),
                        moment: self.moment(),
                    },
                };
            }
            if crashes {
                continue;
            }
            if declared && !presign || !declared && self.random.below(100) < UNDECLARED_OF_100 {
                return Step {
                    client: self.random.below(2),
                    operation,
                };
            }
        }
    }

    fn operation(&mut self, state: &State) -> Operation {
        match self.random.below(100) {
            0..32 => self.of_objects(state),
            32..60 => self.of_documents(state),
            60..72 => self.of_indexes(),
            72..82 => self.of_logs(state),
            82..92 => self.of_leases(),
            92..95 => Operation::AdvanceClock {
                milliseconds: *self.random.pick(&[1, 3, 3, 500, 2_500]),
            },
            95 => Operation::Sweep,
            96 | 97 => Operation::Reopen,
            98 => Operation::DropWithoutClose,
            _ => Operation::Presign { key: self.key(state) },
        }
    }

    fn of_objects(&mut self, state: &State) -> Operation {
        let key = self.key(state);
        match self.random.below(16) {
            0..5 => Operation::Write {
                key,
                content: self.content(),
                when: self.when(),
            },
            5 | 6 => Operation::Upload {
                key,
                pieces: (0..self.random.below(4)).map(|_| self.content()).collect(),
                when: self.when(),
                end: *self
                    .random
                    .pick(&[End::Finish, End::Finish, End::Finish, End::Abort, End::Drop]),
            },
            7 | 8 => Operation::Read {
                key,
                range: self.range(),
            },
            9 => Operation::ReadIf {
                key,
                version: self.which(),
                other: self.random.below(2) == 0,
            },
            10 | 11 => Operation::Delete {
                key,
                version: (self.random.below(3) == 0).then(|| self.which()),
            },
            12 => Operation::DeleteMany {
                keys: (0..self.random.below(3)).map(|_| self.key(state)).collect(),
            },
            13 => Operation::Copy {
                from: key,
                to: self.key(state),
            },
            _ => Operation::List {
                prefix: text(&mut self.random, &["", "a", "a/", "é", "A", "z/"]),
                after: (self.random.below(3) == 0)
                    .then(|| text(&mut self.random, &["", "a", "a/", "a/b/", "b", "a/b/zz"])),
                delimiter: self.random.below(2) == 0,
                page: self.random.below(4) + 1,
            },
        }
    }

    fn of_documents(&mut self, state: &State) -> Operation {
        let collection = self.collection();
        match self.random.below(16) {
            0..6 => Operation::Put {
                document: self.put(&collection, state),
                collection,
                fence: (self.random.below(6) == 0).then(|| text(&mut self.random, &LEASES)),
            },
            6 => {
                let mut documents = Vec::new();
                for _ in 0..self.random.below(5) {
                    documents.push(Put {
                        when: When::Always,
                        expires_in: None,
                        ..self.put(&collection, state)
                    });
                }
                Operation::PutMany {
                    collection,
                    documents,
                }
            }
            7..9 => Operation::Remove {
                id: self.id(&collection, state),
                collection,
                version: (self.random.below(4) == 0).then(|| self.which()),
            },
            9..12 => {
                let ids = (0..self.random.below(5)).map(|_| self.id(&collection, state));
                Operation::Get {
                    ids: ids.collect(),
                    collection,
                }
            }
            _ => {
                let mut writes = Vec::new();
                for _ in 0..self.random.below(5) {
                    let collection = self.collection();
                    writes.push(if self.random.below(3) == 0 {
                        let id = self.id(&collection, state);
                        let version = (self.random.below(4) == 0).then(|| self.which());
                        Write::Remove(collection, id, version)
                    } else {
                        let put = self.put(&collection, state);
                        Write::Put(collection, put)
                    });
                }
                Operation::Commit { writes }
            }
        }
    }

    fn of_indexes(&mut self) -> Operation {
        let collection = self.collection();
        let indexes = [
            Index::btree("by_a", ["a"]),
            Index::btree("by_a_b", ["a", "b"]),
            Index::btree("by_b", ["b"]).unique(),
            Index::btree("by_c", ["c"]).sparse(),
            Index::btree("by_tag", ["tags"]).each(),
            Index::btree("one_tag", ["tags"]).each().unique(),
            Index::hash("by_hash", ["a", "c"]),
            Index::btree("by_odd", [r"$d\.e", "%"]),
            Index::btree("by_inner", ["inner.x"]).sparse(),
            Index::btree("of_nothing", ["_id"]),
            // The name of another one.
            Index::btree("by_a", ["b"]),
        ];
        let index = self.random.pick(&indexes).clone();
        match self.random.below(10) {
            0 => Operation::DropIndex {
                collection,
                index: index.name,
            },
            1 => Operation::RebuildIndex {
                collection,
                index: index.name,
            },
            2 | 3 => Operation::EnsureIndex { collection, index },
            _ => {
                let mut order = Vec::new();
                for field in ORDERS {
                    if self.random.below(6) == 0 {
                        order.push((field.to_owned(), self.random.below(2) == 0));
                    }
                }
                Operation::Find {
                    collection,
                    condition: (self.random.below(8) > 0).then(|| condition(&mut self.random, 2)),
                    order,
                    page: self.random.below(4) + 1,
                    scan: self.random.below(3) > 0,
                }
            }
        }
    }

    fn of_logs(&mut self, state: &State) -> Operation {
        let log = text(&mut self.random, &LOGS);
        let end = state.logs.get(&log).map_or(0, |log| log.entries.len() as u64);
        match self.random.below(12) {
            0 => Operation::CloseLog { log },
            1 => Operation::DeleteLog { log },
            2..5 => Operation::ReadLog {
                log,
                from: self.random.below(8) as u64,
                limit: self.random.below(5) + 1,
            },
            _ => {
                let expected = match self.random.below(4) {
                    0 => Some(end),
                    1 => Some(self.random.below(6) as u64),
                    _ => None,
                };
                let entries = (0..self.random.below(3)).map(|_| text(&mut self.random, &ENTRIES));
                Operation::Append {
                    log,
                    entries: entries.collect(),
                    expected,
                }
            }
        }
    }

    fn of_leases(&mut self) -> Operation {
        let lease = text(&mut self.random, &LEASES);
        match self.random.below(8) {
            0..4 => Operation::Acquire { lease },
            4 | 5 => Operation::Renew { lease },
            6 => Operation::Release { lease },
            _ => Operation::BreakLease { lease },
        }
    }

    /// Four times of five one that is there.
    fn key(&mut self, state: &State) -> String {
        let there: Vec<&String> = state.objects.all.keys().collect();
        if !there.is_empty() && self.random.below(5) > 0 {
            return (*self.random.pick(&there)).clone();
        }
        text(&mut self.random, &KEYS)
    }

    /// Four times of five one that is there.
    fn id(&mut self, collection: &str, state: &State) -> String {
        let there = state
            .collections
            .get(collection)
            .map(|collection| collection.ids());
        let there: Vec<&String> = there.into_iter().flatten().collect();
        if !there.is_empty() && self.random.below(5) > 0 {
            return (*self.random.pick(&there)).clone();
        }
        text(&mut self.random, &IDS)
    }

    fn collection(&mut self) -> String {
        // Mostly one, so that it fills.
        COLLECTIONS[usize::from(self.random.below(4) == 0)].to_owned()
    }

    fn put(&mut self, collection: &str, state: &State) -> Put {
        Put {
            id: self.id(collection, state),
            body: body(&mut self.random),
            when: self.when(),
            expires_in: (self.random.below(4) == 0)
                .then(|| *self.random.pick(&[-2, -1, 0, 1, 2, 3, 4, 5, 6, 700])),
        }
    }

    fn content(&mut self) -> Content {
        Content {
            seed: u8::try_from(self.random.below(251)).unwrap_or(0),
            length: *self.random.pick(&LENGTHS),
        }
    }

    fn range(&mut self) -> Option<Range> {
        let mut bound = || *self.random.pick(&[0, 1, 4, 5, 99, 65_536, 65_537, 300_000]);
        let (one, other) = (bound(), bound());
        match self.random.below(5) {
            0 => Some(Range::From(one)),
            1 => Some(Range::Last(one)),
            2 => Some(Range::Bounded(one, other)),
            _ => None,
        }
    }

    fn when(&mut self) -> When {
        match self.random.below(6) {
            0 => When::Absent,
            1 => When::Version(self.which()),
            _ => When::Always,
        }
    }

    fn moment(&mut self) -> Moment {
        if self.random.below(4) == 0 {
            Moment::Answered
        } else {
            Moment::Microseconds(*self.random.pick(&MICROSECONDS))
        }
    }

    fn which(&mut self) -> Which {
        *self
            .random
            .pick(&[Which::Current, Which::Current, Which::Earlier])
    }
}
