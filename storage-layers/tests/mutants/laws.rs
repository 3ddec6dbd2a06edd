//! One law each. What a mutant dies of begins with `LAW`.

use std::time::Duration;

use futures::future::BoxFuture;
use storage_core::bson::rawdoc;
use storage_core::*;
use storage_layers::audit::DEFAULT_LOG;
use storage_layers::compression::{Codec, Compression};
use storage_layers::{AuditTrail, Compress, FaultAction, FaultRule, Operation};

use crate::{Medium, Open};

const NOW: Timestamp = Timestamp::from_millis(1_000);

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn id(text: &str) -> DocumentId {
    DocumentId::new(text).unwrap()
}

async fn opened(open: Open) -> (Medium, std::sync::Arc<dyn StorageAdapter>) {
    let medium = Medium::default();
    let layer = open(medium.adapter()).await;
    (medium, layer)
}

async fn write(adapter: &dyn StorageAdapter, to: &str, bytes: impl Into<Bytes> + Send) -> Result<Version> {
    let request = WriteRequest::default();
    adapter
        .write(Area::Objects, &key(to), bytes.into(), request)
        .await
}

async fn read(adapter: &dyn StorageAdapter, from: &str) -> Result<Option<Bytes>> {
    let read = adapter
        .read(Area::Objects, &key(from), ReadRequest::default())
        .await?;
    Ok(read.map(|object| object.bytes))
}

async fn put(adapter: &dyn StorageAdapter, at: &str) -> Result<Version> {
    let request = PutRequest::new(id(at), rawdoc! { "n": 1_i64 }, NOW);
    adapter.put(&name("c"), request).await
}

/// What the storage holds, read beside the layer.
async fn stored(medium: &Medium, at: &str) -> Bytes {
    read(&medium.memory, at).await.unwrap().unwrap()
}

macro_rules! laws {
    ($(async fn $law:ident($open:ident) $body:block)+) => {
        $(
            pub(crate) fn $law($open: Open) -> BoxFuture<'static, ()> {
                Box::pin(async move $body)
            }
        )+
    };
}

laws! {
    async fn a_value_opens_under_its_own_name_only(open) {
        let (medium, layer) = opened(open).await;
        write(&*layer, "a", "secret").await.unwrap();
        assert_eq!(read(&*layer, "a").await.unwrap().unwrap(), "secret");
        write(&medium.memory, "b", stored(&medium, "a").await).await.unwrap();
        assert!(read(&*layer, "b").await.is_err(), "LAW: a value that was moved opens");
    }

    async fn a_document_opens_under_its_own_id_only(open) {
        let (medium, layer) = opened(open).await;
        put(&*layer, "a").await.unwrap();
        assert!(layer.get(&name("c"), &id("a"), NOW).await.unwrap().is_some());
        let moved = medium.memory.get(&name("c"), &id("a"), NOW).await.unwrap().unwrap().body;
        let request = PutRequest::new(id("b"), moved, NOW);
        medium.memory.put(&name("c"), request).await.unwrap();
        let found = layer.get(&name("c"), &id("b"), NOW).await;
        assert!(found.is_err(), "LAW: a document that was moved opens");
    }

    async fn equal_values_are_not_sealed_alike(open) {
        let (medium, layer) = opened(open).await;
        write(&*layer, "a", "secret").await.unwrap();
        let first = stored(&medium, "a").await;
        write(&*layer, "a", "secret").await.unwrap();
        assert!(first != stored(&medium, "a").await, "LAW: it shows that nothing changed");
    }

    async fn plain_bytes_are_not_taken_for_sealed_ones(open) {
        let (medium, layer) = opened(open).await;
        write(&medium.memory, "a", "put there by somebody without the key").await.unwrap();
        assert!(read(&*layer, "a").await.is_err(), "LAW: plain bytes are read as if they were sealed");
    }

    async fn every_flipped_bit_is_found(open) {
        let (medium, layer) = opened(open).await;
        write(&*layer, "a", vec![7; 100_000]).await.unwrap();
        let sound = stored(&medium, "a").await;
        for at in [0, 40, sound.len() / 2, sound.len() - 40, sound.len() - 1] {
            let mut bytes = sound.to_vec();
            bytes[at] ^= 4;
            write(&medium.memory, "a", bytes).await.unwrap();
            assert!(read(&*layer, "a").await.is_err(), "LAW: a flipped bit is not found");
        }
    }

    async fn a_bomb_is_refused(open) {
        let (medium, layer) = opened(open).await;
        let generous = Compress::new(medium.memory.clone(), Compression::new(Codec::Zstd));
        write(&generous, "a", vec![0; 8 << 20]).await.unwrap();
        assert!(stored(&medium, "a").await.len() < 1 << 20);
        let read = read(&*layer, "a").await;
        assert!(read.is_err(), "LAW: more is given than the limit allows");
    }

    async fn ones_own_write_is_seen_at_once(open) {
        let (_medium, layer) = opened(open).await;
        for n in 0..3 {
            write(&*layer, "a", n.to_string()).await.unwrap();
            let read = read(&*layer, "a").await.unwrap().unwrap();
            assert_eq!(read, n.to_string(), "LAW: an old state is served");
        }
    }

    async fn what_was_not_there_is_seen_once_it_is(open) {
        let (_medium, layer) = opened(open).await;
        assert_eq!(read(&*layer, "a").await.unwrap(), None);
        write(&*layer, "a", "1").await.unwrap();
        assert!(read(&*layer, "a").await.unwrap().is_some(), "LAW: what is there is denied");
    }

    async fn a_part_is_that_part(open) {
        let (_medium, layer) = opened(open).await;
        write(&*layer, "a", "0123456789").await.unwrap();
        read(&*layer, "a").await.unwrap();
        let mut request = ReadRequest::default();
        request.range = Some(ByteRange::Bounded(2, 4));
        let part = layer.read(Area::Objects, &key("a"), request).await.unwrap().unwrap();
        assert_eq!((part.bytes, part.range), ("23".into(), 2..4), "LAW: a part is another part");
    }

    async fn an_append_is_never_doubled(open) {
        let (medium, layer) = opened(open).await;
        let lost = FaultRule::new(FaultAction::After(ErrorKind::Unavailable));
        medium.plan.replace([lost.on(&[Operation::Append]).at(0)]);
        let append = AppendRequest::new(vec!["1".into()]);
        drop(layer.append(&name("l"), append).await);
        let entries = medium.memory.read_log(&name("l"), 0, 10).await.unwrap().entries.len();
        assert_eq!(entries, 1, "LAW: it stands there twice");
    }

    async fn a_lost_create_is_not_taken_for_somebody_elses(open) {
        let (medium, layer) = opened(open).await;
        let lost = FaultRule::new(FaultAction::After(ErrorKind::Unavailable));
        medium.plan.replace([lost.on(&[Operation::Write]).at(0)]);
        let create = WriteRequest::when(Condition::IfAbsent);
        let error = layer.write(Area::Objects, &key("a"), "1".into(), create).await.unwrap_err();
        assert_eq!(error.applied(), Applied::Unknown, "LAW: one's own write is taken for another's");
    }

    async fn a_neighbour_is_not_listed(open) {
        let (medium, layer) = opened(open).await;
        write(&*layer, "mine", "1").await.unwrap();
        for neighbour in ["@tenant-10/theirs", "@tenant-/theirs", "theirs"] {
            write(&medium.memory, neighbour, "1").await.unwrap();
        }
        let page = layer.list(Area::Objects, ListRequest::new("")).await.unwrap();
        let names: Vec<&str> = page.entries.iter().map(ListEntry::name).collect();
        assert_eq!(names, ["mine"], "LAW: a neighbour shows");
    }

    async fn a_neighbours_collections_do_not_show(open) {
        let (medium, layer) = opened(open).await;
        put(&*layer, "a").await.unwrap();
        let theirs = PutRequest::new(id("a"), rawdoc! {}, NOW);
        medium.memory.put(&name("theirs"), theirs).await.unwrap();
        let names = layer.collections(None, 10).await.unwrap();
        assert_eq!(names, [name("c")], "LAW: a neighbour's collection shows");
    }

    async fn writing_over_takes_no_more(open) {
        let (_medium, layer) = opened(open).await;
        for n in 0..5 {
            let written = write(&*layer, "a", vec![7; 60]).await;
            assert!(written.is_ok(), "LAW: 60 bytes of 100 are too many the {n}th time");
        }
    }

    async fn what_is_deleted_is_given_back(open) {
        let (_medium, layer) = opened(open).await;
        for n in 0..5 {
            let at = n.to_string();
            let written = write(&*layer, &at, vec![7; 60]).await;
            assert!(written.is_ok(), "LAW: what was deleted is still counted");
            layer.delete(Area::Objects, &key(&at), DeleteRequest::default()).await.unwrap();
        }
    }

    async fn nothing_is_changed(open) {
        let (medium, layer) = opened(open).await;
        let mut batch = BatchRequest::default();
        let request = PutRequest::new(id("a"), rawdoc! {}, NOW);
        batch.operations.push((name("c"), BatchOperation::Put(request)));
        drop(layer.commit(batch).await);
        drop(write(&*layer, "a", "1").await);
        let again = std::sync::Arc::clone(&layer);
        if let Ok(mut writer) = again.open_writer(Area::Objects, &key("b"), WriteRequest::default()).await {
            writer.write("1".into()).await.unwrap();
            writer.finish().await.unwrap();
        }
        drop(put(&*layer, "a").await);
        drop(layer.append(&name("l"), AppendRequest::new(vec!["1".into()])).await);
        let objects = medium.memory.list(Area::Objects, ListRequest::new("")).await.unwrap();
        let collections = medium.memory.collections(None, 10).await.unwrap();
        let logs = medium.memory.logs(None, 10).await.unwrap();
        let is_empty = objects.entries.is_empty() && collections.is_empty() && logs.is_empty();
        assert!(is_empty, "LAW: something was changed");
    }

    async fn what_failed_is_recorded(open) {
        let (medium, layer) = opened(open).await;
        let stale = WriteRequest::when(Condition::IfVersion(Version::random()));
        layer.write(Area::Objects, &key("a"), "1".into(), stale).await.unwrap_err();
        let trail = AuditTrail::new(std::sync::Arc::new(medium.memory.clone()), DEFAULT_LOG, None).unwrap();
        let told = trail.tail(10).await.unwrap();
        let is_told = told.iter().any(|entry| entry.outcome.as_deref() == Some("precondition-failed"));
        assert!(is_told, "LAW: nobody learns of the attempt: {told:?}");
    }

    async fn what_cannot_be_recorded_is_not_done(open) {
        let (medium, layer) = opened(open).await;
        let full = FaultRule::new(FaultAction::Before(ErrorKind::NoSpace));
        medium.plan.replace([full.on(&[Operation::Append])]);
        drop(write(&*layer, "a", "1").await);
        let done = medium.memory.stat(Area::Objects, &key("a")).await.unwrap().is_some();
        assert!(!done, "LAW: it was done and is not recorded");
    }

    async fn a_write_that_ran_out_may_have_happened(open) {
        let (medium, layer) = opened(open).await;
        let slow = FaultRule::new(FaultAction::DelayAfter(Duration::from_secs(3600)));
        medium.plan.replace([slow]);
        let error = write(&*layer, "a", "1").await.unwrap_err();
        let happened = medium.memory.stat(Area::Objects, &key("a")).await.unwrap().is_some();
        assert!(happened);
        assert_eq!(error.applied(), Applied::Unknown, "LAW: it happened and is denied");
    }
}
