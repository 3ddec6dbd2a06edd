//! What SQLite answers is what the reference adapter answers: the same operations on both, the same answers but for versions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use bytes::Bytes;
use storage_core::bson::{Bson, RawDocumentBuf, doc};
use storage_core::{
    AppendRequest, Area, BatchOperation, BatchRequest, Comparison, Condition, DeleteDocumentRequest,
    DeleteRequest, Direction, DocumentId, Error, ErrorKind, Filter, FindRequest, Index, Key, ListRequest,
    Memory, Name, PutRequest, ReadRequest, Sort, StorageAdapter, Timestamp, Version, WriteRequest,
};
use storage_sqlite::{Sqlite, SqliteConfig};

/// A small generator (xorshift), so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }
}

/// The versions of one id, or key, on both sides.
type Versions = Vec<(Version, Version)>;

struct Pair {
    memory: Memory,
    sqlite: Sqlite,
    random: Random,
    documents: std::collections::HashMap<String, Versions>,
    now: i64,
}

fn value(random: &mut Random) -> Bson {
    match random.below(9) {
        0 => Bson::Null,
        1 => Bson::Boolean(random.below(2) == 0),
        2 => Bson::Double(random.pick(&[0.5, -0.0, f64::NAN, 1e300, 3.0])),
        3 => Bson::String(random.pick(&["", "a", "ab", "é", "\u{1}", "$x", "'"]).to_owned()),
        4 => Bson::DateTime(storage_core::bson::DateTime::from_millis(
            i64::try_from(random.below(4)).unwrap(),
        )),
        _ => Bson::Int64(i64::try_from(random.below(5)).unwrap() - 1),
    }
}

fn body(random: &mut Random) -> RawDocumentBuf {
    let mut body = doc! {};
    for field in ["a", "b", "c"] {
        if random.below(5) > 0 {
            body.insert(field, value(random));
        }
    }
    if random.below(3) > 0 {
        let length = random.below(4);
        body.insert("tags", Bson::Array((0..length).map(|_| value(random)).collect()));
    }
    if random.below(30) == 0 {
        body.insert("a", Bson::Array(vec![Bson::Int64(1)]));
    }
    let body = RawDocumentBuf::try_from(&body).unwrap();
    storage_core::value::canonical(body).unwrap()
}

fn filter(random: &mut Random, depth: u32) -> Filter {
    let field = |random: &mut Random| random.pick(&["a", "b", "c", "tags", "d"]).into();
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => Filter::All,
        1 => Filter::In {
            field: field(random),
            values: sorted((0..random.below(4)).map(|_| value(random)).collect()),
        },
        2 => Filter::Prefix {
            field: field(random),
            prefix: random.pick(&["", "a", "é"]).to_owned(),
        },
        3 | 4 => Filter::Compare {
            field: field(random),
            comparison: random.pick(&[
                Comparison::Eq,
                Comparison::Eq,
                Comparison::Ne,
                Comparison::Lt,
                Comparison::Le,
                Comparison::Gt,
                Comparison::Ge,
            ]),
            value: value(random),
        },
        5 => Filter::Not(Box::new(filter(random, depth - 1))),
        _ => filter(random, depth - 1).and(filter(random, depth - 1)),
    }
}

/// As `Storage` hands lists over: in order, without duplicates.
fn sorted(values: Vec<Bson>) -> Vec<Bson> {
    let mut encoded: Vec<_> = values
        .into_iter()
        .map(|value| (storage_core::encode_bson(&value), value))
        .collect();
    encoded.sort_by(|a, b| a.0.cmp(&b.0));
    encoded.dedup_by(|a, b| a.0 == b.0);
    encoded.into_iter().map(|(_, value)| value).collect()
}

fn same_error(memory: &Error, sqlite: &Error, what: &str) {
    assert_eq!(
        (
            memory.kind(),
            memory.is_guard_failed(),
            memory.context_value("operation")
        ),
        (
            sqlite.kind(),
            sqlite.is_guard_failed(),
            sqlite.context_value("operation")
        ),
        "{what}: {memory:?} and {sqlite:?}"
    );
}

fn both<T, U>(memory: Result<T, Error>, sqlite: Result<U, Error>, what: &str) -> Option<(T, U)> {
    match (memory, sqlite) {
        (Ok(memory), Ok(sqlite)) => Some((memory, sqlite)),
        (Err(memory), Err(sqlite)) => {
            same_error(&memory, &sqlite, what);
            None
        }
        (Err(memory), Ok(_)) => panic!("{what}: only memory refuses: {memory:?}"),
        (Ok(_), Err(sqlite)) => panic!("{what}: only sqlite refuses: {sqlite:?}"),
    }
}

fn name() -> Name {
    Name::new("Things").unwrap()
}

impl Pair {
    async fn new(seed: u64, sqlite: Sqlite) -> Self {
        Self {
            memory: Memory::new(),
            sqlite,
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            documents: std::collections::HashMap::new(),
            now: 1000,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    /// A put for each side, differing only in versions.
    fn put(&mut self) -> (PutRequest, PutRequest) {
        let id = DocumentId::new(
            self.random
                .pick(&["a", "b", "B", "é", "z", "10", "9", "x/y", "%", "'"]),
        )
        .unwrap();
        let mut one = PutRequest::new(id.clone(), body(&mut self.random), self.now());
        if self.random.below(4) == 0 {
            one.expires_at = Some(Timestamp::from_millis(
                self.now - 2 + i64::try_from(self.random.below(10)).unwrap(),
            ));
        }
        let mut other = one.clone();
        match self.random.below(5) {
            0 => (one.condition, other.condition) = (Condition::IfAbsent, Condition::IfAbsent),
            1 => {
                if let Some(versions) = self.documents.get(id.as_str()) {
                    let (a, b) = self.random.pick(versions);
                    (one.condition, other.condition) = (Condition::IfVersion(a), Condition::IfVersion(b));
                }
            }
            _ => {}
        }
        (one, other)
    }

    fn learn(&mut self, id: &DocumentId, versions: (Version, Version)) {
        let known = self.documents.entry(id.as_str().to_owned()).or_default();
        known.push(versions);
        if known.len() > 3 {
            known.remove(0);
        }
    }

    async fn step(&mut self) {
        match self.random.below(20) {
            0..=7 => {
                let (one, other) = self.put();
                let (id, what) = (one.id.clone(), format!("{one:?}"));
                if let Some(versions) = both(
                    self.memory.put(&name(), one).await,
                    self.sqlite.put(&name(), other).await,
                    &what,
                ) {
                    self.learn(&id, versions);
                }
            }
            8 => {
                let (ones, others): (Vec<_>, Vec<_>) = (0..self.random.below(6)).map(|_| self.put()).unzip();
                let ids: Vec<_> = ones.iter().map(|one| one.id.clone()).collect();
                let ones = self.memory.put_many(&name(), ones).await.unwrap();
                let others = self.sqlite.put_many(&name(), others).await.unwrap();
                assert_eq!(ones.len(), others.len());
                for ((id, one), other) in ids.iter().zip(ones).zip(others) {
                    if let Some(versions) = both(one, other, "put_many") {
                        self.learn(id, versions);
                    }
                }
            }
            9 => {
                let mut batches = (BatchRequest::default(), BatchRequest::default());
                let mut ids = Vec::new();
                for _ in 0..self.random.below(5) {
                    let (one, other) = self.put();
                    ids.push(one.id.clone());
                    let delete = self.random.below(3) == 0;
                    let operation = |put: PutRequest| match delete {
                        true => BatchOperation::Delete(DeleteDocumentRequest::new(put.id, put.now)),
                        false => BatchOperation::Put(put),
                    };
                    batches.0.operations.push((name(), operation(one)));
                    batches.1.operations.push((name(), operation(other)));
                }
                let what = format!("{batches:?}");
                let results = (
                    self.memory.commit(batches.0).await,
                    self.sqlite.commit(batches.1).await,
                );
                if let Some((ones, others)) = both(results.0, results.1, &what) {
                    for ((id, one), other) in ids.iter().zip(ones).zip(others) {
                        match (one, other) {
                            (Some(one), Some(other)) => self.learn(id, (one, other)),
                            (None, None) => {}
                            unequal => panic!("{unequal:?}"),
                        }
                    }
                }
            }
            10 | 11 => {
                let (put, other) = self.put();
                let mut one = DeleteDocumentRequest::new(put.id, put.now);
                let mut two = one.clone();
                if let (Condition::IfVersion(a), Condition::IfVersion(b)) = (put.condition, other.condition) {
                    (one.if_version, two.if_version) = (Some(a), Some(b));
                }
                let results = (
                    self.memory.delete_document(&name(), one).await,
                    self.sqlite.delete_document(&name(), two).await,
                );
                if let Some((one, other)) = both(results.0, results.1, "delete") {
                    assert_eq!(one, other);
                }
            }
            12 => self.now += 3,
            13 => self.index().await,
            14 => {
                let one = self.memory.sweep(self.now()).await.unwrap();
                let two = self.sqlite.sweep(self.now()).await.unwrap();
                // A unique index may have purged an expired holder before.
                assert!(two.purged_documents <= one.purged_documents);
                assert_eq!(self.sqlite.sweep(self.now()).await.unwrap().purged_documents, 0);
            }
            _ => self.query().await,
        }
    }

    async fn index(&mut self) {
        let index = self.random.pick(&[
            Index::btree("by_a", ["a"]),
            Index::btree("by_a_b", ["a", "b"]),
            Index::btree("by_b", ["b"]).unique(),
            Index::btree("by_c", ["c"]).sparse(),
            Index::btree("by_tag", ["tags"]).each(),
            Index::hash("by_hash", ["a", "c"]),
        ]);
        let named = Name::new(&index.name).unwrap();
        match self.random.below(4) {
            0 => {
                let one = self.memory.drop_index(&name(), &named).await.unwrap();
                assert_eq!(one, self.sqlite.drop_index(&name(), &named).await.unwrap());
            }
            1 => {
                let one = self.memory.rebuild_index(&name(), &named, self.now()).await;
                both(
                    one,
                    self.sqlite.rebuild_index(&name(), &named, self.now()).await,
                    "rebuild",
                );
            }
            _ => {
                let one = self.memory.ensure_index(&name(), &index, self.now()).await;
                let two = self.sqlite.ensure_index(&name(), &index, self.now()).await;
                if let Some((one, two)) = both(one, two, "ensure") {
                    assert_eq!(one, two);
                }
            }
        }
        let one = self.memory.index_stats(&name(), &named, self.now()).await;
        let two = self.sqlite.index_stats(&name(), &named, self.now()).await;
        if let Some((one, two)) = both(one, two, "stats") {
            assert_eq!(one, two);
        }
        assert_eq!(
            self.memory.indexes(&name()).await.unwrap(),
            self.sqlite.indexes(&name()).await.unwrap()
        );
    }

    /// A query to its end, in pages, on both sides.
    async fn query(&mut self) {
        let filter = filter(&mut self.random, 2);
        let mut sort = Vec::new();
        for field in ["a", "b", "c"] {
            if self.random.below(4) == 0 {
                sort.push(Sort::new(
                    field.into(),
                    self.random.pick(&[Direction::Ascending, Direction::Descending]),
                ));
            }
        }
        let mut request = FindRequest::new(filter, sort, self.now());
        request.limit = usize::try_from(self.random.below(4)).unwrap() + 1;
        request.allow_scan = self.random.below(3) > 0;
        let what = format!("{request:?}");
        let counts = (
            self.memory.count(&name(), request.clone()).await,
            self.sqlite.count(&name(), request.clone()).await,
        );
        let Some((expected, counted)) = both(counts.0, counts.1, &what) else {
            return;
        };
        assert_eq!(expected, counted, "{what}");
        assert_eq!(
            self.memory.explain(&name(), &request).await.unwrap(),
            self.sqlite.explain(&name(), &request).await.unwrap()
        );
        let mut found = 0;
        loop {
            let one = self.memory.find(&name(), request.clone()).await.unwrap();
            let two = self.sqlite.find(&name(), request.clone()).await.unwrap();
            let facts = |page: &storage_core::FindPage| -> Vec<_> {
                page.documents
                    .iter()
                    .map(|found| (found.id.clone(), found.expires_at, found.body.clone()))
                    .collect()
            };
            assert_eq!(facts(&one), facts(&two), "{what}");
            for (one, two) in one.documents.iter().zip(&two.documents) {
                let got = self
                    .sqlite
                    .get(&name(), &two.id, self.now())
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(&got, two);
                let known = self.documents.get(one.id.as_str()).unwrap();
                assert!(known.contains(&(one.version.clone(), two.version.clone())));
            }
            found += two.documents.len() as u64;
            assert_eq!(one.next.is_some(), two.next.is_some(), "{what}");
            match two.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, counted, "{what}");
    }
}

#[tokio::test]
async fn documents_indexes_and_queries() {
    for seed in 1..=12 {
        let sqlite = Sqlite::open(SqliteConfig::in_memory()).await.unwrap();
        let mut pair = Pair::new(seed, sqlite).await;
        for _ in 0..400 {
            pair.step().await;
        }
    }
}

#[tokio::test]
async fn objects_and_lists() {
    use storage_core::StorageBackend;
    let memory = std::sync::Arc::new(Memory::new());
    let sqlite = std::sync::Arc::new(Sqlite::open(SqliteConfig::in_memory()).await.unwrap());
    let mut random = Random(77);
    let keys = ["a", "a/", "a/b", "a/b/c", "a/c", "a0", "b", "é/x", "z//z", "A"];
    let sizes = [0_usize, 1, 65_536, 65_537, 262_144, 262_145, 900_000];
    let mut versions: Versions = Vec::new();
    for round in 0..300_u64 {
        let area = random.pick(&[Area::Objects, Area::Objects, Area::Overlay]);
        let key = Key::new(random.pick(&keys)).unwrap();
        let condition = match random.below(4) {
            0 => (Condition::IfAbsent, Condition::IfAbsent),
            1 if !versions.is_empty() => {
                let (a, b) = random.pick(&versions);
                (Condition::IfVersion(a), Condition::IfVersion(b))
            }
            _ => (Condition::Always, Condition::Always),
        };
        let requests = (WriteRequest::when(condition.0), WriteRequest::when(condition.1));
        let bytes: Bytes = {
            let size = random.pick(&sizes);
            (0..size)
                .map(|at| (at as u64 * 31 + round).to_le_bytes()[0])
                .collect()
        };
        match random.below(8) {
            0 | 1 => {
                let results = (
                    memory.write(area, &key, bytes.clone(), requests.0).await,
                    sqlite.write(area, &key, bytes, requests.1).await,
                );
                versions.extend(both(results.0, results.1, "write"));
            }
            2 => {
                let mut one = memory.clone().open_writer(area, &key, requests.0).await.unwrap();
                let mut two = sqlite.clone().open_writer(area, &key, requests.1).await.unwrap();
                for piece in bytes.chunks(100_000) {
                    one.write(Bytes::copy_from_slice(piece)).await.unwrap();
                    two.write(Bytes::copy_from_slice(piece)).await.unwrap();
                }
                if random.below(4) == 0 {
                    one.abort().await.unwrap();
                    two.abort().await.unwrap();
                } else {
                    versions.extend(both(one.finish().await, two.finish().await, "finish"));
                }
            }
            3 => {
                let to = Key::new(random.pick(&keys)).unwrap();
                let results = (
                    memory.copy(area, &key, &to, requests.0).await,
                    sqlite.copy(area, &key, &to, requests.1).await,
                );
                match both(results.0, results.1, "copy") {
                    Some((Some(one), Some(two))) => versions.push((one, two)),
                    Some((None, None)) | None => {}
                    unequal => panic!("{unequal:?}"),
                }
            }
            4 => {
                let results = (
                    memory.delete(area, &key, DeleteRequest::default()).await,
                    sqlite.delete(area, &key, DeleteRequest::default()).await,
                );
                both(results.0, results.1, "delete");
            }
            5 => {
                let mut request = ListRequest::new(random.pick(&["", "a", "a/", "é", "b"]));
                request.delimiter = random.below(2) == 0;
                request.limit = usize::try_from(random.below(4)).unwrap() + 1;
                request.with_meta = random.below(2) == 0;
                if random.below(2) == 0 {
                    request.start_after =
                        Some(random.pick(&["", "a", "a/", "a/b/", "b", "a/b/zz"]).to_owned());
                }
                loop {
                    let one = memory.list(area, request.clone()).await.unwrap();
                    let two = sqlite.list(area, request.clone()).await.unwrap();
                    let names = |page: &storage_core::ListPage| -> Vec<String> {
                        page.entries.iter().map(|entry| entry.name().to_owned()).collect()
                    };
                    assert_eq!((names(&one), &one.next), (names(&two), &two.next), "{request:?}");
                    match two.next {
                        Some(next) => request.start_after = Some(next),
                        None => break,
                    }
                }
            }
            _ => {
                let mut request = ReadRequest::default();
                let bound = |random: &mut Random| random.below(600_000);
                request.range = match random.below(4) {
                    0 => None,
                    1 => Some(storage_core::ByteRange::From(bound(&mut random))),
                    2 => Some(storage_core::ByteRange::Suffix(bound(&mut random))),
                    _ => Some(storage_core::ByteRange::Bounded(
                        bound(&mut random),
                        bound(&mut random),
                    )),
                };
                let one = memory.read(area, &key, request.clone()).await.unwrap();
                let two = sqlite.read(area, &key, request).await.unwrap();
                assert_eq!(one.is_some(), two.is_some());
                if let (Some(one), Some(two)) = (one, two) {
                    assert_eq!((one.range, one.meta.size), (two.range, two.meta.size));
                    assert!(one.bytes == two.bytes, "{key}");
                    assert!(versions.contains(&(one.meta.version, two.meta.version)));
                }
            }
        }
    }
}

#[tokio::test]
async fn logs() {
    let memory = Memory::new();
    let sqlite = Sqlite::open(SqliteConfig::in_memory()).await.unwrap();
    let mut random = Random(5);
    for _ in 0..600 {
        let log = Name::new(random.pick(&["a", "b"])).unwrap();
        match random.below(12) {
            0 => both(
                memory.close_log(&log).await,
                sqlite.close_log(&log).await,
                "close",
            )
            .map(|_| ()),
            1 => both(
                memory.delete_log(&log).await,
                sqlite.delete_log(&log).await,
                "delete",
            )
            .map(|_| ()),
            2..=4 => {
                let (from, limit) = (random.below(6), usize::try_from(random.below(5)).unwrap() + 1);
                let one = memory.read_log(&log, from, limit).await.unwrap();
                let two = sqlite.read_log(&log, from, limit).await.unwrap();
                assert_eq!(
                    (one.entries, one.end, one.closed),
                    (two.entries, two.end, two.closed)
                );
                assert_eq!(one.incarnation.is_some(), two.incarnation.is_some());
                let one = memory.logs(None, 10).await.unwrap();
                assert_eq!(one, sqlite.logs(None, 10).await.unwrap());
                Some(())
            }
            _ => {
                let entries = (0..random.below(3))
                    .map(|_| Bytes::from(vec![u8::try_from(random.below(2)).unwrap()]))
                    .collect();
                let mut request = AppendRequest::new(entries);
                request.expected = (random.below(2) == 0).then(|| random.below(6));
                let what = format!("{request:?}");
                let results = (
                    memory.append(&log, request.clone()).await,
                    sqlite.append(&log, request).await,
                );
                both(results.0, results.1, &what).map(|(one, two)| assert_eq!(one, two, "{what}"))
            }
        };
    }
    let closed = sqlite.close_log(&Name::new("a").unwrap()).await;
    assert!(closed.is_ok());
    let refused = sqlite
        .append(&Name::new("a").unwrap(), AppendRequest::new(vec![Bytes::new()]))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LogClosed);
}
