use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use storage_core::*;
use storage_layers::{Cache, CacheOptions, Fault, FaultAction, FaultPlan, FaultRule, Operation};

use crate::{NOW, id, key, name, put};

const AGE: Duration = Duration::from_secs(10);

fn aged() -> CacheOptions {
    let mut options = CacheOptions::default();
    options.max_age = AGE;
    options
}

/// A cache, and what reaches the medium below it.
fn cached(memory: &Memory, options: CacheOptions) -> (Arc<Cache<Fault<Memory>>>, FaultPlan) {
    let plan = FaultPlan::default();
    (
        Arc::new(Cache::new(Fault::new(memory.clone(), plan.clone()), options)),
        plan,
    )
}

async fn write(adapter: &impl StorageBackend, to: &str, bytes: &'static str) -> Version {
    adapter
        .write(Area::Objects, &key(to), bytes.into(), WriteRequest::default())
        .await
        .unwrap()
}

async fn read(adapter: &impl StorageBackend, from: &str) -> Option<Bytes> {
    let read = adapter
        .read(Area::Objects, &key(from), ReadRequest::default())
        .await;
    read.unwrap().map(|object| object.bytes)
}

#[tokio::test(start_paused = true)]
async fn what_another_handle_wrote_is_seen_within_the_bound() {
    let memory = Memory::new();
    let ((one, below), (other, _)) = (cached(&memory, aged()), cached(&memory, aged()));
    write(&*one, "a", "old").await;
    memory.put(&name("c"), put("x", 1)).await.unwrap();
    assert_eq!(read(&*one, "a").await.unwrap(), "old");
    one.get(&name("c"), &id("x"), NOW).await.unwrap();
    write(&*other, "a", "new").await;
    other.put(&name("c"), put("x", 2)).await.unwrap();
    let calls = below.calls();
    tokio::time::advance(AGE / 2).await;
    assert_eq!(
        read(&*one, "a").await.unwrap(),
        "old",
        "it is believed for that long"
    );
    one.get(&name("c"), &id("x"), NOW).await.unwrap();
    assert_eq!(below.calls(), calls);
    tokio::time::advance(AGE / 2).await;
    assert_eq!(read(&*one, "a").await.unwrap(), "new");
    let document = one.get(&name("c"), &id("x"), NOW).await.unwrap().unwrap();
    assert_eq!(document.body.get_i64("n").unwrap(), 2);
    let bound = Consistency::Eventual { bound: AGE };
    assert_eq!(one.declaration().objects.consistency, bound);
    assert_eq!(one.declaration().documents.as_ref().unwrap().consistency, bound);
}

#[tokio::test]
async fn a_change_that_was_told_is_seen_whatever_the_age() {
    let memory = Memory::new();
    let (cache, _) = cached(&memory, aged());
    let mut changes = cache.watch(&name("c"), WatchRequest::default()).await.unwrap();
    for n in 1..4 {
        memory.put(&name("c"), put("x", n)).await.unwrap();
        let change = changes.next().await.unwrap().unwrap();
        let document = cache.get(&name("c"), &change.id, NOW).await.unwrap().unwrap();
        assert_eq!(document.body.get_i64("n").unwrap(), n);
    }
    memory.put(&name("c"), put("x", 9)).await.unwrap();
    let document = cache.get(&name("c"), &id("x"), NOW).await.unwrap().unwrap();
    assert_eq!(
        document.body.get_i64("n").unwrap(),
        3,
        "what was not told is believed"
    );
}

#[tokio::test]
async fn without_an_age_nothing_is_ever_stale_and_only_changed_bytes_are_fetched() {
    let memory = Memory::new();
    let (cache, _) = cached(&memory, CacheOptions::default());
    write(&memory, "a", "1").await;
    for n in 0..4 {
        read(&*cache, "a").await;
        assert_eq!(
            (cache.stats().await.misses, cache.stats().await.validated),
            (1, n)
        );
    }
    write(&memory, "a", "2").await;
    assert_eq!(read(&*cache, "a").await.unwrap(), "2");
    assert_eq!(cache.stats().await.misses, 2);
    assert_eq!(cache.declaration(), memory.declaration());
}

#[tokio::test]
async fn ones_own_writes_are_seen_at_once_whichever_way_they_are_made() {
    let memory = Memory::new();
    let (cache, _) = cached(&memory, aged());
    let (a, b) = (key("a"), key("b"));
    assert_eq!(read(&*cache, "a").await, None);
    write(&*cache, "a", "1").await;
    assert_eq!(read(&*cache, "a").await.unwrap(), "1");
    let mut writer = Arc::clone(&cache)
        .open_writer(Area::Objects, &a, WriteRequest::default())
        .await
        .unwrap();
    writer.write("2".into()).await.unwrap();
    assert_eq!(read(&*cache, "a").await.unwrap(), "1");
    writer.finish().await.unwrap();
    assert_eq!(read(&*cache, "a").await.unwrap(), "2");
    assert_eq!(read(&*cache, "b").await, None);
    cache
        .copy(Area::Objects, &a, &b, WriteRequest::default())
        .await
        .unwrap();
    assert_eq!(read(&*cache, "b").await.unwrap(), "2");
    cache
        .delete(Area::Objects, &a, DeleteRequest::default())
        .await
        .unwrap();
    cache.delete_many(Area::Objects, &[b]).await.unwrap();
    assert_eq!((read(&*cache, "a").await, read(&*cache, "b").await), (None, None));

    let (c, x) = (name("c"), id("x"));
    let n = async || {
        cache
            .get(&c, &x, NOW)
            .await
            .unwrap()
            .map(|document| document.body.get_i64("n").unwrap())
    };
    assert_eq!(n().await, None);
    cache.put(&c, put("x", 1)).await.unwrap();
    assert_eq!(n().await, Some(1));
    cache.put_many(&c, vec![put("x", 2)]).await.unwrap();
    assert_eq!(n().await, Some(2));
    let mut batch = BatchRequest::default();
    batch
        .operations
        .push((c.clone(), BatchOperation::Put(put("x", 3))));
    cache.commit(batch).await.unwrap();
    assert_eq!(n().await, Some(3));
    cache
        .delete_document(&c, DeleteDocumentRequest::new(x.clone(), NOW))
        .await
        .unwrap();
    assert_eq!(n().await, None);
}

#[tokio::test]
async fn a_write_that_failed_or_was_given_up_takes_out_what_it_may_have_replaced() {
    let memory = Memory::new();
    let (cache, below) = cached(&memory, aged());
    write(&*cache, "a", "1").await;
    read(&*cache, "a").await;
    below.replace([FaultRule::new(FaultAction::After(ErrorKind::Io)).on(&[Operation::Write])]);
    let lost = cache
        .write(Area::Objects, &key("a"), "2".into(), WriteRequest::default())
        .await;
    assert_eq!(lost.unwrap_err().applied(), Applied::Unknown);
    assert_eq!(read(&*cache, "a").await.unwrap(), "2");
}

/// A slow read meets a write that begins and ends while it is under way.
#[tokio::test(start_paused = true)]
async fn a_slow_read_never_brings_back_what_was_replaced() {
    let memory = Memory::new();
    let (cache, below) = cached(&memory, aged());
    write(&*cache, "a", "old").await;
    below.replace([FaultRule::new(FaultAction::DelayAfter(Duration::from_secs(1)))
        .on(&[Operation::Read])
        .at(0)]);
    let slow = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { read(&*cache, "a").await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    write(&*cache, "a", "new").await;
    assert_eq!(slow.await.unwrap().unwrap(), "old");
    assert_eq!(read(&*cache, "a").await.unwrap(), "new");
}

#[tokio::test(start_paused = true)]
async fn of_a_hundred_who_miss_at_once_one_reads() {
    let memory = Memory::new();
    write(&memory, "a", "1").await;
    memory.put(&name("c"), put("x", 1)).await.unwrap();
    let (cache, below) = cached(&memory, aged());
    below.replace([FaultRule::new(FaultAction::DelayBefore(Duration::from_secs(1)))]);
    let reads = (0..100).map(|_| read(&*cache, "a"));
    let answers = futures::future::join_all(reads).await;
    assert!(answers.iter().all(|answer| answer.as_deref() == Some(b"1")));
    assert_eq!(below.calls(), 1);
    let (c, x) = (name("c"), id("x"));
    futures::future::join_all((0..100).map(|_| cache.get(&c, &x, NOW))).await;
    assert_eq!(below.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fails_or_goes_away_passes_its_turn_on() {
    let memory = Memory::new();
    write(&memory, "a", "1").await;
    let (cache, below) = cached(&memory, aged());
    below.replace([
        FaultRule::new(FaultAction::DelayBefore(Duration::from_secs(1))),
        FaultRule::new(FaultAction::Before(ErrorKind::Io)).at(1),
    ]);
    let gone = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { read(&*cache, "a").await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (key, request) = (key("a"), ReadRequest::default());
    let two = futures::future::join(
        cache.read(Area::Objects, &key, request.clone()),
        cache.read(Area::Objects, &key, request),
    );
    gone.abort();
    let (first, second) = two.await;
    assert_eq!(first.unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(second.unwrap().unwrap().bytes, "1");
}

#[tokio::test]
async fn memory_is_never_more_than_it_may_be() {
    let memory = Memory::new();
    let mut options = aged();
    options.memory_bytes = 100_000;
    let (cache, _) = cached(&memory, options);
    for n in 0..200 {
        let bytes = Bytes::from(vec![1; 1000 + n * 100]);
        cache
            .write(
                Area::Objects,
                &key(&n.to_string()),
                bytes,
                WriteRequest::default(),
            )
            .await
            .unwrap();
        read(&*cache, &n.to_string()).await;
        let held = cache.stats().await.memory_bytes;
        assert!(held <= 100_000, "{held}");
    }
    assert!(cache.stats().await.memory_bytes > 10_000);
}

#[tokio::test]
async fn a_disk_is_used_after_a_restart_checked_bounded_and_never_believed() {
    let (memory, disk) = (Memory::new(), MemoryBackend::new());
    let disk: Arc<dyn StorageBackend> = Arc::new(disk);
    let open = async || {
        Cache::new(memory.clone(), CacheOptions::default())
            .with_disk(Arc::clone(&disk), 10_000)
            .await
            .unwrap()
    };
    write(&memory, "a", "1").await;
    write(&memory, "b", "1").await;
    let cache = open().await;
    read(&cache, "a").await;
    read(&cache, "b").await;
    drop(cache);

    let cache = open().await;
    assert_eq!(read(&cache, "a").await.unwrap(), "1");
    assert_eq!(
        (cache.stats().await.from_disk, cache.stats().await.misses),
        (1, 0)
    );
    write(&memory, "b", "2").await;
    assert_eq!(read(&cache, "b").await.unwrap(), "2");
    drop(cache);

    // Damage of every entry.
    let page = disk.list(Area::Objects, ListRequest::new("")).await.unwrap();
    for entry in page.entries {
        let ListEntry::Object(at, _) = entry else { continue };
        let stored = disk
            .read(Area::Objects, &at, ReadRequest::default())
            .await
            .unwrap()
            .unwrap();
        let mut bytes = stored.bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        disk.write(Area::Objects, &at, bytes.into(), WriteRequest::default())
            .await
            .unwrap();
    }
    let cache = open().await;
    assert_eq!(
        (read(&cache, "a").await.unwrap(), read(&cache, "b").await.unwrap()),
        ("1".into(), "2".into())
    );
    assert_eq!(cache.stats().await.from_disk, 0);

    for n in 0..100 {
        let bytes = Bytes::from(vec![1; 900]);
        memory
            .write(
                Area::Objects,
                &key(&n.to_string()),
                bytes,
                WriteRequest::default(),
            )
            .await
            .unwrap();
        read(&cache, &n.to_string()).await;
    }
    assert!(cache.stats().await.disk_bytes <= 10_000);
    let mut all = ListRequest::new("");
    all.with_meta = true;
    let page = disk.list(Area::Objects, all).await.unwrap();
    let size = |entry: &ListEntry| match entry {
        ListEntry::Object(_, Some(meta)) => meta.size,
        _ => 0,
    };
    let there: u64 = page.entries.iter().map(size).sum();
    assert!((1..=10_000).contains(&there), "{there}");
}

#[tokio::test]
async fn conditions_and_leases_are_never_a_matter_of_age() {
    let memory = Memory::new();
    let (cache, below) = cached(&memory, aged());
    let old = write(&*cache, "a", "1").await;
    read(&*cache, "a").await;
    let new = write(&memory, "a", "2").await;
    let mut request = ReadRequest::default();
    request.if_version = Some(old.clone());
    cache.read(Area::Objects, &key("a"), request).await.unwrap_err();
    let stale = WriteRequest::when(Condition::IfVersion(old));
    cache
        .write(Area::Objects, &key("a"), "3".into(), stale)
        .await
        .unwrap_err();
    let current = WriteRequest::when(Condition::IfVersion(new));
    cache
        .write(Area::Objects, &key("a"), "3".into(), current)
        .await
        .unwrap();
    let calls = below.calls();
    for _ in 0..3 {
        cache.get(&name("_storage.leases"), &id("x"), NOW).await.unwrap();
    }
    assert_eq!(below.calls(), calls + 3);
}
