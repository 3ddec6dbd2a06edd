//! What MongoDB answers is what the reference adapter answers: the same operations on both, the same answers but for versions.

mod random;

use storage_core::{
    BatchOperation, BatchRequest, Condition, DeleteDocumentRequest, Direction, DocumentId, Error,
    FindRequest, Index, Memory, Name, PutRequest, Sort, StorageAdapter, StorageBackend, Timestamp, Version,
};
use storage_mongo::Mongo;

use self::random::{Random, body, filter};
use crate::place::{Place, laws};

laws! {
    Transactions: the_same_answers_as_the_reference,
}

/// The versions of one id, or key, on both sides.
type Versions = Vec<(Version, Version)>;

struct Pair {
    memory: Memory,
    mongo: Mongo,
    random: Random,
    documents: std::collections::HashMap<String, Versions>,
    now: i64,
}

fn same_error(memory: &Error, mongo: &Error, what: &str) {
    assert_eq!(
        (
            memory.kind(),
            memory.is_guard_failed(),
            memory.context_value("operation")
        ),
        (
            mongo.kind(),
            mongo.is_guard_failed(),
            mongo.context_value("operation")
        ),
        "{what}: {memory:?} and {mongo:?}"
    );
}

fn both<T, U>(memory: Result<T, Error>, mongo: Result<U, Error>, what: &str) -> Option<(T, U)> {
    match (memory, mongo) {
        (Ok(memory), Ok(mongo)) => Some((memory, mongo)),
        (Err(memory), Err(mongo)) => {
            same_error(&memory, &mongo, what);
            None
        }
        (Err(memory), Ok(_)) => panic!("{what}: only memory refuses: {memory:?}"),
        (Ok(_), Err(mongo)) => panic!("{what}: only mongo refuses: {mongo:?}"),
    }
}

fn name() -> Name {
    Name::new("Things").unwrap()
}

impl Pair {
    async fn new(seed: u64, mongo: Mongo) -> Self {
        Self {
            memory: Memory::new(),
            mongo,
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            documents: std::collections::HashMap::new(),
            // In 2100, so that no engine purges by its own clock what is not expired here.
            now: 4_102_444_800_000,
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
                    self.mongo.put(&name(), other).await,
                    &what,
                ) {
                    self.learn(&id, versions);
                }
            }
            8 => {
                let (ones, others): (Vec<_>, Vec<_>) = (0..self.random.below(6)).map(|_| self.put()).unzip();
                let ids: Vec<_> = ones.iter().map(|one| one.id.clone()).collect();
                let ones = self.memory.put_many(&name(), ones).await.unwrap();
                let others = self.mongo.put_many(&name(), others).await.unwrap();
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
                    self.mongo.commit(batches.1).await,
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
                    self.mongo.delete_document(&name(), two).await,
                );
                if let Some((one, other)) = both(results.0, results.1, "delete") {
                    assert_eq!(one, other);
                }
            }
            12 => self.now += 3,
            13 => self.index().await,
            14 => {
                self.memory.sweep(self.now()).await.unwrap();
                self.mongo.sweep(self.now()).await.unwrap();
                assert_eq!(self.mongo.sweep(self.now()).await.unwrap().purged_documents, 0);
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
            Index::btree("one_tag", ["tags"]).each().unique(),
            Index::hash("by_hash", ["a", "c"]),
            Index::btree("by_odd", [r"$d\.e", "%"]),
            Index::btree("by_inner", ["inner.x"]).sparse(),
            Index::btree("of_nothing", ["_id"]),
        ]);
        let named = Name::new(&index.name).unwrap();
        match self.random.below(4) {
            0 => {
                let one = self.memory.drop_index(&name(), &named).await.unwrap();
                assert_eq!(one, self.mongo.drop_index(&name(), &named).await.unwrap());
            }
            1 => {
                let one = self.memory.rebuild_index(&name(), &named, self.now()).await;
                both(
                    one,
                    self.mongo.rebuild_index(&name(), &named, self.now()).await,
                    "rebuild",
                );
            }
            _ => {
                let one = self.memory.ensure_index(&name(), &index, self.now()).await;
                let two = self.mongo.ensure_index(&name(), &index, self.now()).await;
                if let Some((one, two)) = both(one, two, "ensure") {
                    assert_eq!(one, two);
                }
            }
        }
        let one = self.memory.index_stats(&name(), &named, self.now()).await;
        let two = self.mongo.index_stats(&name(), &named, self.now()).await;
        if let Some((one, two)) = both(one, two, "stats") {
            assert_eq!(one, two);
        }
        assert_eq!(
            self.memory.indexes(&name()).await.unwrap(),
            self.mongo.indexes(&name()).await.unwrap()
        );
    }

    /// A query to its end, in pages, on both sides.
    async fn query(&mut self) {
        let filter = filter(&mut self.random, 2);
        let mut sort = Vec::new();
        for field in ["a", "b", "c", r"$d\.e", "%", "inner.x"] {
            if self.random.below(6) == 0 {
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
            self.mongo.count(&name(), request.clone()).await,
        );
        let Some((expected, counted)) = both(counts.0, counts.1, &what) else {
            return;
        };
        assert_eq!(expected, counted, "{what}");
        assert_eq!(
            self.memory.explain(&name(), &request).await.unwrap(),
            self.mongo.explain(&name(), &request).await.unwrap()
        );
        let mut found = 0;
        loop {
            let one = self.memory.find(&name(), request.clone()).await.unwrap();
            let two = self.mongo.find(&name(), request.clone()).await.unwrap();
            let facts = |page: &storage_core::FindPage| -> Vec<_> {
                page.documents
                    .iter()
                    .map(|found| (found.id.clone(), found.expires_at, found.body.clone()))
                    .collect()
            };
            assert_eq!(facts(&one), facts(&two), "{what}");
            for (one, two) in one.documents.iter().zip(&two.documents) {
                let got = self
                    .mongo
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

async fn the_same_answers_as_the_reference(place: &Place) {
    for seed in 1..=3 {
        let mut pair = Pair::new(seed, place.connect().await).await;
        for _ in 0..300 {
            pair.step().await;
        }
        pair.mongo.close().await.unwrap();
        place.empty().await;
    }
}
