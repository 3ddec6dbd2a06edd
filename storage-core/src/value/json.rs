//! JSON at rest: what people see when they open the file, the table or the bucket.
//!
//! It is relaxed Extended JSON, with one text per value and one value per text, so that a document comes back as the bytes that were
//! put and two documents never look alike:
//!
//! | value | JSON |
//! |---|---|
//! | null, boolean, string | itself |
//! | integer | a number without fraction and exponent: `1` |
//! | float | a number with a fraction or an exponent: `1.0`, `-0.0`, `1e+300` |
//! | NaN, ±infinity | `{"$numberDouble":"NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | datetime in the years 0000 to 9999 | `{"$date":"2024-02-29T12:00:00.000Z"}` |
//! | any other datetime | `{"$date":{"$numberLong":"<milliseconds>"}}` |
//! | ObjectId | `{"$oid":"<24 lower-case hex digits>"}` |
//! | binary | `{"$binary":{"base64":"<padded>","subType":"<2 lower-case hex digits>"}}` |
//! | array | array |
//! | document | object, in the order of its fields |
//! | document whose first name starts with `$` | `{"$literal":<object>}` |
//!
//! Reading accepts exactly what writing produces, give or take white space and the spelling of numbers and escapes.

mod date;
mod plain;
mod read;
mod scan;
mod write;

pub use self::read::read_document;
pub use self::write::write_document;

/// How JSON is laid out. Reading does not care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Style {
    /// On one line, without white space.
    Compact,
    /// One field or element per line, indented by two spaces; without a newline at the end.
    Pretty,
}

#[cfg(test)]
mod tests;
