//! [`Plan`]: how a query is answered with the indexes there are. One planner, so every backend refuses the same queries.

use std::cmp::Reverse;

use bson::{Bson, RawBsonRef};

use crate::adapter::{AccessKind, Explanation, FindRequest};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, IndexKind, hash_key};
use crate::query::{Comparison, Direction, Filter, Position};
use crate::raw::{push_bson, with_raw};
use crate::value::{FieldPath, bracket, bracket_range, encode_to_vec, is_nan, string_prefix_range};

/// How a query is answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// Where candidates come from.
    pub access: Access,
    /// What each candidate must still match; `All` where the access is exact.
    pub residual: Filter,
    /// Whether candidates must be sorted: the access does not deliver them in the order asked.
    pub sort: bool,
}

/// Where the candidates of a query come from.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "every backend must serve every access")]
pub enum Access {
    /// Every document in the order of ids; it is what was asked for.
    Ids,
    /// Some ranges of an index.
    Index(IndexAccess),
    /// Every document, because a scan was allowed.
    Scan,
}

/// Some ranges of an index.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexAccess {
    /// The index.
    pub index: Index,
    /// Disjoint ranges of keys, ascending. A document may be in several when the index is over [each](Index::each) element.
    pub ranges: Vec<KeyRange>,
    /// Read the ranges and the keys in them from the greatest down; ids of equal keys still ascend.
    pub reverse: bool,
    /// The bytes every key in the ranges begins with: the fields that are pinned by equality, ahead of those sorted by.
    pub pinned: Vec<u8>,
    /// Which of the sort fields stand behind the pinned ones in the key; the others are pinned themselves.
    pub sorted: Vec<usize>,
}

/// Keys from `lower` up to, not including, `upper`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "two bounds")]
pub struct KeyRange {
    /// The first key that may belong.
    pub lower: Vec<u8>,
    /// The first key that does not; `None` where the range is open.
    pub upper: Option<Vec<u8>>,
}

impl KeyRange {
    /// Whether a key lies within.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.lower.as_slice() <= key && self.upper.as_deref().is_none_or(|upper| key < upper)
    }

    /// Every key that begins with these bytes.
    pub fn beginning_with(prefix: Vec<u8>) -> Self {
        Self {
            upper: after_all(prefix.clone()),
            lower: prefix,
        }
    }
}

impl IndexAccess {
    /// The index key at which the page after `position` begins, for an access that delivers the order asked: entries with this
    /// key and an id after the position's, then entries with later keys (earlier ones when reversed).
    pub fn resume_key(&self, position: &Position) -> Vec<u8> {
        if self.index.kind == IndexKind::Hash {
            return self
                .ranges
                .first()
                .map(|range| range.lower.clone())
                .unwrap_or_default();
        }
        let mut key = self.pinned.clone();
        for at in &self.sorted {
            push_bson(&position.values[*at], &mut key);
        }
        key
    }
}

impl Plan {
    /// Finds the best way to answer, among ready indexes.
    ///
    /// # Errors
    /// `IndexRequired` when none answers and no scan is allowed; the message names an index that would.
    pub fn of(request: &FindRequest, indexes: &[Index]) -> Result<Self> {
        if request.filter == Filter::All && request.sort.is_empty() {
            return Ok(Self {
                access: Access::Ids,
                residual: Filter::All,
                sort: false,
            });
        }
        let best = indexes
            .iter()
            .filter_map(|index| candidate(request, index))
            .max_by(|one, other| rank(one).cmp(&rank(other)));
        if let Some(plan) = best {
            return Ok(plan);
        }
        if request.allow_scan {
            let sort = !request.sort.is_empty();
            return Ok(Self {
                access: Access::Scan,
                residual: request.filter.clone(),
                sort,
            });
        }
        Err(index_required(request))
    }

    /// The plan in words.
    pub fn explain(&self) -> Explanation {
        let (access, index) = match &self.access {
            Access::Ids => (AccessKind::Ids, None),
            Access::Index(access) => (AccessKind::Index, Some(access.index.name.clone())),
            Access::Scan => (AccessKind::Scan, None),
        };
        Explanation::new(access, index, self.residual != Filter::All, self.sort)
    }
}

/// Prefers, in this order: delivers the order, pins more fields, bounds a range, leaves nothing to filter, has fewer fields.
fn rank(plan: &Plan) -> Option<impl Ord> {
    let Access::Index(access) = &plan.access else {
        return None;
    };
    let bounded = access
        .ranges
        .iter()
        .all(|range| range.upper.is_some() && range.lower != access.pinned);
    Some((
        !plan.sort,
        access.pinned.len(),
        bounded,
        plan.residual == Filter::All,
        Reverse(access.index.fields.len()),
        // Of equals the first by name, so that a query is answered the same way whatever order the indexes were made in.
        Reverse(&access.index.name),
    ))
}

/// The plan that uses this index, if it narrows the filter or delivers the order of everything.
fn candidate(request: &FindRequest, index: &Index) -> Option<Plan> {
    let conjuncts = request.filter.all_of();
    // Of each, whether the access makes it superfluous.
    let mut used = vec![false; conjuncts.len()];
    let mut pinned = Vec::new();
    let mut pinned_fields = 0;
    for field in &index.fields {
        let Some((at, value)) = conjuncts
            .iter()
            .enumerate()
            .find_map(|(at, filter)| Some((at, pin(filter, field)?)))
        else {
            break;
        };
        push_bson(value, &mut pinned);
        pinned_fields += 1;
        // The key of null is also the key of a missing field, so null still has to be told apart document by document.
        used[at] |= *value != Bson::Null;
    }
    let open: &[FieldPath] = &index.fields[pinned_fields..];
    let narrowed;
    let ranges = if open.is_empty() {
        narrowed = true;
        let key = if index.kind == IndexKind::Hash {
            hash_key(&pinned)
        } else {
            pinned.clone()
        };
        vec![KeyRange {
            upper: Some(successor(&key)),
            lower: key,
        }]
    } else if let Some((at, values)) = list_of(conjuncts, &open[0])
        && (index.kind == IndexKind::Btree || index.fields.len() == 1)
    {
        narrowed = true;
        used[at] |= !values.contains(&Bson::Null);
        values
            .iter()
            .map(|value| list_range(index, &pinned, value))
            .collect()
    } else if index.kind == IndexKind::Hash || index.each {
        return None;
    } else {
        let bounds = bounds(conjuncts, &open[0], &pinned);
        narrowed = pinned_fields > 0 || bounds.bounded;
        bounds.exact.into_iter().for_each(|at| used[at] = true);
        bounds.range.into_iter().collect()
    };
    let order = order_delivered(request, index, pinned_fields, ranges.len());
    // An unnarrowed index that delivers the order still has to hold every document, and filtering it is a scan.
    if !narrowed && (order.is_none() || index.sparse || request.filter != Filter::All) {
        return None;
    }
    let mut ranges: Vec<KeyRange> = ranges;
    ranges.sort_by(|a, b| a.lower.cmp(&b.lower));
    let residual = conjuncts
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .fold(Filter::All, |residual, (filter, _)| residual.and(filter.clone()));
    let pinned = if index.kind == IndexKind::Hash {
        Vec::new()
    } else {
        pinned
    };
    let sorted = match order {
        Some(_) => positions_of_open_fields(request, index, pinned_fields),
        None => Vec::new(),
    };
    let reverse = order == Some(Direction::Descending);
    let access = IndexAccess {
        index: index.clone(),
        ranges,
        reverse,
        pinned,
        sorted,
    };
    Some(Plan {
        access: Access::Index(access),
        residual,
        sort: order.is_none(),
    })
}

/// The value a condition pins a field to.
fn pin<'a>(filter: &'a Filter, field: &FieldPath) -> Option<&'a Bson> {
    match filter {
        Filter::Compare {
            field: over,
            comparison: Comparison::Eq,
            value,
        } if over == field => Some(value),
        Filter::In { field: over, values } if over == field => match values.as_slice() {
            [value] => Some(value),
            _ => None,
        },
        _ => None,
    }
}

fn list_of<'a>(conjuncts: &'a [Filter], field: &FieldPath) -> Option<(usize, &'a [Bson])> {
    conjuncts
        .iter()
        .enumerate()
        .find_map(|(at, filter)| match filter {
            Filter::In { field: over, values } if over == field => Some((at, values.as_slice())),
            _ => None,
        })
}

fn list_range(index: &Index, pinned: &[u8], value: &Bson) -> KeyRange {
    let mut key = pinned.to_vec();
    push_bson(value, &mut key);
    if index.kind == IndexKind::Hash {
        let key = hash_key(&key);
        return KeyRange {
            upper: Some(successor(&key)),
            lower: key,
        };
    }
    KeyRange::beginning_with(key)
}

/// The one range all bounds on a field leave.
struct Bounds {
    /// `None` when they exclude each other.
    range: Option<KeyRange>,
    /// Whether there were any.
    bounded: bool,
    /// The conditions the range makes superfluous.
    exact: Vec<usize>,
}

fn bounds(conjuncts: &[Filter], field: &FieldPath, pinned: &[u8]) -> Bounds {
    let prefixed = |suffix: Vec<u8>| match pinned {
        [] => suffix,
        pinned => [pinned, &suffix].concat(),
    };
    let mut range = KeyRange::beginning_with(pinned.to_vec());
    let mut bounded = false;
    let mut exact = Vec::new();
    for (at, filter) in conjuncts.iter().enumerate() {
        let (lower, upper) = match filter {
            Filter::Compare {
                field: over,
                comparison,
                value,
            } if over == field => {
                let Some(bounds) = bounds_of(*comparison, value) else {
                    continue;
                };
                // As with equality, the key of null is also that of a missing field.
                if *value != Bson::Null {
                    exact.push(at);
                }
                bounds
            }
            Filter::Prefix { field: over, prefix } if over == field => {
                exact.push(at);
                string_prefix_range(prefix)
            }
            _ => continue,
        };
        bounded = true;
        let (lower, upper) = (prefixed(lower), prefixed(upper));
        if lower > range.lower {
            range.lower = lower;
        }
        if range.upper.as_ref().is_none_or(|current| upper < *current) {
            range.upper = Some(upper);
        }
    }
    let empty = range.upper.as_ref().is_some_and(|upper| *upper <= range.lower);
    Bounds {
        range: (!empty).then_some(range),
        bounded,
        exact,
    }
}

/// The encoded bounds of a range condition; equal bounds where it matches nothing. `None` for conditions that are no range.
fn bounds_of(comparison: Comparison, value: &Bson) -> Option<(Vec<u8>, Vec<u8>)> {
    if matches!(comparison, Comparison::Eq | Comparison::Ne) {
        return None;
    }
    with_raw(value, |value| {
        let key = encode_to_vec(Some(value));
        if is_nan(value) {
            return Some((key.clone(), key));
        }
        let (first, end) = bracket_range(bracket(value));
        Some(match comparison {
            Comparison::Lt => (least(value, first), key),
            Comparison::Le => (least(value, first), after_all(key)?),
            Comparison::Gt => (after_all(key)?, end),
            Comparison::Ge => (key, end),
            Comparison::Eq | Comparison::Ne => return None,
        })
    })
}

/// Where ranges over the type of a value begin, which is the first key of that type. NaN is the least of numbers for sorting, and in no
/// range.
fn least(value: RawBsonRef<'_>, first: Vec<u8>) -> Vec<u8> {
    match value {
        RawBsonRef::Int64(_) | RawBsonRef::Double(_) => {
            encode_to_vec(Some(RawBsonRef::Double(f64::NEG_INFINITY)))
        }
        _ => first,
    }
}

/// The first key after every key that begins with these bytes, if any is. No encoding begins with another one.
fn after_all(mut key: Vec<u8>) -> Option<Vec<u8>> {
    while key.last() == Some(&0xFF) {
        key.pop();
    }
    *key.last_mut()? += 1;
    Some(key)
}

fn successor(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// Where in the sort the fields behind the pinned ones stand.
fn positions_of_open_fields(request: &FindRequest, index: &Index, pinned_fields: usize) -> Vec<usize> {
    let open = index.fields.iter().skip(pinned_fields);
    open.filter_map(|field| request.sort.iter().position(|sort| sort.field == *field))
        .collect()
}

/// The direction in which an index must be read to deliver the order asked, if it can.
fn order_delivered(
    request: &FindRequest,
    index: &Index,
    pinned_fields: usize,
    ranges: usize,
) -> Option<Direction> {
    // Order among the fields that are pinned to one value is no order, except where an array may hold other values too.
    let pinned = &index.fields[..pinned_fields];
    let mut asked = request
        .sort
        .iter()
        .filter(|sort| index.each || !pinned.contains(&sort.field));
    let open = if index.kind == IndexKind::Hash || index.each {
        &[][..]
    } else {
        &index.fields[pinned_fields..]
    };
    if !asked.clone().map(|sort| &sort.field).eq(open) {
        return None;
    }
    match asked.next() {
        None => (ranges <= 1).then_some(Direction::Ascending),
        Some(first) => asked
            .all(|sort| sort.direction == first.direction)
            .then_some(first.direction),
    }
}

/// Names the smallest index that would answer.
fn index_required(request: &FindRequest) -> Error {
    let mut fields: Vec<String> = Vec::new();
    let mut add = |field: &FieldPath| {
        let field = format!("{:?}", field.to_string());
        if !fields.contains(&field) {
            fields.push(field);
        }
    };
    for filter in request.filter.conjuncts() {
        match filter {
            Filter::Compare {
                field,
                comparison: Comparison::Eq,
                ..
            }
            | Filter::In { field, .. } => add(field),
            _ => {}
        }
    }
    match (
        request.sort.as_slice(),
        request.filter.conjuncts().find_map(Filter::ranged_field),
    ) {
        ([], Some(field)) => add(field),
        (sort, _) => sort.iter().for_each(|sort| add(&sort.field)),
    }
    let advice = if fields.is_empty() {
        "no index can answer it; narrow it by a field, or allow a scan with allow_scan()".to_owned()
    } else {
        format!(
            "no index answers it; create one such as Index::btree(\"by_…\", [{}]), or allow a scan with allow_scan()",
            fields.join(", ")
        )
    };
    let error = Error::new(ErrorKind::IndexRequired, advice);
    if fields.is_empty() {
        error
    } else {
        error.with_context("fields", fields.join(", "))
    }
}
