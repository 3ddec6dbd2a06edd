//! Names of fields as they are stored: themselves, wherever MongoDB can store, index and query them.
//!
//! `$` that begins a name, every `.` and every `%` become `%` and two hexadecimal digits; the empty name is stored as `%` alone. A
//! path of stored names joined by dots then always means the field it says.

use std::borrow::Cow;

use storage_core::FieldPath;
use storage_core::value::SYSTEM_FIELD;

/// The stored form of the empty name. Nothing else is stored as it, because `%` itself is escaped.
const EMPTY: &str = "%";

/// Whether a name is stored as something other than itself.
pub(crate) fn is_escaped(name: &str) -> bool {
    name.is_empty() || name.starts_with('$') || name.bytes().any(|byte| matches!(byte, b'.' | b'%' | 0))
}

/// The stored form of a name.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    if !is_escaped(name) {
        return Cow::Borrowed(name);
    }
    if name.is_empty() {
        return Cow::Borrowed(EMPTY);
    }
    let mut stored = String::with_capacity(name.len() + 8);
    for (at, character) in name.char_indices() {
        match character {
            '%' => stored.push_str("%25"),
            '.' => stored.push_str("%2E"),
            '$' if at == 0 => stored.push_str("%24"),
            // No document has such a name, but a query may ask for it.
            '\0' => stored.push_str("%00"),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// The name a stored one stands for. What [`escape`] never makes was chosen by another program, and stands for itself.
pub(crate) fn unescape(stored: &str) -> Cow<'_, str> {
    if !stored.contains('%') {
        return Cow::Borrowed(stored);
    }
    let name = if stored == EMPTY {
        String::new()
    } else {
        stored
            .replace("%24", "$")
            .replace("%2E", ".")
            .replace("%00", "\0")
            .replace("%25", "%")
    };
    if escape(&name) == stored && !name.contains('\0') {
        Cow::Owned(name)
    } else {
        Cow::Borrowed(stored)
    }
}

/// The path to a field under the names it is stored by.
///
/// No user's document has `_id` or `_storage` at its top, so a path that begins with one of them must lead nowhere.
pub(crate) fn stored(field: &FieldPath) -> Vec<Cow<'_, str>> {
    let segment = |(at, segment): (usize, &'_ String)| match segment.as_str() {
        "_id" if at == 0 => Cow::Borrowed("%5Fid"),
        SYSTEM_FIELD if at == 0 => Cow::Borrowed("%5Fstorage"),
        _ => Cow::Owned(escape(segment).into_owned()),
    };
    field.segments().iter().enumerate().map(segment).collect()
}

/// The path by which the server knows a field.
pub(crate) fn path(field: &FieldPath) -> String {
    stored(field).join(".")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_name_has_one_form_and_comes_back() {
        let mut forms = BTreeMap::new();
        for name in [
            "", "a", "$", "$set", "a$", "$$", ".", "..", "a.b", "%", "%%", "%24", "%2E", "%25", "%2",
            "%2524", "$%24", "é.%", "%2E.", "%252E", "%00",
        ] {
            let form = escape(name).into_owned();
            assert!(
                !form.is_empty() && !form.starts_with('$') && !form.contains('.'),
                "{name:?} as {form:?}"
            );
            assert_eq!(unescape(&form), name, "{name:?} as {form:?}");
            assert_eq!(forms.insert(form, name), None, "{name:?} shares its form");
        }
    }

    #[test]
    fn names_of_other_programs_are_themselves() {
        for stored in ["a%2Eb%zz", "%41", "50%", "%2e", "a%24b", "%00"] {
            assert_eq!(unescape(stored), stored);
        }
    }

    #[test]
    fn paths_are_of_stored_names() {
        assert_eq!(path(&FieldPath::from("a.b")), "a.b");
        assert_eq!(path(&FieldPath::from(r"a\.b.$c.%.")), "a%2Eb.%24c.%25.%");
        assert_eq!(path(&FieldPath::from("_id.a")), "%5Fid.a");
        assert_eq!(path(&FieldPath::from("_storage.version")), "%5Fstorage.version");
        assert_eq!(path(&FieldPath::from("a._id")), "a._id");
    }
}
