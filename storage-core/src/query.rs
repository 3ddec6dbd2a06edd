//! [`Query`] and [`Filter`]: which documents, in which order.

mod filter;
mod position;

use bson::Bson;

pub use self::filter::{Comparison, Filter};
pub use self::position::{PageToken, Position, sort_key};
use crate::error::{Error, Result};
use crate::value::FieldPath;

/// Which documents of a collection, in which order, how many.
///
/// Without a sort, documents come in the order of the field of the first range or prefix among the conditions joined by `and`,
/// and by id where there is none; so the order depends on the query alone, never on the indexes that happen to exist. Ties are
/// in the UTF-8 byte order of ids.
///
/// ```
/// use storage_core::Query;
/// let adults = Query::ge("age", 18).and(Query::eq("city", "Delft")).sort("age").limit(10);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    filter: Filter,
    sort: Vec<Sort>,
    limit: Option<u64>,
    after: Option<PageToken>,
    after_id: Option<String>,
    allow_scan: bool,
}

/// One field of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sort {
    /// The field; documents without it sort as if it were null.
    pub field: FieldPath,
    /// Ascending or descending.
    pub direction: Direction,
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there are two")]
pub enum Direction {
    /// Least first.
    Ascending,
    /// Greatest first.
    Descending,
}

impl Sort {
    /// An order by one field.
    pub const fn new(field: FieldPath, direction: Direction) -> Self {
        Self { field, direction }
    }
}

/// The most fields one order may have.
const MAX_SORT_FIELDS: usize = 16;

impl Query {
    /// Every document.
    pub const fn all() -> Self {
        Self::filter(Filter::All)
    }

    /// The documents that match a filter.
    pub const fn filter(filter: Filter) -> Self {
        Self {
            filter,
            sort: Vec::new(),
            limit: None,
            after: None,
            after_id: None,
            allow_scan: false,
        }
    }

    /// The field equals the value, or is an array with an element that does. `eq` null matches null only, never a missing field.
    pub fn eq(field: impl Into<FieldPath>, value: impl Into<Bson>) -> Self {
        Self::compare(field, Comparison::Eq, value)
    }

    /// The field exists and `eq` does not match.
    pub fn ne(field: impl Into<FieldPath>, value: impl Into<Bson>) -> Self {
        Self::compare(field, Comparison::Ne, value)
    }

    /// The field is of the value's type and less.
    pub fn lt(field: impl Into<FieldPath>, value: impl Into<Bson>) -> Self {
        Self::compare(field, Comparison::Lt, value)
    }

    /// The field is of the value's type and less or equal.
    pub fn le(field: impl Into<FieldPath>, value: impl Into<Bson>) -> Self {
        Self::compare(field, Comparison::Le, value)
    }

    /// The field is of the value's type and greater.
    pub fn gt(field: impl Into<FieldPath>, value: impl Into<Bson>) -> Self {
        Self::compare(field, Comparison::Gt, value)
    }

    /// The field is of the value's type and greater or equal.
    pub fn ge(field: impl Into<FieldPath>, value: impl Into<Bson>) -> Self {
        Self::compare(field, Comparison::Ge, value)
    }

    fn compare(field: impl Into<FieldPath>, comparison: Comparison, value: impl Into<Bson>) -> Self {
        Self::filter(Filter::Compare {
            field: field.into(),
            comparison,
            value: value.into(),
        })
    }

    /// `eq` matches one of the values. An empty list matches nothing.
    pub fn is_in<V: Into<Bson>>(field: impl Into<FieldPath>, values: impl IntoIterator<Item = V>) -> Self {
        Self::filter(Filter::In {
            field: field.into(),
            values: values.into_iter().map(Into::into).collect(),
        })
    }

    /// The field exists and `is_in` does not match.
    pub fn not_in<V: Into<Bson>>(field: impl Into<FieldPath>, values: impl IntoIterator<Item = V>) -> Self {
        Self::filter(Filter::NotIn {
            field: field.into(),
            values: values.into_iter().map(Into::into).collect(),
        })
    }

    /// The field is a string that begins with these bytes.
    pub fn prefix(field: impl Into<FieldPath>, prefix: impl Into<String>) -> Self {
        Self::filter(Filter::Prefix {
            field: field.into(),
            prefix: prefix.into(),
        })
    }

    /// The field is there, be it null, or is not.
    pub fn exists(field: impl Into<FieldPath>, exists: bool) -> Self {
        Self::filter(Filter::Exists {
            field: field.into(),
            exists,
        })
    }

    /// Both conditions. Only the other query's filter counts; give order, limit and the rest once, on the result.
    #[must_use]
    pub fn and(mut self, other: impl Into<Filter>) -> Self {
        self.filter = self.filter.and(other.into());
        self
    }

    /// Either condition.
    #[must_use]
    pub fn or(mut self, other: impl Into<Filter>) -> Self {
        self.filter = self.filter.or(other.into());
        self
    }

    /// Every document the condition does not match, those without the field included.
    #[must_use]
    pub fn negate(mut self) -> Self {
        self.filter = Filter::Not(Box::new(self.filter));
        self
    }

    /// Then by this field, least first.
    #[must_use]
    pub fn sort(mut self, field: impl Into<FieldPath>) -> Self {
        self.sort.push(Sort::new(field.into(), Direction::Ascending));
        self
    }

    /// Then by this field, greatest first.
    #[must_use]
    pub fn sort_descending(mut self, field: impl Into<FieldPath>) -> Self {
        self.sort.push(Sort::new(field.into(), Direction::Descending));
        self
    }

    /// At most so many documents; all by default.
    #[must_use]
    pub const fn limit(mut self, documents: u64) -> Self {
        self.limit = Some(documents);
        self
    }

    /// Only what comes after the page this token ended. The query must be the one the token came from.
    #[must_use]
    pub fn after(mut self, token: PageToken) -> Self {
        self.after = Some(token);
        self
    }

    /// Only documents whose id comes after this one, which need not exist. For queries in the order of ids.
    #[must_use]
    pub fn after_id(mut self, id: impl Into<String>) -> Self {
        self.after_id = Some(id.into());
        self
    }

    /// Accept reading every document where no index answers the query.
    #[must_use]
    pub const fn allow_scan(mut self) -> Self {
        self.allow_scan = true;
        self
    }

    /// The filter.
    pub const fn filter_ref(&self) -> &Filter {
        &self.filter
    }

    pub(crate) const fn limit_value(&self) -> Option<u64> {
        self.limit
    }

    pub(crate) const fn token(&self) -> Option<&PageToken> {
        self.after.as_ref()
    }

    /// Where a query in the order of ids begins.
    ///
    /// # Errors
    /// `InvalidName`; `InvalidArgument` for a query in another order, or one that a token already says where to begin.
    pub(crate) fn begins_after(&self) -> Result<Option<Position>> {
        let Some(id) = &self.after_id else { return Ok(None) };
        if self.after.is_some() || !self.effective_sort().is_empty() {
            return Err(Error::invalid_argument(
                "a query begins after an id only where its order is that of ids and no page token says where",
            ));
        }
        let id = crate::name::DocumentId::new(id)?;
        let values = Vec::new();
        Ok(Some(Position { values, id }))
    }

    pub(crate) const fn scan_allowed(&self) -> bool {
        self.allow_scan
    }

    /// The complete order: what was asked, or what the filter implies.
    pub fn effective_sort(&self) -> Vec<Sort> {
        if !self.sort.is_empty() {
            return self.sort.clone();
        }
        self.filter
            .conjuncts()
            .find_map(Filter::ranged_field)
            .map(|field| Sort::new(field.clone(), Direction::Ascending))
            .into_iter()
            .collect()
    }

    /// Checks the query and brings its values into canonical form.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field.
    pub(crate) fn checked(mut self) -> Result<Self> {
        if self.sort.len() > MAX_SORT_FIELDS {
            return Err(Error::limit_exceeded(
                "the number of sort fields",
                MAX_SORT_FIELDS as u64,
                self.sort.len() as u64,
            ));
        }
        for (at, sort) in self.sort.iter().enumerate() {
            if self.sort[..at].iter().any(|earlier| earlier.field == sort.field) {
                return Err(Error::invalid_argument(format!(
                    "field {} is in the sort twice",
                    sort.field
                )));
            }
        }
        self.filter = self.filter.checked()?;
        Ok(self)
    }
}

impl From<Query> for Filter {
    fn from(query: Query) -> Self {
        query.filter
    }
}

impl From<Filter> for Query {
    fn from(filter: Filter) -> Self {
        Self::filter(filter)
    }
}
