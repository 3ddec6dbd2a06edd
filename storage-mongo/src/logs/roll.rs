//! Rolling: a full head moves its entries into a bucket.

use bson::raw::cstr;
use bson::{Document, RawDocumentBuf, doc};
use storage_core::{Error, Name, Result};

use super::head::{Head, binary, bits_value, load_whole, stored};
use crate::error::DuplicateKey;
use crate::names;
use crate::store::Inner;

/// Moves the entries of a full head into a bucket, unless somebody did since.
///
/// A full head takes no entries, so whoever copies it makes the same bucket, and it is emptied only where it is still the one that was
/// copied. A bucket of a log that was deleted meanwhile is left to sweep.
pub(super) async fn roll(inner: &Inner, log: &Name, seen: &Head) -> Result<()> {
    let Some(head) = load_whole(inner, log).await? else {
        return Ok(());
    };
    if head.incarnation != seen.incarnation || head.first != seen.first || !head.is_full() {
        return Ok(());
    }
    let buckets = inner.collection::<RawDocumentBuf>(names::LOG_ENTRIES);
    match inner.write(buckets.insert_one(bucket(log, &head)?)).await {
        Ok(_) => {}
        // Somebody else copied it.
        Err(error) if DuplicateKey::of(&error).is_some() => {}
        Err(error) => return Err(error),
    }
    let copied = doc! {
        "_id": log.as_str(),
        "incarnation": binary(head.incarnation),
        "first": stored(head.first),
        "next": stored(head.next),
    };
    let emptied = doc! { "$set": { "first": stored(head.next), "weight": 0_i64, "entries": [] } };
    let heads = inner.collection::<Document>(names::LOGS);
    inner.write(heads.update_one(copied, emptied)).await.map(drop)
}

fn bucket(log: &Name, head: &Head) -> Result<RawDocumentBuf> {
    let list = head.document.get("entries").ok().flatten();
    let list = list.and_then(|list| list.as_array()).ok_or_else(|| {
        Error::corrupt(
            log.as_str(),
            "the head of the log cannot be read; restore it, or delete the log",
        )
    })?;
    let mut id = RawDocumentBuf::new();
    id.append(cstr!("i"), bits_value(head.incarnation));
    id.append(cstr!("f"), stored(head.first));
    let mut bucket = RawDocumentBuf::new();
    bucket.append(cstr!("_id"), id);
    bucket.append(cstr!("next"), stored(head.next));
    bucket.append(cstr!("entries"), list);
    Ok(bucket)
}
