//! What a step does to one document, in memory.

use std::fmt;
use std::sync::Arc;

use storage_core::bson::{Bson, Document, doc};
use storage_core::value::FieldPath;

/// One change of a document.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Add { field: FieldPath, value: Bson },
    Rename { from: FieldPath, to: FieldPath },
    Drop { field: FieldPath },
    Transform { name: String, edit: Edit },
    Filter { name: String, keep: Keep },
}

/// A function from documents to documents.
#[derive(Clone)]
pub(super) struct Edit(pub(super) Arc<dyn Fn(Document) -> Result<Document, String> + Send + Sync>);

/// A function that says whether a document stays.
#[derive(Clone)]
pub(super) struct Keep(pub(super) Arc<dyn Fn(&Document) -> bool + Send + Sync>);

impl Change {
    /// The document after the change; `None` where it is to be removed.
    ///
    /// # Errors
    /// Why this document cannot be changed so.
    pub(super) fn apply(&self, mut document: Document) -> Result<Option<Document>, String> {
        match self {
            Self::Add { field, value } => {
                let (parents, name) = split(field);
                if let Some(parent) = descend(&mut document, parents)
                    && !parent.contains_key(name)
                {
                    parent.insert(name, value.clone());
                }
            }
            Self::Drop { field } => {
                let (parents, name) = split(field);
                if let Some(parent) = descend(&mut document, parents) {
                    parent.remove(name);
                }
            }
            Self::Rename { from, to } => {
                let (parents, name) = split(from);
                let (_, new_name) = split(to);
                if let Some(parent) = descend(&mut document, parents) {
                    rename(parent, name, new_name).map_err(|()| {
                        format!("it has both field {from} and field {to}, so the one cannot be called as the other")
                    })?;
                }
            }
            Self::Transform { name, edit } => {
                document = (edit.0)(document).map_err(|problem| format!("transform {name:?}: {problem}"))?;
            }
            Self::Filter { keep, .. } => {
                if !(keep.0)(&document) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(document))
    }

    pub(super) fn describe(&self, collection: &str) -> Document {
        match self {
            Self::Add { field, value } => {
                doc! { "add_field": { "collection": collection, "field": field.to_string(), "value": value.clone() } }
            }
            Self::Rename { from, to } => {
                doc! { "rename_field": { "collection": collection, "from": from.to_string(), "to": to.to_string() } }
            }
            Self::Drop { field } => {
                doc! { "drop_field": { "collection": collection, "field": field.to_string() } }
            }
            Self::Transform { name, .. } => {
                doc! { "transform": { "collection": collection, "name": name } }
            }
            Self::Filter { name, .. } => doc! { "filter": { "collection": collection, "name": name } },
        }
    }

    /// What is wrong with it, whatever the documents.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Self::Rename { from, to } if split(from).0 != split(to).0 => Some(format!(
                "field {from} cannot become {to}: a renamed field stays in the document it belongs to"
            )),
            _ => None,
        }
    }
}

/// The documents on the way to a field, and its own name.
fn split(field: &FieldPath) -> (&[String], &str) {
    match field.segments() {
        [parents @ .., name] => (parents, name),
        [] => (&[], ""),
    }
}

fn descend<'a>(document: &'a mut Document, parents: &[String]) -> Option<&'a mut Document> {
    parents
        .iter()
        .try_fold(document, |document, name| document.get_document_mut(name).ok())
}

/// Renames a field where it stands.
fn rename(document: &mut Document, from: &str, to: &str) -> Result<(), ()> {
    if !document.contains_key(from) || from == to {
        return Ok(());
    }
    if document.contains_key(to) {
        return Err(());
    }
    *document = std::mem::take(document)
        .into_iter()
        .map(|(name, value)| {
            if name == from {
                (to.to_owned(), value)
            } else {
                (name, value)
            }
        })
        .collect();
    Ok(())
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keep")
    }
}
