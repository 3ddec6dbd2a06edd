//! Whom an operation of a transaction collided with.

use std::collections::HashMap;

use storage_core::{BatchOperation, DocumentId, Error, PutRequest, Result};

use super::Operations;
use crate::catalog::native::Duplicate;
use crate::documents::{Verdict, verdict};
use crate::store::Inner;

/// Who holds the key that operation `at` collided with: an earlier operation of the batch, or a document that is there.
pub(super) async fn explain(
    inner: &Inner,
    operations: &Operations,
    at: usize,
    duplicate: &Duplicate,
) -> Result<Verdict> {
    let (name, BatchOperation::Put(put)) = &operations[at] else {
        return Ok(Verdict::Gone);
    };
    if duplicate.is_id() {
        return Ok(Verdict::Gone);
    }
    let mut before: HashMap<&DocumentId, Option<&PutRequest>> = HashMap::new();
    for (_, operation) in operations[..at].iter().filter(|(other, _)| other == name) {
        match operation {
            BatchOperation::Put(earlier) => before.insert(&earlier.id, Some(earlier)),
            BatchOperation::Delete(delete) => before.insert(&delete.id, None),
        };
    }
    let indexes = inner.catalog.fresh(inner, name).await?;
    for registered in indexes.of_unique(duplicate) {
        let index = &registered.definition;
        let ours = index.keys(&put.body, u64::MAX)?.keys;
        for earlier in before.values().flatten().filter(|earlier| earlier.id != put.id) {
            let theirs = index.keys(&earlier.body, u64::MAX)?;
            if theirs.complete && theirs.keys.iter().any(|key| ours.contains(key)) {
                let violation = Error::unique_violation(&index.name, earlier.id.as_str());
                return Ok(Verdict::Violation(violation));
            }
        }
    }
    match verdict(inner, name, put, duplicate).await? {
        // What the batch itself changed before is no longer the holder.
        Verdict::Violation(error)
            if error
                .context_value("holder")
                .is_some_and(|holder| before.keys().any(|id| id.as_str() == holder)) =>
        {
            Ok(Verdict::Gone)
        }
        verdict => Ok(verdict),
    }
}
