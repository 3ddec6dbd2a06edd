//! The values documents are made of: what may be stored, how it compares, and how it becomes bytes and text.
//!
//! Each question has one answer here, shared by every backend: [`canonical`] says what a document may hold, [`compare`] orders
//! values, [`encode`] writes that same order into bytes for indexes, [`write_document`] and [`read_document`] are the
//! JSON at rest, [`FieldPath`] names a field, and [`escape`] turns bytes into text that keeps their order.

#[cfg(test)]
pub(crate) mod arbitrary;
mod build;
mod check;
mod compare;
mod encode;
mod escape;
mod json;
mod path;

pub use self::check::{MAX_DEPTH, SYSTEM_FIELD, canonical, canonical_value};
pub use self::compare::{Bracket, bracket, compare, compare_optional, is_nan};
pub use self::encode::{bracket_range, encode, encode_to_vec, string_prefix_range};
pub use self::escape::{escape, escape_str, unescape};
pub use self::json::{Style, read_document, write_document};
pub use self::path::FieldPath;
