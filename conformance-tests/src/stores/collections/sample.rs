//! What the cases of entities are about: notes without indexes, people with every kind.

use serde::{Deserialize, Serialize};
use storage_core::{Index, Storage};
use storage_stores::collections::{Entities, Entity, EntityOptions, Stored};

use crate::case::Failure;

/// Needs documents only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) text: String,
    #[serde(default)]
    pub(super) n: i64,
}

impl Entity for Note {
    const COLLECTION: &'static str = "notes";

    fn validate(&self) -> Result<(), String> {
        if self.text == "forbidden" {
            return Err("the text is forbidden".to_owned());
        }
        Ok(())
    }
}

pub(super) fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
        n: 0,
    }
}

pub(super) fn notes(storage: &Storage) -> Entities<Note> {
    Entities::new(storage.clone())
}

/// Without a cache, so that every read looks.
pub(super) fn uncached(storage: &Storage) -> Entities<Note> {
    Entities::with_options(storage.clone(), EntityOptions::new().cache_enabled(false))
}

/// Needs indexes of every kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) city: String,
    pub(super) age: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) address: Address,
    /// Null is a value here.
    pub(super) boss: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) zip: String,
}

impl Entity for Person {
    const COLLECTION: &'static str = "people";

    fn indexes() -> Vec<Index> {
        vec![
            Index::hash("by_name", ["name"]),
            Index::btree("by_age", ["age"]),
            Index::btree("by_city_and_age", ["city", "age"]),
            Index::hash("by_email", ["email"]).unique().sparse(),
            Index::btree("by_tag", ["tags"]).each(),
            Index::btree("by_zip", ["address.zip"]),
            Index::hash("by_boss", ["boss"]),
            Index::btree("by_created", ["created"]),
        ]
    }
}

pub(super) fn person(name: &str, city: &str, age: i64) -> Person {
    Person {
        name: name.to_owned(),
        city: city.to_owned(),
        age,
        ..Person::default()
    }
}

pub(super) fn people(storage: &Storage) -> Entities<Person> {
    Entities::new(storage.clone())
}

/// What was found has to be there.
pub(super) fn there<T>(found: Option<Stored<T>>) -> Result<Stored<T>, Failure> {
    found.ok_or_else(|| Failure::new("the entity is not there"))
}
