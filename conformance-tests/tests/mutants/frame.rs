//! [`Mutant`]: the reference adapter with one fault.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conformance_tests::{InMemory, Outcome, Plan, Tier, model};
use storage_core::*;

/// One fault: override the method that has it. Everything else is the reference adapter.
///
/// A fault that needs state keeps it in fields: all clients of one place share one, made by `Default`.
#[async_trait]
pub(crate) trait Fault: fmt::Debug + Default + Send + Sync + 'static {
    /// Changes what is declared.
    fn declare(&self, _declaration: &mut Declaration) {}

    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        memory.read(area, key, request).await
    }

    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        memory.write(area, key, bytes, request).await
    }

    async fn stat(&self, memory: &Memory, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        memory.stat(area, key).await
    }

    async fn delete(&self, memory: &Memory, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        memory.delete(area, key, request).await
    }

    async fn list(&self, memory: &Memory, area: Area, request: ListRequest) -> Result<ListPage> {
        memory.list(area, request).await
    }

    async fn open_writer(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        Arc::new(memory.clone()).open_writer(area, key, request).await
    }

    async fn copy(
        &self,
        memory: &Memory,
        area: Area,
        from: &Key,
        to: &Key,
        request: WriteRequest,
    ) -> Result<Option<Version>> {
        memory.copy(area, from, to, request).await
    }

    async fn delete_many(&self, memory: &Memory, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        memory.delete_many(area, keys).await
    }

    async fn close(&self, memory: &Memory) -> Result<()> {
        memory.close().await
    }

    async fn put(&self, memory: &Memory, collection: &Name, request: PutRequest) -> Result<Version> {
        memory.put(collection, request).await
    }

    async fn get(
        &self,
        memory: &Memory,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        memory.get(collection, id, now).await
    }

    async fn get_many(
        &self,
        memory: &Memory,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        memory.get_many(collection, ids, now).await
    }

    async fn delete_document(
        &self,
        memory: &Memory,
        collection: &Name,
        request: DeleteDocumentRequest,
    ) -> Result<bool> {
        memory.delete_document(collection, request).await
    }

    async fn put_many(
        &self,
        memory: &Memory,
        collection: &Name,
        requests: Vec<PutRequest>,
    ) -> Result<Vec<Result<Version>>> {
        memory.put_many(collection, requests).await
    }

    async fn commit(&self, memory: &Memory, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        memory.commit(batch).await
    }

    async fn find(&self, memory: &Memory, collection: &Name, request: FindRequest) -> Result<FindPage> {
        memory.find(collection, request).await
    }

    async fn count(&self, memory: &Memory, collection: &Name, request: FindRequest) -> Result<u64> {
        memory.count(collection, request).await
    }

    async fn explain(
        &self,
        memory: &Memory,
        collection: &Name,
        request: &FindRequest,
    ) -> Result<Explanation> {
        memory.explain(collection, request).await
    }

    async fn collections(&self, memory: &Memory, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        memory.collections(after, limit).await
    }

    async fn ensure_index(
        &self,
        memory: &Memory,
        collection: &Name,
        index: &Index,
        now: Timestamp,
    ) -> Result<bool> {
        memory.ensure_index(collection, index, now).await
    }

    async fn drop_index(&self, memory: &Memory, collection: &Name, index: &Name) -> Result<bool> {
        memory.drop_index(collection, index).await
    }

    async fn indexes(&self, memory: &Memory, collection: &Name) -> Result<Vec<IndexInfo>> {
        memory.indexes(collection).await
    }

    async fn rebuild_index(
        &self,
        memory: &Memory,
        collection: &Name,
        index: &Name,
        now: Timestamp,
    ) -> Result<()> {
        memory.rebuild_index(collection, index, now).await
    }

    async fn index_stats(
        &self,
        memory: &Memory,
        collection: &Name,
        index: &Name,
        now: Timestamp,
    ) -> Result<IndexStats> {
        memory.index_stats(collection, index, now).await
    }

    async fn watch(&self, memory: &Memory, collection: &Name, request: WatchRequest) -> Result<Changes> {
        memory.watch(collection, request).await
    }

    async fn append(&self, memory: &Memory, log: &Name, request: AppendRequest) -> Result<Appended> {
        memory.append(log, request).await
    }

    async fn read_log(&self, memory: &Memory, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        memory.read_log(log, from, limit).await
    }

    async fn close_log(&self, memory: &Memory, log: &Name) -> Result<()> {
        memory.close_log(log).await
    }

    async fn delete_log(&self, memory: &Memory, log: &Name) -> Result<()> {
        memory.delete_log(log).await
    }

    async fn logs(&self, memory: &Memory, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        memory.logs(after, limit).await
    }

    async fn sweep(&self, memory: &Memory, now: Timestamp) -> Result<SweepReport> {
        memory.sweep(now).await
    }
}

/// What a fault that leaks secrets leaks.
pub(crate) const SECRET: &str = "correct-horse-battery-staple";

/// The reference adapter with one fault.
#[derive(Debug)]
pub(crate) struct Mutant<F> {
    fault: Arc<F>,
    memory: Memory,
    declaration: Declaration,
}

impl<F: Fault> Mutant<F> {
    fn new((memory, fault): (Memory, Arc<F>)) -> Self {
        let mut declaration = memory.declaration().clone();
        fault.declare(&mut declaration);
        Self {
            fault,
            memory,
            declaration,
        }
    }
}

/// Checks that every case named fails on this mutant.
pub(crate) async fn assert_killed<F: Fault>(mutant: &str, cases: &[&str]) {
    for case in cases {
        assert!(
            conformance_tests::case(case).is_some(),
            "{mutant}: there is no case {case:?}"
        );
        let harness = InMemory::new(mutant, |medium: (Memory, Arc<F>)| {
            Arc::new(Mutant::new(medium)) as _
        });
        let harness = harness.with_secret(SECRET);
        let plan = Plan::new().only(*case).tier(Tier::Deep);
        let report = conformance_tests::run(Arc::new(harness), plan, |_| ()).await;
        assert_eq!(report.cases.len(), 1, "{mutant}: {report}");
        let outcome = &report.cases[0].outcome;
        assert!(
            matches!(outcome, Outcome::Fail { .. } | Outcome::TimedOut { .. }),
            "{mutant} survived {case}: {outcome:?}"
        );
    }
}

/// How many random operations a mutant may survive at most.
const OPERATIONS: usize = 3_000;

/// Random operations alone tell the mutant from the model, and the sequence that shows it gets no longer than this.
///
/// `UPDATE_CORPUS=1` writes it into the corpus, which every adapter is asked to play.
pub(crate) async fn assert_found<F: Fault>(module: &str, mutant: &str, most_steps: usize) {
    let harness = InMemory::new(mutant, |medium: (Memory, Arc<F>)| {
        Arc::new(Mutant::new(medium)) as _
    });
    let broken = model::explore(&harness, 1, OPERATIONS).await;
    let broken = broken.expect_err("the mutant gives every answer the model gives");
    println!("{mutant}: {broken}");
    let sequence = broken.sequence.found(format!("the mutant {mutant}"));
    assert!(
        sequence.len() <= most_steps,
        "{mutant}: {} steps are left\n{}",
        sequence.len(),
        sequence.to_json()
    );
    let reference = InMemory::new("memory", |memory: Memory| Arc::new(memory) as _);
    let played = model::replay(&reference, &sequence).await;
    assert!(played.is_ok(), "the reference is found too: {played:?}");
    // Two mutants of different files may share a name.
    let about = module.split("::").nth(1).unwrap_or(module);
    let name = format!("{about}-{}", kebab(mutant));
    let path = format!("{}/corpus/{name}.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        std::fs::write(&path, sequence.to_json()).unwrap();
    }
    let kept =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}; UPDATE_CORPUS=1"));
    let kept = model::Sequence::from_json(&kept).unwrap();
    assert!(
        model::replay(&harness, &kept).await.is_err(),
        "{mutant}: what the corpus has of it no longer finds it; UPDATE_CORPUS=1"
    );
}

/// `PutMerges` as `put-merges`.
fn kebab(camel: &str) -> String {
    let mut kebab = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<F: Fault> StorageBackend for Mutant<F> {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.fault.read(&self.memory, area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        self.fault.write(&self.memory, area, key, bytes, request).await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.fault.stat(&self.memory, area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        self.fault.delete(&self.memory, area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        self.fault.list(&self.memory, area, request).await
    }

    async fn open_writer(
        self: Arc<Self>,
        area: Area,
        key: &Key,
        request: WriteRequest,
    ) -> Result<Box<dyn ObjectWriter>> {
        self.fault.open_writer(&self.memory, area, key, request).await
    }

    async fn copy(&self, area: Area, from: &Key, to: &Key, request: WriteRequest) -> Result<Option<Version>> {
        self.fault.copy(&self.memory, area, from, to, request).await
    }

    async fn delete_many(&self, area: Area, keys: &[Key]) -> Result<Vec<Result<()>>> {
        self.fault.delete_many(&self.memory, area, keys).await
    }

    async fn presign(&self, area: Area, key: &Key, valid_for: Duration) -> Result<String> {
        self.memory.presign(area, key, valid_for).await
    }

    async fn health(&self) -> Result<()> {
        self.memory.health().await
    }

    async fn close(&self) -> Result<()> {
        self.fault.close(&self.memory).await
    }
}

#[async_trait]
impl<F: Fault> StorageAdapter for Mutant<F> {
    async fn put(&self, collection: &Name, request: PutRequest) -> Result<Version> {
        self.fault.put(&self.memory, collection, request).await
    }

    async fn get(
        &self,
        collection: &Name,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<Option<StoredDocument>> {
        self.fault.get(&self.memory, collection, id, now).await
    }

    async fn get_many(
        &self,
        collection: &Name,
        ids: &[DocumentId],
        now: Timestamp,
    ) -> Result<Vec<Option<StoredDocument>>> {
        self.fault.get_many(&self.memory, collection, ids, now).await
    }

    async fn delete_document(&self, collection: &Name, request: DeleteDocumentRequest) -> Result<bool> {
        self.fault
            .delete_document(&self.memory, collection, request)
            .await
    }

    async fn put_many(&self, collection: &Name, requests: Vec<PutRequest>) -> Result<Vec<Result<Version>>> {
        self.fault.put_many(&self.memory, collection, requests).await
    }

    async fn commit(&self, batch: BatchRequest) -> Result<Vec<Option<Version>>> {
        self.fault.commit(&self.memory, batch).await
    }

    async fn find(&self, collection: &Name, request: FindRequest) -> Result<FindPage> {
        self.fault.find(&self.memory, collection, request).await
    }

    async fn count(&self, collection: &Name, request: FindRequest) -> Result<u64> {
        self.fault.count(&self.memory, collection, request).await
    }

    async fn explain(&self, collection: &Name, request: &FindRequest) -> Result<Explanation> {
        self.fault.explain(&self.memory, collection, request).await
    }

    async fn collections(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.fault.collections(&self.memory, after, limit).await
    }

    async fn ensure_index(&self, collection: &Name, index: &Index, now: Timestamp) -> Result<bool> {
        self.fault
            .ensure_index(&self.memory, collection, index, now)
            .await
    }

    async fn drop_index(&self, collection: &Name, index: &Name) -> Result<bool> {
        self.fault.drop_index(&self.memory, collection, index).await
    }

    async fn indexes(&self, collection: &Name) -> Result<Vec<IndexInfo>> {
        self.fault.indexes(&self.memory, collection).await
    }

    async fn rebuild_index(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<()> {
        self.fault
            .rebuild_index(&self.memory, collection, index, now)
            .await
    }

    async fn index_stats(&self, collection: &Name, index: &Name, now: Timestamp) -> Result<IndexStats> {
        self.fault.index_stats(&self.memory, collection, index, now).await
    }

    async fn watch(&self, collection: &Name, request: WatchRequest) -> Result<Changes> {
        self.fault.watch(&self.memory, collection, request).await
    }

    async fn append(&self, log: &Name, request: AppendRequest) -> Result<Appended> {
        self.fault.append(&self.memory, log, request).await
    }

    async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        self.fault.read_log(&self.memory, log, from, limit).await
    }

    async fn close_log(&self, log: &Name) -> Result<()> {
        self.fault.close_log(&self.memory, log).await
    }

    async fn delete_log(&self, log: &Name) -> Result<()> {
        self.fault.delete_log(&self.memory, log).await
    }

    async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        self.fault.logs(&self.memory, after, limit).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<SweepReport> {
        self.fault.sweep(&self.memory, now).await
    }
}
