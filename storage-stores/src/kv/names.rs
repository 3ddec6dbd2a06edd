//! Under which names what is stored: keys are data, and never navigate.

use storage_core::{DocumentId, Error, Name, Result, Storage, random_u128};

/// The collection with a document for each namespace.
pub(super) const NAMESPACES: &str = "kv";
/// What stands before a namespace in the name of the collection of its entries.
const ENTRIES: &str = "kv.";
/// The same for the data keys of its entries.
const DATA_KEYS: &str = "kv_keys.";
/// What stands before the key of every object.
const OBJECTS: &str = "kv/";
/// Hex digits of a nonce.
const NONCE_DIGITS: usize = 32;

/// The collection of a namespace's entries.
pub(super) fn entries(namespace: &str) -> String {
    format!("{ENTRIES}{namespace}")
}

/// The collection of the data keys of a namespace's entries.
pub(super) fn data_keys(namespace: &str) -> String {
    format!("{DATA_KEYS}{namespace}")
}

/// The log a namespace's audit trail is in.
pub(super) fn audit(namespace: &str) -> String {
    format!("kv/{namespace}/audit")
}

/// The lease of the lock of a key.
pub(super) fn lease(namespace: &str, key: &str) -> String {
    // Namespace and key must not be told apart in two ways.
    format!("kv/{}/{key}", namespace.replace('%', "%25").replace('/', "%2F"))
}

/// Where the objects of a namespace lie.
pub(super) fn directory(namespace: &str) -> String {
    format!("{OBJECTS}{}/", hex(namespace))
}

/// Where the objects of a key lie.
pub(super) fn objects_of(namespace: &str, key: &str) -> String {
    format!("{}{}/", directory(namespace), hex(key))
}

/// A fresh object for a value of this key.
pub(super) fn object(namespace: &str, key: &str) -> String {
    format!("{}{}", objects_of(namespace, key), nonce())
}

/// The key that an object is of; `None` for an object this store did not write.
pub(super) fn key_of_object(namespace: &str, object: &str) -> Option<String> {
    let (key, nonce) = object.strip_prefix(&directory(namespace))?.split_once('/')?;
    let is_nonce = nonce.len() == NONCE_DIGITS && nonce.bytes().all(|byte| digit(byte).is_some());
    unhex(key).filter(|key| is_nonce && !key.is_empty())
}

/// 128 random bits.
pub(super) fn nonce() -> String {
    format!("{:032x}", random_u128())
}

/// Refuses a namespace whose collections could not be named.
pub(super) fn check_namespace(storage: &Storage, namespace: &str) -> Result<()> {
    Name::new(namespace)?;
    let limit = storage.declaration().documents.as_ref();
    let limit = limit.map_or(u64::MAX, |section| section.max_name_bytes);
    within(
        "the namespace in bytes",
        limit.saturating_sub(DATA_KEYS.len() as u64),
        namespace,
    )
}

/// Refuses a key that any of its names would be too long for.
pub(super) fn check_key(storage: &Storage, namespace: &str, key: &str) -> Result<()> {
    DocumentId::new(key)?;
    let declaration = storage.declaration();
    let by_document = declaration
        .documents
        .as_ref()
        .map_or(u64::MAX, |section| section.max_id_bytes);
    let beside = (directory(namespace).len() + 1 + NONCE_DIGITS) as u64;
    let by_object = declaration.objects.max_key_bytes.saturating_sub(beside) / 2;
    within("the key in bytes", by_document.min(by_object), key)
}

fn within(what: &'static str, limit: u64, name: &str) -> Result<()> {
    if name.len() as u64 > limit {
        return Err(Error::limit_exceeded(what, limit, name.len() as u64));
    }
    Ok(())
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Option<String> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect();
    String::from_utf8(bytes?).ok().filter(|_| rest.is_empty())
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_leads_back_to_its_key_and_a_foreign_one_to_none() {
        for key in ["a", "../..", "a/b", "é/🦀", "a\u{1}b"] {
            assert_eq!(key_of_object("n/s", &object("n/s", key)).as_deref(), Some(key));
            assert_eq!(key_of_object("other", &object("n/s", key)), None);
        }
        let nonce = nonce();
        for foreign in [
            format!("kv/6e/61/{nonce}x"),
            format!("kv/6e/6/{nonce}"),
            format!("kv/6e/FF/{nonce}"),
            format!("kv/6e//{nonce}"),
            "kv/6e/61/notes.txt".to_owned(),
            "kv/6e/61".to_owned(),
        ] {
            assert_eq!(key_of_object("n", &foreign), None, "{foreign}");
        }
    }

    #[test]
    fn no_two_locks_share_a_lease() {
        assert_ne!(lease("a/b", "c"), lease("a", "b/c"));
        assert_ne!(lease("a%2Fb", "c"), lease("a/b", "c"));
    }
}
