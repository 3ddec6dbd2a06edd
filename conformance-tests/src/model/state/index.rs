//! What the contract says of indexes: which keys a document has, and which two documents may not share.

use std::cmp::Ordering;

use storage_core::bson::{Bson, Document};
use storage_core::{ErrorKind, FieldPath, Index};

use crate::reference::compare;

/// The values of an index's fields, a missing one as `None`.
type Key = Vec<Option<Bson>>;

/// Why a document does not fit an index beside others.
pub(super) fn refused<'a>(
    index: &Index,
    body: &Document,
    others: impl Iterator<Item = &'a Document>,
) -> Vec<ErrorKind> {
    let Some(keys) = keys(index, body) else {
        return vec![ErrorKind::InvalidArgument];
    };
    if !index.unique {
        return Vec::new();
    }
    // A unique index covers documents that have every field.
    let covered = |keys: Vec<Key>| keys.into_iter().filter(|key| key.iter().all(Option::is_some));
    let own: Vec<Key> = covered(keys).collect();
    let theirs = others
        .filter_map(|other| self::keys(index, other))
        .flat_map(covered);
    let taken = |their: &Key| own.iter().any(|key| order(key, their).is_eq());
    if theirs.into_iter().any(|their| taken(&their)) {
        return vec![ErrorKind::UniqueViolation];
    }
    Vec::new()
}

/// How many distinct keys and how many entries there are.
pub(super) fn figures<'a>(index: &Index, bodies: impl Iterator<Item = &'a Document>) -> (u64, u64) {
    let mut all: Vec<Key> = bodies.filter_map(|body| keys(index, body)).flatten().collect();
    let entries = all.len() as u64;
    all.sort_by(order);
    all.dedup_by(|one, other| order(one, other).is_eq());
    (all.len() as u64, entries)
}

/// The distinct keys of a document; `None` where it does not fit.
fn keys(index: &Index, body: &Document) -> Option<Vec<Key>> {
    let mut values = Vec::new();
    for field in &index.fields {
        values.push(lookup(field, body)?);
    }
    if index.sparse && values.iter().all(Option::is_none) {
        return Some(Vec::new());
    }
    match values.as_slice() {
        [Some(Bson::Array(elements))] if index.each => {
            let mut keys: Vec<Key> = elements
                .iter()
                .map(|element| vec![Some(element.clone())])
                .collect();
            keys.sort_by(order);
            keys.dedup_by(|one, other| order(one, other).is_eq());
            Some(keys)
        }
        values if values.iter().any(|value| matches!(value, Some(Bson::Array(_)))) => None,
        _ => Some(vec![values]),
    }
}

/// The value at a path, `Some(None)` where there is none; `None` where an array stands on the way.
fn lookup(field: &FieldPath, body: &Document) -> Option<Option<Bson>> {
    let (last, way) = field.segments().split_last()?;
    let mut document = body;
    for name in way {
        match document.get(name) {
            Some(Bson::Document(inner)) => document = inner,
            Some(Bson::Array(_)) => return None,
            _ => return Some(None),
        }
    }
    Some(document.get(last).cloned())
}

/// The order of keys, in which a missing value is as null.
fn order(one: &Key, other: &Key) -> Ordering {
    let null = Bson::Null;
    let mut pairs = one.iter().zip(other);
    pairs
        .find_map(|(one, other)| {
            let ordering = compare(one.as_ref().unwrap_or(&null), other.as_ref().unwrap_or(&null));
            ordering.is_ne().then_some(ordering)
        })
        .unwrap_or(Ordering::Equal)
}
