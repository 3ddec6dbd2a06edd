//! [`Filter`]: which documents, and the one evaluator every backend's answer must equal.

use std::cmp::Ordering;

use bson::raw::RawBsonRef;
use bson::{Bson, RawDocument};

use crate::error::{Error, Result};
use crate::value::FieldPath;
use crate::value::{bracket, canonical_value, compare, is_nan};

/// Which documents match.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "every backend must answer every filter")]
pub enum Filter {
    /// Every document.
    All,
    /// All of them.
    And(Vec<Self>),
    /// Any of them; none matches nothing.
    Or(Vec<Self>),
    /// The complement.
    Not(Box<Self>),
    /// One field against one value.
    Compare {
        /// The field.
        field: FieldPath,
        /// How.
        comparison: Comparison,
        /// The value.
        value: Bson,
    },
    /// `Eq` with one of the values.
    In {
        /// The field.
        field: FieldPath,
        /// The values.
        values: Vec<Bson>,
    },
    /// The field exists and `In` does not match.
    NotIn {
        /// The field.
        field: FieldPath,
        /// The values.
        values: Vec<Bson>,
    },
    /// A string that begins so.
    Prefix {
        /// The field.
        field: FieldPath,
        /// The beginning.
        prefix: String,
    },
    /// The field is there, be it null, or is not.
    Exists {
        /// The field.
        field: FieldPath,
        /// Which of the two.
        exists: bool,
    },
}

/// How a field is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "these are all")]
pub enum Comparison {
    /// Equal, or an array with an equal element. Null matches null only.
    Eq,
    /// The field exists and `Eq` does not match.
    Ne,
    /// Less, within one type.
    Lt,
    /// Less or equal, within one type.
    Le,
    /// Greater, within one type.
    Gt,
    /// Greater or equal, within one type.
    Ge,
}

/// How deep filters nest; twice what a person writes by hand, far below what a stack holds.
const MAX_FILTER_DEPTH: usize = 32;

impl Filter {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) => other,
            (this, Self::All) => this,
            (Self::And(mut these), Self::And(those)) => {
                these.extend(those);
                Self::And(these)
            }
            (Self::And(mut these), other) => {
                these.push(other);
                Self::And(these)
            }
            (this, Self::And(mut those)) => {
                those.insert(0, this);
                Self::And(those)
            }
            (this, other) => Self::And(vec![this, other]),
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Or(mut these), other) => {
                these.push(other);
                Self::Or(these)
            }
            (this, other) => Self::Or(vec![this, other]),
        }
    }

    /// The conditions that must all hold.
    pub fn conjuncts(&self) -> impl Iterator<Item = &Self> {
        self.all_of().iter()
    }

    /// As [`conjuncts`](Self::conjuncts).
    pub(crate) fn all_of(&self) -> &[Self] {
        match self {
            Self::All => &[],
            Self::And(all) => all,
            one => std::slice::from_ref(one),
        }
    }

    /// The field a range or prefix is over.
    pub(crate) const fn ranged_field(&self) -> Option<&FieldPath> {
        match self {
            Self::Compare {
                field,
                comparison: Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge,
                ..
            }
            | Self::Prefix { field, .. } => Some(field),
            _ => None,
        }
    }

    /// Whether a document matches: the meaning of a filter, on every backend.
    ///
    /// # Errors
    /// `Corrupt` when the document is not well-formed.
    pub fn matches(&self, document: &RawDocument) -> Result<bool> {
        Ok(match self {
            Self::All => true,
            Self::And(all) => {
                for filter in all {
                    if !filter.matches(document)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Or(any) => {
                for filter in any {
                    if filter.matches(document)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(filter) => !filter.matches(document)?,
            Self::Compare {
                field,
                comparison,
                value,
            } => {
                let Some(found) = field.lookup(document)? else {
                    return Ok(false);
                };
                match comparison {
                    Comparison::Eq => equals_any(found, std::slice::from_ref(value))?,
                    Comparison::Ne => !equals_any(found, std::slice::from_ref(value))?,
                    Comparison::Lt => in_range(found, value, Ordering::is_lt),
                    Comparison::Le => in_range(found, value, Ordering::is_le),
                    Comparison::Gt => in_range(found, value, Ordering::is_gt),
                    Comparison::Ge => in_range(found, value, Ordering::is_ge),
                }
            }
            Self::In { field, values } => match field.lookup(document)? {
                Some(found) => equals_any(found, values)?,
                None => false,
            },
            Self::NotIn { field, values } => match field.lookup(document)? {
                Some(found) => !equals_any(found, values)?,
                None => false,
            },
            Self::Prefix { field, prefix } => {
                matches!(field.lookup(document)?, Some(RawBsonRef::String(text)) if text.as_bytes().starts_with(prefix.as_bytes()))
            }
            Self::Exists { field, exists } => field.lookup(document)?.is_some() == *exists,
        })
    }

    /// Checks depth and values, and brings values into canonical form; lists of values are sorted and without duplicates.
    pub(crate) fn checked(self) -> Result<Self> {
        self.checked_at(0)
    }

    fn checked_at(self, depth: usize) -> Result<Self> {
        if depth > MAX_FILTER_DEPTH {
            return Err(Error::limit_exceeded(
                "the depth of the filter",
                MAX_FILTER_DEPTH as u64,
                depth as u64,
            ));
        }
        let each = |filters: Vec<Self>| {
            filters
                .into_iter()
                .map(|filter| filter.checked_at(depth + 1))
                .collect::<Result<_>>()
        };
        Ok(match self {
            Self::And(all) => Self::And(each(all)?),
            Self::Or(any) => Self::Or(each(any)?),
            Self::Not(filter) => Self::Not(Box::new(filter.checked_at(depth + 1)?)),
            Self::Compare {
                field,
                comparison,
                value,
            } => {
                let value = checked_value(&field, &value)?;
                if !matches!(comparison, Comparison::Eq | Comparison::Ne)
                    && matches!(value, Bson::Document(_))
                {
                    return Err(Error::invalid_argument(format!(
                        "a range over field {field} takes a scalar, not a document"
                    )));
                }
                Self::Compare {
                    field,
                    comparison,
                    value,
                }
            }
            Self::In { field, values } => Self::In {
                values: checked_values(&field, values)?,
                field,
            },
            Self::NotIn { field, values } => Self::NotIn {
                values: checked_values(&field, values)?,
                field,
            },
            plain @ (Self::All | Self::Prefix { .. } | Self::Exists { .. }) => plain,
        })
    }
}

fn checked_value(field: &FieldPath, value: &Bson) -> Result<Bson> {
    if matches!(value, Bson::Array(_)) {
        return Err(Error::invalid_argument(format!(
            "field {field} is compared with an array; compare with its elements, one condition each"
        )));
    }
    canonical_value(value).map_err(|error| error.with_context("field", field.to_string()))
}

fn checked_values(field: &FieldPath, values: Vec<Bson>) -> Result<Vec<Bson>> {
    let mut encoded = Vec::with_capacity(values.len());
    for value in values {
        let value = checked_value(field, &value)?;
        encoded.push((crate::raw::encode_bson(&value), value));
    }
    encoded.sort_by(|a, b| a.0.cmp(&b.0));
    encoded.dedup_by(|a, b| a.0 == b.0);
    Ok(encoded.into_iter().map(|(_, value)| value).collect())
}

/// Whether the value, or an element of it where it is an array, equals one of the wanted, which may be many.
fn equals_any(found: RawBsonRef<'_>, wanted: &[Bson]) -> Result<bool> {
    if let RawBsonRef::Array(elements) = found {
        for element in elements {
            let element = element.map_err(crate::raw::malformed)?;
            if !matches!(element, RawBsonRef::Array(_)) && equals_one(element, wanted) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    Ok(equals_one(found, wanted))
}

/// `wanted` is in the order of the comparison function, so a long list is searched, not walked.
fn equals_one(found: RawBsonRef<'_>, wanted: &[Bson]) -> bool {
    wanted
        .binary_search_by(|value| crate::raw::with_raw(value, |value| compare(value, found)))
        .is_ok()
}

fn in_range(found: RawBsonRef<'_>, value: &Bson, accept: fn(Ordering) -> bool) -> bool {
    crate::raw::with_raw(value, |value| {
        bracket(found) == bracket(value) && !is_nan(found) && !is_nan(value) && accept(compare(found, value))
    })
}
