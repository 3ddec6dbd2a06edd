//! Migrations in files: typed JSON, read without a program.

use storage_core::bson::{Bson, Document, deserialize_from_bson};
use storage_core::value::read_document;
use storage_core::{Error, Index, Result};

use super::documents::fields_of;
use super::migration::Migration;
use super::step::Step;

impl Migration {
    /// A migration from JSON, in which values are typed as they are in documents at rest:
    ///
    /// ```
    /// # use storage_stores::collections::Migration;
    /// let text = r#"{
    ///     "version": "1.1.0",
    ///     "description": "users have a role",
    ///     "up": [
    ///         { "add_field": { "collection": "users", "field": "role", "value": "member" } },
    ///         { "rename_field": { "collection": "users", "from": "mail", "to": "email" } },
    ///         { "drop_field": { "collection": "users", "field": "age" } },
    ///         { "add_index": { "collection": "users", "index": { "name": "by_role", "fields": ["role"], "kind": "btree" } } },
    ///         { "drop_index": { "collection": "users", "index": { "name": "by_age", "fields": ["age"], "kind": "btree" } } }
    ///     ],
    ///     "down": [
    ///         { "rename_field": { "collection": "users", "from": "email", "to": "mail" } },
    ///         { "drop_field": { "collection": "users", "field": "role" } }
    ///     ]
    /// }"#;
    /// assert_eq!(Migration::from_json(text.as_bytes())?.version(), "1.1.0");
    /// # Ok::<(), storage_core::Error>(())
    /// ```
    ///
    /// `down` may be left out, as in code. Steps that are functions have no text.
    ///
    /// # Errors
    /// `InvalidArgument` saying what is wrong and where; `Corrupt` for text that is no JSON.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let mut file = fields_of(&read_document(text)?)?;
        let version = take_text(&mut file, "the migration", "version")?;
        let what = format!("migration {version}");
        let description = take_text(&mut file, &what, "description")?;
        let mut migration = Self::new(&version, description);
        for step in take_steps(&mut file, &what, "up")? {
            migration = migration.up(step);
        }
        if file.contains_key("down") {
            for step in take_steps(&mut file, &what, "down")? {
                migration = migration.down(step);
            }
        }
        nothing_left(&file, &what)?;
        Ok(migration)
    }
}

fn take_steps(file: &mut Document, what: &str, name: &str) -> Result<Vec<Step>> {
    let Some(Bson::Array(steps)) = file.remove(name) else {
        return Err(wrong(what, &format!("needs {name:?}, an array of steps")));
    };
    let steps = steps.into_iter().enumerate();
    steps
        .map(|(at, step)| match step {
            Bson::Document(step) => take_step(step, &format!("{what}, {name:?}, step {}", at + 1)),
            _ => Err(wrong(
                what,
                &format!("has something in {name:?} that is no step: step {}", at + 1),
            )),
        })
        .collect()
}

fn take_step(step: Document, what: &str) -> Result<Step> {
    let mut entries = step.into_iter();
    let (Some((kind, Bson::Document(mut about))), None) = (entries.next(), entries.next()) else {
        return Err(wrong(
            what,
            "needs exactly one name with an object, such as {\"drop_field\": {…}}",
        ));
    };
    let collection = take_text(&mut about, what, "collection")?;
    let step = match kind.as_str() {
        "add_field" => {
            let field = take_text(&mut about, what, "field")?;
            let value = about
                .remove("value")
                .ok_or_else(|| wrong(what, "needs \"value\""))?;
            Step::add_field(collection, field, value)
        }
        "rename_field" => {
            let from = take_text(&mut about, what, "from")?;
            Step::rename_field(collection, from, take_text(&mut about, what, "to")?)
        }
        "drop_field" => Step::drop_field(collection, take_text(&mut about, what, "field")?),
        "add_index" => Step::add_index(collection, take_index(&mut about, what)?),
        "drop_index" => Step::drop_index(collection, take_index(&mut about, what)?),
        other => {
            let message = format!(
                "cannot be {other:?} in a file; there are add_field, rename_field, drop_field, add_index and drop_index, and the rest \
                 is code"
            );
            return Err(wrong(what, &message));
        }
    };
    nothing_left(&about, what)?;
    Ok(step)
}

fn take_index(about: &mut Document, what: &str) -> Result<Index> {
    let index = about
        .remove("index")
        .ok_or_else(|| wrong(what, "needs \"index\""))?;
    deserialize_from_bson(index).map_err(|error| {
        wrong(
            what,
            "has an \"index\" that is none: it needs name, fields and kind (btree or hash)",
        )
        .with_source(error)
    })
}

fn take_text(about: &mut Document, what: &str, name: &str) -> Result<String> {
    match about.remove(name) {
        Some(Bson::String(text)) => Ok(text),
        _ => Err(wrong(what, &format!("needs {name:?}, a string"))),
    }
}

fn nothing_left(about: &Document, what: &str) -> Result<()> {
    match about.keys().next() {
        Some(name) => Err(wrong(what, &format!("does not know {name:?}"))),
        None => Ok(()),
    }
}

fn wrong(what: &str, problem: &str) -> Error {
    Error::invalid_argument(format!("{what} {problem}"))
}
