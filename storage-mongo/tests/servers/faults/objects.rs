//! Objects: small ones, and every step of large ones.

use storage_core::{
    Area, Bytes, Condition, DeleteRequest, Error, Key, ReadRequest, StorageBackend, Version, WriteRequest,
};
use storage_mongo::Mongo;
use test_servers::proxy::Commands;

use super::{Write, under_each_fault};
use crate::place::{Place, laws};

laws! {
    Atomic: a_small_write,
    Atomic: a_small_write_of_what_is_absent,
    Atomic: a_small_write_over_a_version,
    Atomic: a_delete,
    Atomic: the_record_of_an_upload,
    Atomic: the_chunks_of_an_upload,
    Atomic: the_commit_of_an_upload,
    Atomic: the_head_of_a_large_object,
    Atomic: the_end_of_an_upload,
}

/// More than stays in a head, in several chunks.
const LARGE: usize = 2 * 1024 * 1024 + 100;

enum Way {
    Small(Is),
    Large,
    Delete,
}

enum Is {
    Any,
    Absent,
    Known,
}

struct Object {
    way: Way,
    key: Option<Key>,
    version: Option<Version>,
}

impl Object {
    fn by(way: Way) -> Self {
        Self {
            way,
            key: None,
            version: None,
        }
    }

    fn key(&self) -> &Key {
        self.key.as_ref().unwrap()
    }

    fn bytes(&self) -> Bytes {
        let length = if matches!(self.way, Way::Large) { LARGE } else { 10 };
        vec![2; length].into()
    }
}

impl Write for Object {
    /// How long it is, and its bytes if all are alike.
    type State = Option<(usize, Option<u8>)>;

    async fn prepare(&mut self, mongo: &Mongo, round: usize) -> Self::State {
        let key = self.key.insert(Key::new(format!("object-{round}")).unwrap());
        if matches!(self.way, Way::Small(Is::Absent)) {
            return None;
        }
        let old = Bytes::from(vec![1; LARGE]);
        let written = mongo
            .write(Area::Objects, key, old, WriteRequest::default())
            .await;
        self.version = Some(written.unwrap());
        Some((LARGE, Some(1)))
    }

    async fn write(&self, mongo: &Mongo) -> Result<(), Error> {
        let condition = match self.way {
            Way::Delete => {
                let request = DeleteRequest::default();
                return mongo.delete(Area::Objects, self.key(), request).await.map(drop);
            }
            Way::Small(Is::Absent) => Condition::IfAbsent,
            Way::Small(Is::Known) => Condition::IfVersion(self.version.clone().unwrap()),
            Way::Small(Is::Any) | Way::Large => Condition::Always,
        };
        let request = WriteRequest::when(condition);
        let written = mongo
            .write(Area::Objects, self.key(), self.bytes(), request)
            .await;
        written.map(drop)
    }

    fn after(&self) -> Self::State {
        (!matches!(self.way, Way::Delete)).then(|| (self.bytes().len(), Some(2)))
    }

    async fn look(&self, mongo: &Mongo) -> Self::State {
        let read = mongo
            .read(Area::Objects, self.key(), ReadRequest::default())
            .await;
        let bytes = read.unwrap()?.bytes;
        let alike = bytes.iter().all(|byte| *byte == bytes[0]);
        Some((bytes.len(), alike.then(|| bytes[0])))
    }
}

fn heads(command: &str) -> Commands {
    // Not those of the object by which the handle shows that it goes on.
    Commands::named(command).on("_storage.objects").with("object-")
}

async fn a_small_write(place: &Place) {
    under_each_fault(place, heads("findAndModify"), Object::by(Way::Small(Is::Any))).await;
}

async fn a_small_write_of_what_is_absent(place: &Place) {
    under_each_fault(place, heads("insert"), Object::by(Way::Small(Is::Absent))).await;
}

async fn a_small_write_over_a_version(place: &Place) {
    under_each_fault(place, heads("findAndModify"), Object::by(Way::Small(Is::Known))).await;
}

async fn a_delete(place: &Place) {
    under_each_fault(place, heads("findAndModify"), Object::by(Way::Delete)).await;
}

async fn the_record_of_an_upload(place: &Place) {
    let commands = Commands::named("insert").on("_storage.uploads");
    under_each_fault(place, commands, Object::by(Way::Large)).await;
}

async fn the_chunks_of_an_upload(place: &Place) {
    let commands = Commands::named("insert").on("_storage.chunks");
    under_each_fault(place, commands, Object::by(Way::Large)).await;
}

async fn the_commit_of_an_upload(place: &Place) {
    let commands = Commands::named("update").on("_storage.uploads");
    under_each_fault(place, commands, Object::by(Way::Large)).await;
}

async fn the_head_of_a_large_object(place: &Place) {
    under_each_fault(place, heads("findAndModify"), Object::by(Way::Large)).await;
}

async fn the_end_of_an_upload(place: &Place) {
    let commands = Commands::named("delete").on("_storage.uploads");
    under_each_fault(place, commands, Object::by(Way::Large)).await;
}
