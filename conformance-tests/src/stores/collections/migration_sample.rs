//! What the cases of migrations and backups are about: users whose shape changes, beside cities whose shape does not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use storage_core::bson::{Document, doc};
use storage_core::{Capability, Collection, ListRequest, Query, Result, Storage};
use storage_stores::collections::{
    Migration, MigrationOptions, MigrationState, Migrations, SchemaVersion, Step,
};

use crate::case::Failure;

pub(super) fn users(storage: &Storage) -> Collection<Document> {
    storage.collection("users")
}

/// Ada and Bob, as the first version of the program wrote them, and a city.
pub(super) async fn load(storage: &Storage) -> Result<()> {
    users(storage)
        .put("ada", &doc! { "name": "Ada", "mail": "ada@x.org" })
        .await?;
    users(storage).put("bob", &doc! { "name": "Bob" }).await?;
    storage
        .collection::<Document>("cities")
        .put("delft", &doc! { "n": 1_i64 })
        .await?;
    Ok(())
}

/// Users get a role.
pub(super) fn roles() -> Migration {
    Migration::new("1.1.0", "users have a role").up(Step::add_field("users", "role", "member"))
}

/// Their mail is called otherwise.
pub(super) fn emails() -> Migration {
    Migration::new("1.2.0", "mail is called email").up(Step::rename_field("users", "mail", "email"))
}

/// One that counts how often it is done to each document: it is not idempotent.
pub(super) fn counting(version: &str) -> Migration {
    let up = |mut user: Document| {
        let times = user.get_i64("times").unwrap_or(0);
        user.insert("times", times + 1);
        Ok(user)
    };
    let down = |mut user: Document| {
        let times = user.get_i64("times").unwrap_or(0);
        user.insert("times", times - 1);
        Ok(user)
    };
    Migration::new(version, "counts")
        .up(Step::transform("users", "count", up))
        .down(Step::transform("users", "count back", down))
}

/// One whose only step fails with this message.
pub(super) fn failing(version: &str, message: &'static str) -> Migration {
    Migration::new(version, "fails").up(Step::transform("users", "fail", move |_| Err(message.to_owned())))
}

/// These migrations, without backups.
pub(super) fn migrations(storage: &Storage, all: impl IntoIterator<Item = Migration>) -> Result<Migrations> {
    with_options(storage, MigrationOptions::new().backup(false), all)
}

pub(super) fn with_options(
    storage: &Storage,
    options: MigrationOptions,
    all: impl IntoIterator<Item = Migration>,
) -> Result<Migrations> {
    let mut migrations = Migrations::with_options(storage.clone(), options);
    for migration in all {
        migrations.register(migration)?;
    }
    Ok(migrations)
}

/// Every document of a collection, by id.
pub(super) async fn all(storage: &Storage, collection: &str) -> Result<BTreeMap<String, Document>> {
    let found = storage
        .collection::<Document>(collection)
        .find(Query::all())
        .await?;
    let documents = found.collect().await?;
    Ok(documents
        .into_iter()
        .map(|document| (document.id.to_string(), document.value))
        .collect())
}

/// How often a user was counted who has been through [`counting`] 1.0.0 and 1.1.0 as far as its stamp says.
pub(super) fn times_by_stamp(user: &Document) -> i64 {
    match user.get_str("_schema").ok() {
        None => 0,
        Some("1.0.0") => 1,
        _ => 2,
    }
}

pub(super) fn version(text: &str) -> Result<SchemaVersion, Failure> {
    SchemaVersion::parse(text).map_err(|error| Failure::new(error.to_string()))
}

pub(super) fn versions(all: &[SchemaVersion]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// The state of each migration, by version, as text.
pub(super) async fn states(migrations: &Migrations) -> Result<Vec<(String, &'static str)>> {
    let status = migrations.status().await?;
    let infos = status.migrations.into_iter();
    Ok(infos
        .map(|info| {
            let state = match info.state {
                MigrationState::Applied => "applied",
                MigrationState::Failed { .. } => "failed",
                MigrationState::Pending => "pending",
                MigrationState::Running(_) => "running",
                MigrationState::RollingBack(_) => "rolling back",
                _ => "unknown",
            };
            (info.version.to_string(), state)
        })
        .collect())
}

/// Deletes everything there is, and lets go of the lease of whoever died.
pub(super) async fn wipe(storage: &Storage) -> Result<()> {
    storage.break_lease("migrations").await?;
    for name in storage.collections().await? {
        let documents = storage.collection::<Document>(&name);
        for index in documents.indexes().await? {
            documents.drop_index(&index.index.name).await?;
        }
        for id in all(storage, name.as_str()).await?.keys() {
            documents.delete(id).await?;
        }
    }
    let objects = storage.objects();
    loop {
        let page = objects.list_page(ListRequest::new("")).await?;
        for entry in &page.entries {
            objects.delete(entry.name()).await?;
        }
        if page.next.is_none() {
            break;
        }
    }
    if storage.declaration().support(Capability::Logs).is_present() {
        for name in storage.logs().await? {
            storage.log(&name).delete().await?;
        }
    }
    Ok(())
}

/// What was told, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Told<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Told<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    pub(super) fn tell(&self, what: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(super) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
