//! Queries and indexes, from the fields of documents to what of them shows.

use storage_core::value::FieldPath;
use storage_core::{Comparison, Error, ErrorKind, Filter, FindRequest, Index, IndexKind, Name, Result};

use super::fields::{Declared, Search, blind_path, hash, own_path};
use crate::encryption::Key;

/// Refuses what cannot be answered over sealed fields, and rewrites the rest.
pub(super) struct Translation<'a> {
    pub(super) declared: &'a Declared,
    pub(super) collection: &'a Name,
    pub(super) key: &'a Key,
}

impl Translation<'_> {
    pub(super) fn request(&self, mut request: FindRequest) -> Result<FindRequest> {
        request.filter = self.filter(request.filter)?;
        for sort in &request.sort {
            self.plain(&sort.field, "has no order")?;
        }
        Ok(request)
    }

    fn filter(&self, filter: Filter) -> Result<Filter> {
        let all = |filters: Vec<Filter>| {
            filters
                .into_iter()
                .map(|filter| self.filter(filter))
                .collect::<Result<Vec<_>>>()
        };
        Ok(match filter {
            Filter::All => Filter::All,
            Filter::And(filters) => Filter::And(all(filters)?),
            Filter::Or(filters) => Filter::Or(all(filters)?),
            Filter::Not(filter) => Filter::Not(Box::new(self.filter(*filter)?)),
            Filter::Compare {
                field,
                comparison: comparison @ (Comparison::Eq | Comparison::Ne),
                value,
            } => match self.search(&field)? {
                Search::Blind => {
                    refuse_array(&field, &value)?;
                    Filter::Compare {
                        value: hash(self.collection, &field, &value, self.key),
                        field: blind_path(&field)?,
                        comparison,
                    }
                }
                _ => Filter::Compare {
                    field,
                    comparison,
                    value,
                },
            },
            Filter::Compare { ref field, .. } | Filter::Prefix { ref field, .. } => {
                self.plain(field, "has no ranges")?;
                filter
            }
            Filter::In { field, values } => match self.search(&field)? {
                Search::Blind => Filter::In {
                    values: self.hashes(&field, &values)?,
                    field: blind_path(&field)?,
                },
                _ => Filter::In { field, values },
            },
            Filter::NotIn { field, values } => match self.search(&field)? {
                Search::Blind => Filter::NotIn {
                    values: self.hashes(&field, &values)?,
                    field: blind_path(&field)?,
                },
                _ => Filter::NotIn { field, values },
            },
            Filter::Exists { field, exists } => match self.search(&field)? {
                Search::Blind => Filter::Exists {
                    field: blind_path(&field)?,
                    exists,
                },
                _ => Filter::Exists { field, exists },
            },
        })
    }

    fn hashes(
        &self,
        field: &FieldPath,
        values: &[storage_core::bson::Bson],
    ) -> Result<Vec<storage_core::bson::Bson>> {
        values
            .iter()
            .map(|value| {
                refuse_array(field, value)?;
                Ok(hash(self.collection, field, value, self.key))
            })
            .collect()
    }

    /// The index over what shows of its fields.
    pub(super) fn index(&self, index: &Index) -> Result<Index> {
        let mut index = index.clone();
        for field in &mut index.fields {
            if self.search(field)? == Search::Blind {
                *field = blind_path(field)?;
            }
        }
        Ok(index)
    }

    fn search(&self, field: &FieldPath) -> Result<Search> {
        match self.declared.search(self.collection, field) {
            Search::Sealed => {
                Err(self.refused(field, "is sealed: declare it plain or blind to search for it"))
            }
            search => Ok(search),
        }
    }

    fn plain(&self, field: &FieldPath, problem: &str) -> Result<()> {
        match self.search(field)? {
            Search::Blind => Err(self.refused(
                field,
                &format!("is blind and {problem}; declare it plain to search so"),
            )),
            _ => Ok(()),
        }
    }

    fn refused(&self, field: &FieldPath, problem: &str) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!(
                "field {field} of collection {:?} {problem}",
                self.collection.as_str()
            ),
        )
        .with_context("field", field.to_string())
    }
}

/// An array equals another as a whole or by an element; of the whole there is no hash.
fn refuse_array(field: &FieldPath, value: &storage_core::bson::Bson) -> Result<()> {
    if matches!(value, storage_core::bson::Bson::Array(_)) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("field {field} is blind: it is compared with single values, not with arrays"),
        ));
    }
    Ok(())
}

/// The index as its caller declared it.
pub(super) fn own_index(mut index: Index) -> Index {
    for field in &mut index.fields {
        *field = own_path(field);
    }
    debug_assert!(matches!(index.kind, IndexKind::Btree | IndexKind::Hash));
    index
}
