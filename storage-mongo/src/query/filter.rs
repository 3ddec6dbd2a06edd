//! [`translate`]: a filter as the server is asked it.
//!
//! What the server lets through is always a superset of what matches, and every document is decided by [`Filter::matches`] once
//! more where the two may differ. Every value stands behind an operator, and every name in it is escaped as in documents, so that a value is
//! never taken for an operator.

use bson::{Bson, Document, doc};
use storage_core::value::MAX_DEPTH;
use storage_core::{Comparison, FieldPath, Filter, encode_bson};

use crate::body::names::{escape, path};
use crate::text::after_prefix;

/// The largest value, or list of values, the server is sent, in bytes. A command has room for 16 MiB.
const MAX_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// What the server is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Translation {
    /// In the server's language; empty where it cannot say anything.
    pub(crate) filter: Document,
    /// Whether the server lets through exactly what matches.
    pub(crate) exact: bool,
}

impl Translation {
    fn exact(filter: Document) -> Self {
        Self { filter, exact: true }
    }

    /// Says nothing, and leaves everything to whoever looks at the documents.
    fn silent() -> Self {
        Self {
            filter: Document::new(),
            exact: false,
        }
    }

    fn never() -> Self {
        Self::exact(doc! { "_id": { "$in": [] } })
    }

    /// Whether it lets everything through because everything matches.
    fn is_all(&self) -> bool {
        self.exact && self.filter.is_empty()
    }
}

/// A filter in the server's language.
pub(crate) fn translate(filter: &Filter) -> Translation {
    match filter {
        Filter::All => Translation::exact(Document::new()),
        Filter::And(all) => and(all),
        Filter::Or(any) => or(any),
        Filter::Not(inner) => {
            let inner = translate(inner);
            match inner {
                inner if inner.is_all() => Translation::never(),
                Translation { filter, exact: true } => Translation::exact(doc! { "$nor": [filter] }),
                _ => Translation::silent(),
            }
        }
        Filter::Compare {
            field,
            comparison,
            value,
        } => compare(field, *comparison, value),
        Filter::In { field, values } if values.is_empty() || leads_nowhere(field) => Translation::never(),
        Filter::In { field, values } => over(field, list(values, "$in")),
        Filter::NotIn { field, .. } if leads_nowhere(field) => Translation::never(),
        Filter::NotIn { field, values } => over(field, list(values, "$nin")),
        Filter::Prefix { field, .. } if leads_nowhere(field) => Translation::never(),
        Filter::Prefix { field, prefix } => {
            let mut condition = doc! { "$gte": prefix.as_str() };
            if let Some(end) = after_prefix(prefix) {
                condition.insert("$lt", end);
            }
            over(field, no_array(condition))
        }
        Filter::Exists { field, exists } if leads_nowhere(field) => match exists {
            true => Translation::never(),
            false => Translation::exact(Document::new()),
        },
        Filter::Exists { field, exists: true } => over(field, Some(doc! { "$exists": true })),
        // Through an array the server's path finds what no path of ours leads to.
        Filter::Exists { field, exists: false } if field.segments().len() > 1 => Translation::silent(),
        Filter::Exists { field, exists: false } => over(field, Some(doc! { "$exists": false })),
    }
}

fn and(all: &[Filter]) -> Translation {
    let mut exact = true;
    let mut parts = Vec::new();
    for part in all.iter().map(translate) {
        exact &= part.exact;
        if !part.filter.is_empty() {
            parts.push(part.filter);
        }
    }
    Translation {
        filter: all_of(parts),
        exact,
    }
}

fn or(any: &[Filter]) -> Translation {
    let parts: Vec<Translation> = any.iter().map(translate).collect();
    if parts.is_empty() {
        return Translation::never();
    }
    let exact = parts.iter().all(|part| part.exact);
    // A part that says nothing may match anything.
    if parts.iter().any(|part| part.filter.is_empty()) {
        let all = parts.iter().any(Translation::is_all);
        return Translation {
            filter: Document::new(),
            exact: all,
        };
    }
    let filters: Vec<Document> = parts.into_iter().map(|part| part.filter).collect();
    Translation {
        filter: doc! { "$or": filters },
        exact,
    }
}

/// All of several filters.
pub(crate) fn all_of(mut filters: Vec<Document>) -> Document {
    filters.retain(|filter| !filter.is_empty());
    match filters.len() {
        0 => Document::new(),
        1 => filters.swap_remove(0),
        _ => doc! { "$and": filters },
    }
}

fn compare(field: &FieldPath, comparison: Comparison, value: &Bson) -> Translation {
    if leads_nowhere(field) {
        return Translation::never();
    }
    let null = *value == Bson::Null;
    let operator = match comparison {
        Comparison::Eq => return over(field, single(value, "$eq")),
        Comparison::Ne => return over(field, single(value, "$ne")),
        // Nothing is less or greater than the one null.
        Comparison::Lt | Comparison::Gt if null => return Translation::never(),
        Comparison::Le | Comparison::Ge if null => {
            return over(field, no_array(doc! { "$eq": null, "$exists": true }));
        }
        _ if matches!(value, Bson::Double(float) if float.is_nan()) => return Translation::never(),
        Comparison::Lt => "$lt",
        Comparison::Le => "$lte",
        Comparison::Gt => "$gt",
        Comparison::Ge => "$gte",
    };
    if is_large(std::slice::from_ref(value)) {
        return over(field, None);
    }
    over(field, no_array(doc! { operator: stored_value(value) }))
}

/// A condition on a field that must be there in any case; `None` where nothing more can be said.
fn over(field: &FieldPath, condition: Option<Document>) -> Translation {
    Translation {
        // Through an array on the way the server's path finds what no path of ours leads to.
        exact: condition.is_some() && field.segments().len() == 1,
        filter: doc! { path(field): condition.unwrap_or_else(|| doc! { "$exists": true }) },
    }
}

/// A range looks at elements of arrays in the server's eyes, and never in ours.
fn no_array(mut condition: Document) -> Option<Document> {
    condition.insert("$not", doc! { "$type": "array" });
    Some(condition)
}

fn single(value: &Bson, operator: &str) -> Option<Document> {
    if is_large(std::slice::from_ref(value)) {
        return None;
    }
    let mut condition = doc! { operator: stored_value(value) };
    // Without it null is also a field that is missing, and not-equal matches where there is no field.
    if operator == "$ne" || *value == Bson::Null {
        condition.insert("$exists", true);
    }
    Some(condition)
}

fn list(values: &[Bson], operator: &str) -> Option<Document> {
    if is_large(values) {
        return None;
    }
    let mut condition = doc! { operator: values.iter().map(stored_value).collect::<Vec<_>>() };
    if operator == "$nin" || values.contains(&Bson::Null) {
        condition.insert("$exists", true);
    }
    Some(condition)
}

fn is_large(values: &[Bson]) -> bool {
    let mut bytes = 0;
    values.iter().any(|value| {
        // Each element of a list has a name and a type beside its value.
        bytes += 16 + encode_bson(value).len();
        bytes > MAX_VALUE_BYTES
    })
}

/// No document is nested so deep. The server refuses paths of more than 200 names.
fn leads_nowhere(field: &FieldPath) -> bool {
    field.segments().len() > MAX_DEPTH
}

/// A value as it is stored: the names in it are escaped.
pub(crate) fn stored_value(value: &Bson) -> Bson {
    match value {
        Bson::Document(fields) => {
            let field = |(name, value): (&String, &Bson)| (escape(name).into_owned(), stored_value(value));
            Bson::Document(fields.iter().map(field).collect())
        }
        Bson::Array(elements) => Bson::Array(elements.iter().map(stored_value).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use storage_core::Query;

    use super::*;

    fn of(query: Query) -> Translation {
        translate(&query.into())
    }

    #[test]
    fn conditions_on_one_field_are_exact() {
        let nan = f64::NAN;
        let never = doc! { "_id": { "$in": [] } };
        for (query, filter) in [
            (Query::all(), doc! {}),
            (Query::eq("a", 1_i64), doc! { "a": { "$eq": 1_i64 } }),
            (
                Query::eq("a", Bson::Null),
                doc! { "a": { "$eq": null, "$exists": true } },
            ),
            (Query::ne("a", "x"), doc! { "a": { "$ne": "x", "$exists": true } }),
            (
                Query::lt("a", 1_i64),
                doc! { "a": { "$lt": 1_i64, "$not": { "$type": "array" } } },
            ),
            (
                Query::ge("a", "x"),
                doc! { "a": { "$gte": "x", "$not": { "$type": "array" } } },
            ),
            (Query::gt("a", nan), never.clone()),
            (Query::lt("a", Bson::Null), never.clone()),
            (
                Query::le("a", Bson::Null),
                doc! { "a": { "$eq": null, "$exists": true, "$not": { "$type": "array" } } },
            ),
            (
                Query::is_in("a", [1_i64, 2]),
                doc! { "a": { "$in": [1_i64, 2_i64] } },
            ),
            (
                Query::is_in("a", [Bson::Null]),
                doc! { "a": { "$in": [null], "$exists": true } },
            ),
            (Query::is_in("a", [0_i64; 0]), never.clone()),
            (
                Query::not_in("a", [1_i64]),
                doc! { "a": { "$nin": [1_i64], "$exists": true } },
            ),
            (Query::exists("a", true), doc! { "a": { "$exists": true } }),
            (Query::exists("a", false), doc! { "a": { "$exists": false } }),
            (
                Query::prefix("a", "ab"),
                doc! { "a": { "$gte": "ab", "$lt": "ac", "$not": { "$type": "array" } } },
            ),
            (Query::all().negate(), never),
            (
                Query::eq("a", 1_i64).negate(),
                doc! { "$nor": [{ "a": { "$eq": 1_i64 } }] },
            ),
        ] {
            assert_eq!(
                of(query.clone()),
                Translation { filter, exact: true },
                "{query:?}"
            );
        }
    }

    #[test]
    fn what_the_server_sees_otherwise_is_a_superset() {
        let through = of(Query::eq("a.b", 1_i64));
        assert_eq!(through.filter, doc! { "a.b": { "$eq": 1_i64 } });
        assert!(!through.exact);
        for query in [
            Query::exists("a.b", false),
            Query::eq("a.b", 1_i64).negate(),
            Query::eq("a", 1_i64).or(Query::exists("a.b", false)),
        ] {
            assert_eq!(of(query.clone()), Translation::silent(), "{query:?}");
        }
        let both = of(Query::eq("a", 1_i64).and(Query::exists("a.b", false)));
        assert_eq!(both.filter, doc! { "a": { "$eq": 1_i64 } });
        assert!(!both.exact);
    }

    #[test]
    fn either_and_both() {
        let a = Query::eq("a", 1_i64);
        let b = Query::eq("b", 1_i64);
        let (of_a, of_b) = (doc! { "a": { "$eq": 1_i64 } }, doc! { "b": { "$eq": 1_i64 } });
        assert_eq!(
            of(a.clone().and(b.clone())),
            Translation::exact(doc! { "$and": [of_a.clone(), of_b.clone()] })
        );
        assert_eq!(
            of(a.clone().or(b)),
            Translation::exact(doc! { "$or": [of_a, of_b] })
        );
        assert_eq!(of(a.or(Query::all())), Translation::exact(doc! {}));
        assert_eq!(translate(&Filter::Or(Vec::new())), Translation::never());
    }

    #[test]
    fn values_and_names_are_never_operators() {
        let value = bson::bson!({ "$gt": [{ "a.b": "$x" }] });
        let filter = of(Query::eq("$where", value)).filter;
        assert_eq!(
            filter,
            doc! { "%24where": { "$eq": { "%24gt": [{ "a%2Eb": "$x" }] } } }
        );
    }

    #[test]
    fn a_list_that_is_too_long_is_left_to_whoever_looks() {
        let values: Vec<String> = (0..5)
            .map(|at| format!("{at}{}", "x".repeat(1024 * 1024)))
            .collect();
        let long = of(Query::is_in("a", values));
        assert_eq!(long.filter, doc! { "a": { "$exists": true } });
        assert!(!long.exact);
    }
}
