//! The view of each collection: its documents as people read them in the `sqlite3` shell.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};
use storage_core::bson::RawDocument;
use storage_core::bson::spec::ElementType;
use storage_core::{Error, Name, Result};

use crate::error::classify;

/// How many fields a view shows. SQLite takes 2,000 columns; people read fewer.
const MAX_FIELDS: usize = 100;
/// The longest field name shown, in bytes.
const MAX_FIELD_BYTES: usize = 64;
/// The view's own columns, which a field cannot take.
const OWN_COLUMNS: [&str; 4] = ["id", "version", "expires_at", "body"];
/// How names of our tables, and of SQLite's, begin.
const RESERVED: [&str; 2] = ["_storage", "sqlite_"];

/// The fields a view shows.
#[derive(Debug)]
pub(crate) struct Fields {
    view: String,
    shown: Vec<String>,
    known: HashSet<String>,
    folded: HashSet<String>,
}

impl Fields {
    pub(crate) fn read(view: String, json: &str) -> Result<Self> {
        let shown: Vec<String> = serde_json::from_str(json).map_err(|error| {
            Error::corrupt(&*view, "the list of a collection's fields cannot be read").with_source(error)
        })?;
        let known = shown.iter().cloned().collect();
        let folded = shown.iter().map(|field| field.to_ascii_lowercase()).collect();
        Ok(Self {
            view,
            shown,
            known,
            folded,
        })
    }

    /// The fields of a document that the view does not show and could.
    fn new_in(&self, body: &RawDocument) -> Vec<String> {
        let mut new = Vec::new();
        if self.shown.len() >= MAX_FIELDS {
            return new;
        }
        for (at, field) in body.iter_elements().enumerate() {
            let Ok(field) = field else { break };
            let name = field.key().as_str();
            // Such a document is wrapped at rest, so that its fields are not at the top.
            if at == 0 && name.starts_with('$') {
                break;
            }
            // Documents of a collection mostly have the same fields in the same order.
            if self.shown.get(at).is_some_and(|shown| shown == name)
                || self.known.contains(name)
                || matches!(
                    field.element_type(),
                    ElementType::EmbeddedDocument | ElementType::Array
                )
                || !can_be_column(name)
            {
                continue;
            }
            let folded = name.to_ascii_lowercase();
            let taken = self.folded.contains(&folded)
                || new.iter().any(|other: &String| other.eq_ignore_ascii_case(name))
                || OWN_COLUMNS.contains(&folded.as_str());
            if !taken && self.shown.len() + new.len() < MAX_FIELDS {
                new.push(name.to_owned());
            }
        }
        new
    }
}

/// Whether a document has plain fields that the view does not show and could.
pub(crate) fn shows_more(fields: &Fields, body: &RawDocument) -> bool {
    !fields.new_in(body).is_empty()
}

/// Quotes and backslashes have no spelling in SQLite's JSON paths.
fn can_be_column(name: &str) -> bool {
    (1..=MAX_FIELD_BYTES).contains(&name.len())
        && !name.contains(|character: char| character.is_control() || matches!(character, '"' | '\\'))
}

/// Makes the view show the plain fields of a document. `true` if that changed the schema.
pub(crate) fn show_fields(
    connection: &Connection,
    collection: i64,
    fields: &Fields,
    body: &RawDocument,
) -> Result<bool> {
    let new = fields.new_in(body);
    if new.is_empty() {
        return Ok(false);
    }
    let mut shown = fields.shown.clone();
    shown.extend(new);
    let json = serde_json::to_string(&shown).map_err(|error| {
        Error::invalid_argument("the names of fields cannot be written").with_source(error)
    })?;
    connection
        .execute(
            "UPDATE _storage_collections SET fields = ?2 WHERE collection = ?1",
            params![collection, json],
        )
        .map_err(classify)?;
    define(connection, collection, &fields.view, &shown)?;
    Ok(true)
}

/// Replaces the view.
pub(crate) fn define(connection: &Connection, collection: i64, view: &str, fields: &[String]) -> Result<()> {
    let view = quoted(view);
    let columns: String = fields
        .iter()
        .map(|field| {
            format!(
                "json_extract(body, '$.\"{}\"') AS {}, ",
                field.replace('\'', "''"),
                quoted(field)
            )
        })
        .collect();
    connection
        .execute_batch(&format!(
            "DROP VIEW IF EXISTS {view};
             CREATE VIEW {view} AS SELECT id, {columns}version, expires_at, body FROM _storage_documents_{collection};"
        ))
        .map_err(classify)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name for the view of a new collection: the collection's own unless that is reserved or, but for case, taken.
pub(crate) fn free_name(connection: &Connection, name: &Name) -> Result<String> {
    let name = name.as_str();
    let folded = name.to_ascii_lowercase();
    let base = if RESERVED.iter().any(|reserved| folded.starts_with(reserved)) {
        format!("collection_{name}")
    } else {
        name.to_owned()
    };
    let mut candidate = base.clone();
    for attempt in 2_u64.. {
        // Also tables a person made by hand are in the way.
        let taken = connection
            .query_row(
                "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE
                 UNION ALL SELECT 1 FROM _storage_collections WHERE view = ?1",
                [&candidate],
                |_| Ok(()),
            )
            .optional()
            .map_err(classify)?;
        if taken.is_none() {
            break;
        }
        candidate = format!("{base}_{attempt}");
    }
    Ok(candidate)
}
