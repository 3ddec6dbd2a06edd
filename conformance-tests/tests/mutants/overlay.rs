//! The overlay on media that break what it stands on: its laws must not hold there, or the cases prove nothing about it.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance_tests::{InMemory, Outcome, Plan, Tier};
use storage_core::*;

/// What is wrong with a medium.
trait Flaw: fmt::Debug + Default + Send + Sync + 'static {
    /// Conditions are decided first, and the write comes later.
    const CHECKS_THEN_WRITES: bool = false;
    /// Conditions of writes are not looked at.
    const IGNORES_CONDITIONS: bool = false;
    /// The version of a delete is not looked at.
    const DELETES_ANYTHING: bool = false;
    /// The key written last is not listed yet.
    const LISTS_LATE: bool = false;
    /// The body of a write is there before the write is acknowledged, and stays when its condition is lost.
    const LOSERS_WRITE: bool = false;
}

#[derive(Debug, Default)]
struct Medium<F> {
    memory: MemoryBackend,
    last: Arc<Mutex<Option<Key>>>,
    flaw: std::marker::PhantomData<F>,
}

impl<F: Flaw> Clone for Medium<F> {
    fn clone(&self) -> Self {
        Self {
            memory: self.memory.clone(),
            last: self.last.clone(),
            flaw: std::marker::PhantomData,
        }
    }
}

async fn give_way() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl<F: Flaw> StorageBackend for Medium<F> {
    fn declaration(&self) -> &Declaration {
        self.memory.declaration()
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.memory.read(area, key, request).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, mut request: WriteRequest) -> Result<Version> {
        *self.last.lock().unwrap() = Some(key.clone());
        if F::IGNORES_CONDITIONS || F::LOSERS_WRITE {
            give_way().await;
        }
        if F::IGNORES_CONDITIONS {
            request.condition = Condition::Always;
        }
        if F::CHECKS_THEN_WRITES {
            let current = self.memory.stat(area, key).await?.map(|meta| meta.version);
            request.condition.check(current.as_ref())?;
            give_way().await;
            request.condition = Condition::Always;
        }
        let result = self.memory.write(area, key, bytes.clone(), request).await;
        if F::LOSERS_WRITE && result.is_err() {
            self.memory
                .write(area, key, bytes, WriteRequest::default())
                .await?;
        }
        result
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.memory.stat(area, key).await
    }

    async fn delete(&self, area: Area, key: &Key, mut request: DeleteRequest) -> Result<()> {
        if F::DELETES_ANYTHING {
            for _ in 0..5 {
                give_way().await;
            }
            request.if_version = None;
        }
        self.memory.delete(area, key, request).await
    }

    async fn list(&self, area: Area, request: ListRequest) -> Result<ListPage> {
        let mut page = self.memory.list(area, request).await?;
        if F::LISTS_LATE {
            let last = self.last.lock().unwrap().clone();
            page.entries
                .retain(|entry| Some(entry.name()) != last.as_ref().map(Key::as_str));
        }
        Ok(page)
    }
}

/// How often a case is run on a flaw that shows only when two tasks meet: one run in ten misses it.
const RUNS: usize = 10;

async fn assert_killed<F: Flaw>(cases: &[&str]) {
    for case in cases {
        assert!(
            conformance_tests::case(case).is_some(),
            "there is no case {case:?}"
        );
        let mut killed = false;
        for _ in 0..RUNS {
            let harness = InMemory::new("flawed", |medium: Medium<F>| Arc::new(Overlay::new(medium)) as _);
            let plan = Plan::new().only(*case).tier(Tier::Deep);
            let report = conformance_tests::run(Arc::new(harness), plan, |_| ()).await;
            assert_eq!(report.cases.len(), 1, "{report}");
            killed |= matches!(
                report.cases[0].outcome,
                Outcome::Fail { .. } | Outcome::TimedOut { .. }
            );
            if killed {
                break;
            }
        }
        assert!(killed, "{:?} survived {case}", F::default());
    }
}

macro_rules! flaws {
    ($($flaw:ident ($law:ident): $($case:literal),+;)+) => {
        $(
            #[derive(Debug, Default)]
            struct $flaw;

            impl Flaw for $flaw {
                const $law: bool = true;
            }
        )+

        mod killed {
            $(
                #[allow(non_snake_case, reason = "the test has the medium's name")]
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $flaw() {
                    super::assert_killed::<super::$flaw>(&[$($case),+]).await;
                }
            )+
        }
    };
}

flaws! {
    ConditionsAreNotAtomic (CHECKS_THEN_WRITES): "document-conditions.put-if-race-has-one-winner", "documents.update-loses-nothing",
        "log.expected-number-race-has-one-winner";
    ConditionsAreIgnored (IGNORES_CONDITIONS): "document-conditions.put-if-race-has-one-winner",
        "unique.insert-race-has-one-winner";
    DeletesAnyVersion (DELETES_ANYTHING): "documents.sweep-beside-writers-loses-nothing";
    ListsLate (LISTS_LATE): "documents.put-get-roundtrip", "bulk.put-many-writes-each";
    LosersWriteToo (LOSERS_WRITE): "document-conditions.put-if-race-has-one-winner";
}
