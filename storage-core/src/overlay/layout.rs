//! Where everything is: the names of the overlay's objects, and how they are read back.
//!
//! Whatever a user named is [escaped](crate::value::escape), so it holds no `/` and sorts as its bytes do. Generations, nonces,
//! incarnations and sequence numbers are lower-case hex and stand for themselves.

use crate::error::{Error, ErrorKind, Result};
use crate::name::{DocumentId, Key, Name};
use crate::value::{escape_str, unescape};

pub(super) const CATALOGS: &str = "catalog/";
pub(super) const CLAIMS: &str = "claims/";
pub(super) const DOCUMENTS: &str = "documents/";
pub(super) const ENTRIES: &str = "entries/";
pub(super) const LOGS: &str = "logs/";

/// Hex digits of a nonce or a generation. 64 bits: nonces only have to differ among the entries of one document and value,
/// generations among the indexes of one store.
pub(super) const TOKEN_DIGITS: u64 = 16;

/// Sorts after every nonce: where a listing resumes behind all entries of one document.
pub(super) const AFTER_NONCES: char = '~';

/// Everything in an entry's name but value and id.
pub(super) const ENTRY_OVERHEAD: u64 = ENTRIES.len() as u64 + TOKEN_DIGITS + 3 + TOKEN_DIGITS;
/// Everything in a document's name but collection and id.
pub(super) const DOCUMENT_OVERHEAD: u64 = DOCUMENTS.len() as u64 + 1;
/// Everything in the name of a log's object but the log's: incarnation (32 digits), sequence number (16), separators.
pub(super) const LOG_OVERHEAD: u64 = LOGS.len() as u64 + 1 + 32 + 1 + 16;

/// A fresh nonce or generation.
pub(super) fn token() -> String {
    format!("{:032x}", crate::random::random_u128())[..16].to_owned()
}

pub(super) fn catalog(collection: &Name) -> Result<Key> {
    Key::new(format!("{CATALOGS}{}", escape_str(collection.as_str())))
}

pub(super) fn documents(collection: &Name) -> String {
    format!("{DOCUMENTS}{}/", escape_str(collection.as_str()))
}

pub(super) fn document(collection: &Name, id: &DocumentId) -> Result<Key> {
    Key::new(format!("{}{}", documents(collection), escape_str(id.as_str())))
}

pub(super) fn entries(generation: &str) -> String {
    format!("{ENTRIES}{generation}/")
}

pub(super) fn claims(generation: &str) -> String {
    format!("{CLAIMS}{generation}/")
}

pub(super) fn claim(generation: &str, value: &str) -> Result<Key> {
    Key::new(format!("{CLAIMS}{generation}/{value}"))
}

/// One index entry, as its name says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The index key, escaped; escaped keys order as keys do.
    pub(super) value: String,
    pub(super) id: DocumentId,
    pub(super) nonce: String,
}

impl Entry {
    /// The entry this name stands for; `None` for a name that is not this library's.
    pub(super) fn parse(prefix: &str, name: &str) -> Option<Self> {
        let mut segments = name.strip_prefix(prefix)?.split('/');
        let (value, id, nonce) = (segments.next()?, segments.next()?, segments.next()?);
        let id = DocumentId::new(text(id)?).ok()?;
        segments.next().is_none().then(|| Self {
            value: value.to_owned(),
            id,
            nonce: nonce.to_owned(),
        })
    }
}

pub(super) fn entry(generation: &str, value: &str, id: &DocumentId, nonce: &str) -> Result<Key> {
    Key::new(format!("{}/{nonce}", entry_base(generation, value, id)))
}

/// A listing that starts after this begins behind every entry of this value and id.
pub(super) fn behind_entries(generation: &str, value: &str, id: &DocumentId) -> String {
    format!("{}/{AFTER_NONCES}", entry_base(generation, value, id))
}

fn entry_base(generation: &str, value: &str, id: &DocumentId) -> String {
    format!("{ENTRIES}{generation}/{value}/{}", escape_str(id.as_str()))
}

/// Everything of one log.
pub(super) fn log(name: &Name) -> String {
    format!("{LOGS}{}/", escape_str(name.as_str()))
}

pub(super) fn log_head(name: &Name) -> Result<Key> {
    Key::new(format!("{}head", log(name)))
}

pub(super) fn log_incarnation(name: &Name, incarnation: &str) -> String {
    format!("{}{incarnation}/", log(name))
}

/// The later a sequence number, the earlier it is listed.
pub(super) fn log_object(name: &Name, incarnation: &str, first: u64) -> Result<Key> {
    Key::new(format!(
        "{}{:016x}",
        log_incarnation(name, incarnation),
        u64::MAX - first
    ))
}

/// The sequence number in a name that [`log_object`] wrote.
pub(super) fn log_sequence(prefix: &str, name: &str) -> Result<u64> {
    name.strip_prefix(prefix)
        .filter(|digits| digits.len() == 16)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .map(|inverted| u64::MAX - inverted)
        .ok_or_else(|| Error::corrupt(name, "the name is not that of a log's object"))
}

/// What a user named, from the last segment of a name or of a rolled-up prefix; `None` for what is not this library's.
pub(super) fn last_segment<'a>(prefix: &str, name: &'a str) -> Option<&'a str> {
    let segment = name.strip_prefix(prefix)?;
    Some(segment.strip_suffix('/').unwrap_or(segment))
        .filter(|segment| !segment.is_empty() && !segment.contains('/'))
}

/// The text that was escaped.
pub(super) fn text(segment: &str) -> Option<String> {
    String::from_utf8(unescape(segment).ok()?).ok()
}

/// What names a document in errors.
pub(super) fn place(collection: &Name, id: &DocumentId) -> String {
    format!("{collection}/{id}")
}

/// JSON that some version of this library wrote: told apart from damage before anything else is looked at.
pub(super) fn check_format(place: &str, format: Option<i64>, known: i64) -> Result<()> {
    match format {
        Some(format) if format == known => Ok(()),
        Some(format) if format > known => Err(Error::new(
            ErrorKind::FormatTooNew,
            format!("it was written in format {format}, and this version knows {known}; upgrade the program"),
        )
        .with_key(place)),
        _ => Err(Error::corrupt(
            place,
            "it does not say in which format it was written",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::escape;

    #[test]
    fn an_entry_is_read_back_from_its_name() {
        let entry = Entry {
            value: escape(b"\x30a/b\x00"),
            id: DocumentId::new("x/é").unwrap(),
            nonce: token(),
        };
        let key = super::entry("00ff", &entry.value, &entry.id, &entry.nonce).unwrap();
        assert_eq!(Entry::parse(&entries("00ff"), key.as_str()), Some(entry));
    }

    #[test]
    fn resuming_skips_one_document_and_nothing_else() {
        let id = |id: &str| DocumentId::new(id).unwrap();
        let resume = behind_entries("g", "v", &id("a"));
        for nonce in ["0000000000000000", "ffffffffffffffff"] {
            assert!(*entry("g", "v", &id("a"), nonce).unwrap().as_str() < *resume);
            assert!(*entry("g", "v", &id("a!"), nonce).unwrap().as_str() > *resume);
        }
    }

    #[test]
    fn the_newest_of_a_log_is_listed_first() {
        let log = Name::new("l").unwrap();
        let object = |first| log_object(&log, "i", first).unwrap();
        assert!(object(10) < object(9) && object(u64::MAX) < object(0));
        assert_eq!(
            log_sequence(&log_incarnation(&log, "i"), object(7).as_str()).unwrap(),
            7
        );
    }
}
