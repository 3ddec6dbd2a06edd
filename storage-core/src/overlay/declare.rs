//! What an overlay can do, from what its backend can.

use super::layout::{DOCUMENT_OVERHEAD, ENTRY_OVERHEAD, LOG_OVERHEAD};
use super::logs::FRAME_OVERHEAD;
use crate::declaration::{
    Capability, Declaration, DocumentsDeclaration, LogsDeclaration, ObjectsDeclaration, Support,
};

/// [Escaping](crate::value::escape) writes at most so many characters for one byte.
const ESCAPED: u64 = 3;

/// The shortest bound on keys under which every limit still holds something useful: a hash index's key of 32 bytes beside an id
/// of 32. All cloud stores take 1,024.
const MIN_KEY_BYTES: u64 = ENTRY_OVERHEAD + ESCAPED * (32 + 32);

/// JSON of a document is at most about this much larger than its BSON, for all but deeply nested arrays of small values; those
/// are refused by their size when they are written.
const JSON_EXPANSION: u64 = 4;

/// The backend's declaration with documents and logs, where they can stand on it.
pub(super) fn declaration(backend: &Declaration) -> Declaration {
    let mut declaration = backend.clone();
    let objects = &backend.objects;
    let able = objects.create_if_absent.is_present()
        && objects.compare_and_swap.is_present()
        && objects.max_key_bytes >= MIN_KEY_BYTES;
    declaration.documents = able.then(|| documents(objects));
    declaration.logs = able.then(|| logs(objects));
    if !able {
        let conditions = [Capability::CompareAndSwap, Capability::CreateIfAbsent];
        let reason = conditions
            .iter()
            .find_map(|condition| backend.reasons.get(condition));
        for section in [Capability::Documents, Capability::Logs] {
            declaration
                .reasons
                .extend(reason.map(|reason| (section, reason.clone())));
        }
    }
    declaration
}

fn documents(objects: &ObjectsDeclaration) -> DocumentsDeclaration {
    let mut section = DocumentsDeclaration::new(objects.durability);
    section.consistency = objects.consistency;
    section.expiry = Support::emulated("a sweep reads every document");
    section.guarded_write = objects.guarded_write.clone();
    section.indexes = Support::emulated("one object per entry, one read per candidate");
    section.unique_indexes = Support::emulated("one object per value, never released");
    // An entry's name holds an index key and an id; they share what is left of the longest name, half each.
    let shared = (objects.max_key_bytes - ENTRY_OVERHEAD) / ESCAPED;
    section.max_id_bytes = section.max_id_bytes.min(shared / 2);
    section.max_index_key_bytes = section.max_index_key_bytes.min(shared - section.max_id_bytes);
    let name = objects.max_key_bytes - DOCUMENT_OVERHEAD - ESCAPED * section.max_id_bytes;
    section.max_name_bytes = section.max_name_bytes.min(name / ESCAPED);
    if let Some(largest) = objects.max_object_bytes {
        section.max_document_bytes = section.max_document_bytes.min(largest / JSON_EXPANSION);
    }
    section
}

fn logs(objects: &ObjectsDeclaration) -> LogsDeclaration {
    let mut section = LogsDeclaration::new(objects.durability);
    section.consistency = objects.consistency;
    section.max_name_bytes = section
        .max_name_bytes
        .min((objects.max_key_bytes - LOG_OVERHEAD) / ESCAPED);
    if let Some(largest) = objects.max_object_bytes {
        let frames = FRAME_OVERHEAD * (section.max_entries + 1);
        section.max_append_bytes = section.max_append_bytes.min(largest.saturating_sub(frames));
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(max_key_bytes: u64) -> Declaration {
        let mut backend = Declaration::new("test");
        backend.objects.create_if_absent = Support::Native;
        backend.objects.compare_and_swap = Support::Native;
        backend.objects.max_key_bytes = max_key_bytes;
        declaration(&backend)
    }

    #[test]
    fn every_name_within_the_limits_fits_a_key_even_when_all_of_it_is_escaped() {
        for max in [MIN_KEY_BYTES, 255, 256, 512, 1024, 2048, 4096, 1 << 20] {
            let declaration = of(max);
            let (documents, logs) = (declaration.documents.unwrap(), declaration.logs.unwrap());
            let value = documents.max_index_key_bytes.max(32);
            assert!(
                ENTRY_OVERHEAD + ESCAPED * (value + documents.max_id_bytes) <= max,
                "{max}"
            );
            assert!(
                DOCUMENT_OVERHEAD + ESCAPED * (documents.max_name_bytes + documents.max_id_bytes) <= max,
                "{max}"
            );
            assert!(LOG_OVERHEAD + ESCAPED * logs.max_name_bytes <= max, "{max}");
            assert!(
                documents.max_id_bytes >= 32 && documents.max_name_bytes >= 32 && logs.max_name_bytes >= 32,
                "{max}"
            );
        }
    }

    #[test]
    fn long_keys_give_the_common_limits() {
        let documents = of(4096).documents.unwrap();
        let common = DocumentsDeclaration::new(documents.durability);
        assert_eq!(documents.max_id_bytes, common.max_id_bytes);
        assert_eq!(documents.max_name_bytes, common.max_name_bytes);
        assert_eq!(documents.max_index_key_bytes, common.max_index_key_bytes);
    }

    #[test]
    fn without_conditional_writes_there_is_nothing_but_objects() {
        let plain = declaration(&Declaration::new("test"));
        assert_eq!((plain.documents, plain.logs), (None, None));
        assert!(plain.reasons.is_empty());
        assert_eq!(of(MIN_KEY_BYTES - 1).documents, None);
    }

    #[test]
    fn why_the_medium_is_not_able_is_why_there_are_no_documents() {
        let mut medium = Declaration::new("test");
        let reason = "the server ignores If-Match";
        medium.reasons.insert(Capability::CompareAndSwap, reason.into());
        let overlaid = declaration(&medium);
        for capability in [
            Capability::CompareAndSwap,
            Capability::Documents,
            Capability::Indexes,
            Capability::Logs,
        ] {
            let refusal = overlaid.unsupported(capability).to_string();
            assert!(refusal.contains(reason), "{refusal}");
        }
        let other = overlaid.unsupported(Capability::Presign).to_string();
        assert!(!other.contains(reason), "{other}");
    }
}
