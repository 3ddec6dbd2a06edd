//! From a value or a range in an index to a query.

use std::ops::{Bound, RangeBounds};

use serde::Serialize;
use storage_core::bson::{self, Bson, RawBsonRef};
use storage_core::{Error, Index, IndexKind, Query, Result, malformed};

/// A value as a field of an entity would hold it.
pub(super) fn value<V: Serialize>(value: &V) -> Result<Bson> {
    #[derive(Serialize)]
    struct Field<'a, V> {
        value: &'a V,
    }
    let document = bson::serialize_to_raw_document_buf(&Field { value })
        .map_err(|error| Error::invalid_argument("the value is none a field can have").with_source(error))?;
    let raw = document
        .get("value")
        .map_err(malformed)?
        .unwrap_or(RawBsonRef::Null);
    Bson::try_from(raw).map_err(malformed)
}

/// The values of a range's bounds.
pub(super) fn bounds<V: Serialize>(range: &impl RangeBounds<V>) -> Result<(Bound<Bson>, Bound<Bson>)> {
    let bound = |bound: Bound<&V>| {
        Ok(match bound {
            Bound::Included(bound) => Bound::Included(value(bound)?),
            Bound::Excluded(bound) => Bound::Excluded(value(bound)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    };
    Ok((bound(range.start_bound())?, bound(range.end_bound())?))
}

/// Documents with this value in the index.
pub(super) fn equal(index: &Index, value: Bson) -> Result<Query> {
    let mut conditions = index.fields.iter().zip(parts(index, value)?);
    let first = conditions
        .next()
        .map(|(field, value)| Query::eq(field.clone(), value));
    Ok(
        conditions.fold(first.unwrap_or_else(Query::all), |query, (field, value)| {
            query.and(Query::eq(field.clone(), value))
        }),
    )
}

/// Documents in this range of the index.
pub(super) fn range(index: &Index, from: Bound<Bson>, to: Bound<Bson>) -> Result<Query> {
    if index.kind == IndexKind::Hash || index.each {
        let message = format!(
            "index {:?} answers equality only; ask for a range on a B-tree index over single values",
            index.name
        );
        return Err(Error::invalid_argument(message));
    }
    let (from, to) = (split(index, from)?, split(index, to)?);
    let prefix = match (&from, &to) {
        (Some((one, _)), Some((other, _))) if one != other => {
            let message = format!(
                "the bounds of a range of index {:?} over several fields may differ in the last only",
                index.name
            );
            return Err(Error::invalid_argument(message));
        }
        (Some((prefix, _)), _) | (None, Some((prefix, _))) => prefix.clone(),
        (None, None) => return everything(index),
    };
    let mut query = Query::all();
    for (field, value) in index.fields.iter().zip(prefix) {
        query = query.and(Query::eq(field.clone(), value));
    }
    let Some(last) = index.fields.last() else {
        return Ok(query);
    };
    query = match from.map(|(_, bound)| bound) {
        Some(Bound::Included(value)) => query.and(Query::ge(last.clone(), value)),
        Some(Bound::Excluded(value)) => query.and(Query::gt(last.clone(), value)),
        _ => query,
    };
    Ok(match to.map(|(_, bound)| bound) {
        Some(Bound::Included(value)) => query.and(Query::le(last.clone(), value)),
        Some(Bound::Excluded(value)) => query.and(Query::lt(last.clone(), value)),
        _ => query,
    })
}

/// Every document, in the order of the index.
fn everything(index: &Index) -> Result<Query> {
    if index.sparse {
        let message = format!(
            "index {:?} is sparse and does not hold every entity; give the range a bound",
            index.name
        );
        return Err(Error::invalid_argument(message));
    }
    let fields = index.fields.iter();
    Ok(fields.fold(Query::all(), |query, field| query.sort(field.clone())))
}

/// The values of all fields but the last, and the bound on the last; `None` where there is no bound.
fn split(index: &Index, bound: Bound<Bson>) -> Result<Option<(Vec<Bson>, Bound<Bson>)>> {
    let (value, of): (Bson, fn(Bson) -> Bound<Bson>) = match bound {
        Bound::Included(value) => (value, Bound::Included),
        Bound::Excluded(value) => (value, Bound::Excluded),
        Bound::Unbounded => return Ok(None),
    };
    let mut parts = parts(index, value)?;
    Ok(parts.pop().map(|last| (parts, of(last))))
}

/// The value of each field of the index.
fn parts(index: &Index, value: Bson) -> Result<Vec<Bson>> {
    match (index.fields.len(), value) {
        (1, value) => Ok(vec![value]),
        (fields, Bson::Array(values)) if values.len() == fields => Ok(values),
        (fields, _) => Err(Error::invalid_argument(format!(
            "index {:?} is over {fields} fields, so it takes a tuple of {fields} values",
            index.name
        ))),
    }
}
