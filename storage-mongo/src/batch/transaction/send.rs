//! The changes of a transaction, in as few commands as keep their order.

use std::sync::PoisonError;

use futures::FutureExt;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use storage_core::{DocumentId, ErrorKind, Name, Result};

use super::super::{BYTES, OPERATIONS, Update, raw, refused, update_command};
use super::Attempt;
use crate::catalog::native::Duplicate;
use crate::documents::namespace;
use crate::error::of_write_error;
use crate::names::collection;

/// A change to be sent, and the operation it is of.
pub(super) struct Change {
    pub(super) at: Option<usize>,
    pub(super) name: Name,
    pub(super) what: What,
}

pub(super) enum What {
    Update(Update),
    Delete(DocumentId),
}

impl Attempt {
    /// Sends the changes in their order, those of one kind and collection together.
    pub(super) async fn send(&self, session: &mut ClientSession, mut changes: &[Change]) -> Result<()> {
        while let Some(first) = changes.first() {
            let mut bytes = 0;
            let alike = |change: &&Change| match (&first.what, &change.what) {
                (What::Update(_), What::Update(update)) => {
                    bytes += update.bytes();
                    change.name == first.name && (bytes <= BYTES || bytes == update.bytes())
                }
                (What::Delete(_), What::Delete(_)) => change.name == first.name,
                _ => false,
            };
            let count = changes.iter().take(OPERATIONS).take_while(alike).count();
            let (chunk, rest) = changes.split_at(count);
            self.send_chunk(session, chunk).boxed().await?;
            changes = rest;
        }
        Ok(())
    }

    async fn send_chunk(&self, session: &mut ClientSession, chunk: &[Change]) -> Result<()> {
        let Some(first) = chunk.first() else { return Ok(()) };
        let command = match &first.what {
            What::Update(_) => {
                let updates = chunk.iter().filter_map(|change| match &change.what {
                    What::Update(update) => Some(update),
                    What::Delete(_) => None,
                });
                update_command(&collection(&first.name), updates, true)
            }
            What::Delete(_) => {
                let deletes: Vec<Document> = chunk
                    .iter()
                    .filter_map(|change| match &change.what {
                        What::Delete(id) => Some(doc! { "q": { "_id": id.as_str() }, "limit": 1 }),
                        What::Update(_) => None,
                    })
                    .collect();
                raw(&doc! { "delete": &*collection(&first.name), "deletes": deletes, "ordered": true })?
            }
        };
        let run = self.inner.database.run_raw_command(command).session(session);
        let answer = self.inner.write(run).await?;
        let Some(refused) = refused(&answer).into_iter().next() else {
            return Ok(());
        };
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.at = chunk.get(refused.at).and_then(|change| change.at);
        trouble.duplicate = Duplicate::of_entry(&refused.entry, &namespace(&self.inner, &first.name));
        let code = refused.entry.get_i32("code").unwrap_or_default();
        let message = refused.entry.get_str("errmsg").unwrap_or_default();
        let error = of_write_error(code, message);
        trouble.conflict = error.kind() == ErrorKind::Conflict;
        Err(error)
    }
}
