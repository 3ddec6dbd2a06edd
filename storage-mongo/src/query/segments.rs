//! [`Order`]: from a place in an order to what is left behind it, as ranges of one index.
//!
//! Behind the values `(a, b)` and an id there are, in this order: the same values and a later id; the same `a` and another `b`, first of
//! the type of `b`, then of the later types; another `a`, first of the type of `a`, then of the later types. Each is one range of the
//! engine's index, and they are read one after another until the page is full.

use bson::{Bson, Document, doc};
use storage_core::value::Bracket;

/// The types the engine orders behind one another. Arrays are left out: nothing of this library's is in an index as an array, and asking for
/// them costs the engine the bounds of the range.
const TYPES: [(Bracket, &[&str]); 8] = [
    (Bracket::Number, &["number"]),
    (Bracket::String, &["string", "symbol"]),
    (Bracket::Document, &["object"]),
    (Bracket::Binary, &["binData"]),
    (Bracket::ObjectId, &["objectId"]),
    (Bracket::Boolean, &["bool"]),
    (Bracket::DateTime, &["date"]),
    // What no document of this library has, so that it is met, and named.
    (
        Bracket::Other,
        &[
            "timestamp",
            "regex",
            "dbPointer",
            "javascript",
            "javascriptWithScope",
            "maxKey",
        ],
    ),
];

/// One range of an index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    /// What is in it.
    pub(super) filter: Document,
    /// Whether everything in it has the same values, so that only ids are left to order by.
    pub(super) tied: bool,
}

/// The order an index delivers.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// The paths it orders by, as the server knows them.
    pub(super) paths: Vec<String>,
    /// Whether from the greatest down; ids of equal values ascend all the same.
    pub(super) reverse: bool,
}

impl Order {
    /// Everything.
    pub(super) fn whole(&self) -> Segment {
        Segment {
            filter: Document::new(),
            tied: self.paths.is_empty(),
        }
    }

    /// What comes after these values and this id.
    pub(super) fn after(&self, values: &[Bson], id: &str) -> Vec<Segment> {
        let mut first = self.same(values, self.paths.len());
        // Not `$gt`, so that ids of other types are met behind those of this library.
        first.insert("_id", doc! { "$not": { "$lte": id } });
        let mut segments = vec![Segment {
            filter: first,
            tied: true,
        }];
        segments.extend(self.beyond(values));
        segments
    }

    /// Everything from these values on.
    pub(super) fn from(&self, values: &[Bson]) -> Vec<Segment> {
        let mut segments = vec![Segment {
            filter: self.same(values, self.paths.len()),
            tied: true,
        }];
        segments.extend(self.beyond(values));
        segments
    }

    /// What comes after everything with these values.
    fn beyond(&self, values: &[Bson]) -> Vec<Segment> {
        let mut segments = Vec::new();
        for at in (0..self.paths.len()).rev() {
            for condition in beyond(&values[at], self.reverse) {
                let mut filter = self.same(values, at);
                filter.insert(&self.paths[at], condition);
                segments.push(Segment { filter, tied: false });
            }
        }
        segments
    }

    /// The first so many values are these.
    fn same(&self, values: &[Bson], count: usize) -> Document {
        let paths = self.paths[..count].iter();
        // Null and a missing field are one place in the order, and one value to `$eq`.
        paths
            .zip(values)
            .map(|(path, value)| (path.clone(), Bson::Document(doc! { "$eq": value.clone() })))
            .collect()
    }

    /// The order in the server's language.
    pub(super) fn sort(&self, segment: &Segment) -> Document {
        let direction = if self.reverse && !segment.tied { -1 } else { 1 };
        let mut sort: Document = self
            .paths
            .iter()
            .map(|path| (path.clone(), Bson::Int32(direction)))
            .collect();
        sort.insert("_id", direction);
        sort
    }
}

/// The conditions on one field that lead beyond a value, one after another.
fn beyond(value: &Bson, reverse: bool) -> Vec<Document> {
    let own = bracket_of(value);
    let mut conditions = Vec::new();
    let nan = matches!(value, Bson::Double(float) if float.is_nan());
    if !reverse {
        match own {
            Bracket::Null => {}
            // NaN is the least of numbers, and the engine compares it with nothing.
            _ if nan => conditions.push(doc! { "$gte": f64::NEG_INFINITY }),
            _ => conditions.push(doc! { "$gt": value.clone() }),
        }
        conditions.extend(of_types(|bracket| bracket > own));
        return conditions;
    }
    if own == Bracket::Null {
        return conditions;
    }
    if !nan {
        conditions.push(doc! { "$lt": value.clone() });
        if own == Bracket::Number {
            conditions.push(doc! { "$eq": f64::NAN });
        }
    }
    conditions.extend(of_types(|bracket| bracket < own));
    conditions.push(doc! { "$eq": Bson::Null });
    conditions
}

fn of_types(wanted: impl Fn(Bracket) -> bool) -> Option<Document> {
    let types: Vec<&str> = TYPES
        .iter()
        .filter(|(bracket, _)| wanted(*bracket))
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    (!types.is_empty()).then(|| doc! { "$type": types })
}

fn bracket_of(value: &Bson) -> Bracket {
    match value {
        Bson::Null => Bracket::Null,
        Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) => Bracket::Number,
        Bson::String(_) => Bracket::String,
        Bson::Document(_) => Bracket::Document,
        Bson::Array(_) => Bracket::Array,
        Bson::Binary(_) => Bracket::Binary,
        Bson::ObjectId(_) => Bracket::ObjectId,
        Bson::Boolean(_) => Bracket::Boolean,
        Bson::DateTime(_) => Bracket::DateTime,
        _ => Bracket::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(paths: &[&str], reverse: bool) -> Order {
        Order {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            reverse,
        }
    }

    fn filters(segments: Vec<Segment>) -> Vec<Document> {
        segments.into_iter().map(|segment| segment.filter).collect()
    }

    #[test]
    fn ascending_goes_through_ids_values_and_types() {
        let segments = order(&["a", "b"], false).after(&[Bson::Int64(1), Bson::Boolean(true)], "x");
        assert!(segments[0].tied && segments[1..].iter().all(|segment| !segment.tied));
        let one = doc! { "$eq": 1_i64 };
        assert_eq!(
            filters(segments),
            [
                doc! { "a": &one, "b": { "$eq": true }, "_id": { "$not": { "$lte": "x" } } },
                doc! { "a": &one, "b": { "$gt": true } },
                doc! { "a": &one, "b": { "$type": [
                    "date", "timestamp", "regex", "dbPointer", "javascript", "javascriptWithScope", "maxKey"
                ] } },
                doc! { "a": { "$gt": 1_i64 } },
                doc! { "a": { "$type": [
                    "string", "symbol", "object", "binData", "objectId", "bool", "date", "timestamp", "regex", "dbPointer",
                    "javascript", "javascriptWithScope", "maxKey"
                ] } },
            ]
        );
    }

    #[test]
    fn descending_ends_with_nan_the_lesser_types_and_null() {
        let nan = f64::NAN;
        for (value, expected) in [
            (
                Bson::Int64(1),
                vec![doc! { "$lt": 1_i64 }, doc! { "$eq": nan }, doc! { "$eq": null }],
            ),
            (Bson::Double(nan), vec![doc! { "$eq": null }]),
            (Bson::Null, vec![]),
            (
                Bson::from("x"),
                vec![
                    doc! { "$lt": "x" },
                    doc! { "$type": ["number"] },
                    doc! { "$eq": null },
                ],
            ),
        ] {
            // As text, because NaN does not equal itself.
            assert_eq!(format!("{:?}", beyond(&value, true)), format!("{expected:?}"));
        }
    }

    #[test]
    fn ties_ascend_in_both_directions() {
        let order = order(&["a"], true);
        let [tied, rest] = &order.from(&[Bson::Double(f64::NAN)])[..] else {
            panic!("two segments")
        };
        assert_eq!(order.sort(tied), doc! { "a": 1, "_id": 1 });
        assert_eq!(order.sort(rest), doc! { "a": -1, "_id": -1 });
    }
}
