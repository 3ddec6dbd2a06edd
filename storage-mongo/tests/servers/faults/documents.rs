//! Documents: every way to write one, many and all or none.

use storage_core::bson::rawdoc;
use storage_core::{
    BatchOperation, BatchRequest, Clock, Condition, DeleteDocumentRequest, DocumentId, Error, Name,
    PutRequest, StorageAdapter, StorageBackend, SystemClock, Timestamp, Version, random_u128,
};
use storage_mongo::Mongo;
use test_servers::proxy::Commands;

use super::{FAULTS, Weather, Write, judge, under_each_fault};
use crate::place::{Place, laws};

laws! {
    Atomic: a_put,
    Atomic: a_put_of_what_is_absent,
    Atomic: a_put_over_a_version,
    Atomic: a_delete,
    Atomic: a_delete_of_a_version,
    Atomic: many_puts,
    Transactions: a_commit,
    Transactions: a_commit_whose_steps_are_in_trouble,
    Transactions: a_commit_that_nobody_waits_for,
    Atomic: a_read,
}

fn users() -> Name {
    Name::new("users").unwrap()
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

fn id(round: usize, part: usize) -> DocumentId {
    DocumentId::new(format!("{round}-{part}")).unwrap()
}

fn put(id: &DocumentId, n: i64) -> PutRequest {
    PutRequest::new(id.clone(), rawdoc! { "n": n }, now())
}

/// The numbers in some documents.
async fn numbers(mongo: &Mongo, ids: &[DocumentId]) -> Vec<Option<i64>> {
    let found = mongo.get_many(&users(), ids, now()).await.unwrap();
    let number = |found: storage_core::StoredDocument| found.body.get_i64("n").unwrap();
    found.into_iter().map(|found| found.map(number)).collect()
}

enum Way {
    Always,
    IfAbsent,
    IfVersion,
    Delete,
    DeleteVersion,
    Commit,
}

struct Document {
    way: Way,
    ids: Vec<DocumentId>,
    version: Option<Version>,
}

impl Document {
    fn by(way: Way) -> Self {
        Self {
            way,
            ids: Vec::new(),
            version: None,
        }
    }
}

impl Write for Document {
    type State = Vec<Option<i64>>;

    async fn prepare(&mut self, mongo: &Mongo, round: usize) -> Self::State {
        // New ones also where the same write is checked under the faults of several commands.
        let new = || DocumentId::new(format!("{round}-{:x}", random_u128())).unwrap();
        self.ids = vec![new(), new()];
        if matches!(self.way, Way::IfAbsent) {
            return vec![None, None];
        }
        let version = mongo.put(&users(), put(&self.ids[0], 1)).await.unwrap();
        self.version = Some(version);
        vec![Some(1), None]
    }

    async fn write(&self, mongo: &Mongo) -> Result<(), Error> {
        let (users, first) = (users(), &self.ids[0]);
        let mut request = put(first, 2);
        let mut delete = DeleteDocumentRequest::new(first.clone(), now());
        match self.way {
            Way::Always => {}
            Way::IfAbsent => request.condition = Condition::IfAbsent,
            Way::IfVersion => request.condition = Condition::IfVersion(self.version.clone().unwrap()),
            Way::Delete | Way::DeleteVersion => {
                if matches!(self.way, Way::DeleteVersion) {
                    delete.if_version.clone_from(&self.version);
                }
                let was_there = mongo.delete_document(&users, delete).await?;
                assert!(was_there, "it was there");
                return Ok(());
            }
            Way::Commit => {
                let mut batch = BatchRequest::default();
                for id in &self.ids {
                    let operation = BatchOperation::Put(put(id, 2));
                    batch.operations.push((users.clone(), operation));
                }
                return mongo.commit(batch).await.map(drop);
            }
        }
        let version = mongo.put(&users, request).await?;
        assert_ne!(Some(&version), self.version.as_ref());
        Ok(())
    }

    fn after(&self) -> Self::State {
        match self.way {
            Way::Always | Way::IfAbsent | Way::IfVersion => vec![Some(2), None],
            Way::Delete | Way::DeleteVersion => vec![None, None],
            Way::Commit => vec![Some(2), Some(2)],
        }
    }

    async fn look(&self, mongo: &Mongo) -> Self::State {
        numbers(mongo, &self.ids).await
    }

    async fn change_again(&self, mongo: &Mongo) -> Result<(), Error> {
        for id in &self.ids {
            mongo.put(&users(), put(id, 3)).await?;
        }
        Ok(())
    }
}

async fn a_put(place: &Place) {
    under_each_fault(
        place,
        Commands::named("update").on("users"),
        Document::by(Way::Always),
    )
    .await;
}

async fn a_put_of_what_is_absent(place: &Place) {
    under_each_fault(
        place,
        Commands::named("update").on("users"),
        Document::by(Way::IfAbsent),
    )
    .await;
}

async fn a_put_over_a_version(place: &Place) {
    under_each_fault(
        place,
        Commands::named("update").on("users"),
        Document::by(Way::IfVersion),
    )
    .await;
}

async fn a_delete(place: &Place) {
    under_each_fault(
        place,
        Commands::named("delete").on("users"),
        Document::by(Way::Delete),
    )
    .await;
}

async fn a_delete_of_a_version(place: &Place) {
    let delete = Document::by(Way::DeleteVersion);
    under_each_fault(place, Commands::named("delete").on("users"), delete).await;
}

async fn a_commit(place: &Place) {
    let commits = Commands::named("commitTransaction");
    under_each_fault(place, commits, Document::by(Way::Commit)).await;
}

async fn a_commit_whose_steps_are_in_trouble(place: &Place) {
    for step in ["find", "update"] {
        let steps = Commands::named(step).on("users");
        under_each_fault(place, steps, Document::by(Way::Commit)).await;
    }
}

async fn a_commit_that_nobody_waits_for(place: &Place) {
    let weather = Weather::at(place).await;
    let mut write = Document::by(Way::Commit);
    let steps = [
        (Commands::named("find").on("users"), true),
        (Commands::named("update").on("users"), true),
        (Commands::named("commitTransaction"), false),
    ];
    for (round, (commands, applied)) in steps.into_iter().enumerate() {
        write.prepare(&weather.clear, round).await;
        let what = format!("{commands:?}");
        weather
            .abandoned(commands, applied, write.write(&weather.through))
            .await;
        write.unlocked(&weather.clear, &what).await;
    }
    let Weather { through, clear, .. } = weather;
    // Waits for what is under way.
    through.close().await.unwrap();
    // Nothing of the last one came after what was written since.
    assert_eq!(write.look(&clear).await, [Some(3), Some(3)]);
    clear.close().await.unwrap();
}

async fn many_puts(place: &Place) {
    let weather = Weather::at(place).await;
    let (users, commands) = (users(), Commands::named("update").on("users"));
    for (round, fault) in FAULTS.into_iter().enumerate() {
        let ids: Vec<_> = (0..4).map(|part| id(round, part)).collect();
        let taken = weather.clear.put(&users, put(&ids[3], 1)).await.unwrap();
        let mut puts: Vec<_> = ids.iter().map(|id| put(id, 2)).collect();
        puts[1].condition = Condition::IfAbsent;
        puts[3].condition = Condition::IfVersion(taken);
        let before = [None, None, None, Some(1)];
        let many = weather.through.put_many(&users, puts);
        let answers = weather.under(&commands, fault, many).await.unwrap();
        assert_eq!(answers.len(), ids.len());
        let now = numbers(&weather.clear, &ids).await;
        for (at, answer) in answers.into_iter().enumerate() {
            let what = format!("{answer:?} to put {at} after {fault:?}");
            judge(&answer.map(drop), &before[at], &Some(2), &now[at], &what);
        }
    }
    weather.close().await;
}

async fn a_read(place: &Place) {
    let weather = Weather::at(place).await;
    weather.clear.put(&users(), put(&id(0, 0), 1)).await.unwrap();
    for fault in FAULTS {
        let (users, id) = (users(), id(0, 0));
        let read = weather.through.get(&users, &id, now());
        match weather
            .under(&Commands::named("find").on("users"), fault, read)
            .await
        {
            Ok(found) => assert_eq!(found.unwrap().body, rawdoc! { "n": 1_i64 }),
            Err(error) => assert_eq!(error.applied(), storage_core::Applied::No, "{error}"),
        }
    }
    weather.close().await;
}
