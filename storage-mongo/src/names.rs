//! Names of collections: users' as they are wherever MongoDB takes them, the library's own under `_storage.`.

use std::borrow::Cow;
use std::fmt::Write as _;

use storage_core::Name;

/// The prefix of everything that belongs to the library. Users' names that begin with it never come here.
const OWN: &str = "_storage.";

/// Heads of users' objects.
pub(crate) const OBJECTS: &str = "_storage.objects";
/// Heads of the objects of [`Area::Overlay`](storage_core::Area::Overlay).
pub(crate) const OVERLAY: &str = "_storage.overlay";
/// The bytes of large objects.
pub(crate) const CHUNKS: &str = "_storage.chunks";
/// Large objects that are being written.
pub(crate) const UPLOADS: &str = "_storage.uploads";
/// Heads of logs.
pub(crate) const LOGS: &str = "_storage.logs";
/// Entries of logs.
pub(crate) const LOG_ENTRIES: &str = "_storage.log_entries";
/// The definitions of indexes.
pub(crate) const CATALOG: &str = "_storage.catalog";
/// The version of the database's format.
pub(crate) const FORMAT: &str = "_storage.format";
/// What connecting tries the server with.
pub(crate) const PROBE: &str = "_storage.probe";

/// What only this backend may write. Core keeps further collections under the same prefix, such as those of leases.
const RESERVED: [&str; 9] = [
    OBJECTS,
    OVERLAY,
    CHUNKS,
    UPLOADS,
    LOGS,
    LOG_ENTRIES,
    CATALOG,
    FORMAT,
    PROBE,
];

/// The name of a user's collection in the database.
///
/// It is the name itself, except that `%`, `$`, a dot that begins or ends a name or follows a dot, the `s` of a leading `system.` and the
/// underscore of a name this backend uses itself become `%` and two hexadecimal digits: MongoDB refuses these, or gives them a meaning.
pub(crate) fn collection(name: &Name) -> Cow<'_, str> {
    let name = name.as_str();
    let first = name.starts_with("system.") || RESERVED.contains(&name);
    if !first && !name.bytes().any(|byte| matches!(byte, b'%' | b'$' | b'.')) {
        return Cow::Borrowed(name);
    }
    let last = name.len() - 1;
    let mut encoded = String::with_capacity(name.len() + 8);
    let mut before = '.';
    for (at, character) in name.char_indices() {
        let escape = match character {
            '%' | '$' => true,
            '.' => before == '.' || at == last,
            _ => at == 0 && first,
        };
        if escape {
            // Only ASCII is ever escaped. Writing to a string does not fail.
            let _ = write!(encoded, "%{:02X}", u32::from(character));
        } else {
            encoded.push(character);
        }
        before = character;
    }
    Cow::Owned(encoded)
}

/// The user's name of a collection in the database; `None` for this backend's own, the server's own, and names that
/// [`collection`] never makes, which another program chose and nobody can ask for here.
pub(crate) fn decode(stored: &str) -> Option<Name> {
    if RESERVED.contains(&stored) || stored.starts_with("system.") {
        return None;
    }
    let mut bytes = Vec::with_capacity(stored.len());
    let mut rest = stored.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    let name = Name::new(String::from_utf8(bytes).ok()?).ok()?;
    (collection(&name) == stored).then_some(name)
}

/// Whether a user's collection belongs to the library all the same, such as the one of leases.
pub(crate) fn is_own(stored: &str) -> bool {
    stored.starts_with(OWN)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_has_one_place_and_comes_back() {
        let names = [
            "users",
            "Users",
            "a.b",
            "50%",
            "50%25",
            "$cmd",
            "a$b",
            ".a",
            "a.",
            "a..b",
            "...",
            "system.users",
            "system",
            "systematic",
            "%73ystem.users",
            "_storage.leases",
            "_storage.objects",
            "%5Fstorage.objects",
            "é",
            "日本",
            " ",
        ];
        let mut stored = BTreeSet::new();
        for text in names {
            let name = Name::new(text).unwrap();
            let place = collection(&name).into_owned();
            assert_eq!(decode(&place).as_ref(), Some(&name), "{text:?} as {place:?}");
            assert!(
                !place.contains('$')
                    && !place.contains("..")
                    && !place.starts_with("system.")
                    && !place.starts_with('.')
                    && !place.ends_with('.')
                    && !RESERVED.contains(&&*place),
                "{text:?} as {place:?}"
            );
            assert!(stored.insert(place), "{text:?} shares its place");
        }
    }

    #[test]
    fn ordinary_names_stay_themselves() {
        for name in ["users", "executions", "a.b", "_storage.leases", "日本"] {
            assert_eq!(collection(&Name::new(name).unwrap()), name);
        }
    }

    #[test]
    fn what_is_not_a_users_name_is_none() {
        for stored in [
            "_storage.objects",
            "system.views",
            "50%",
            "a%",
            "%zz",
            "%61bc",
            "%24",
        ] {
            assert_eq!(decode(stored).is_some(), stored == "%24", "{stored:?}");
        }
    }
}
