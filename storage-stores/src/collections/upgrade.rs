//! Migrating entities when they are read.

use storage_core::bson::{Document, RawDocumentBuf};
use storage_core::{Result, malformed};

use super::entities::Entities;
use super::entity::{Entity, Stored};
use super::record::Record;
use super::schema::SCHEMA_FIELD;

impl<T: Entity> Entities<T> {
    /// The entity a document holds, with every migration it lacks; `None` where a migration removes it.
    pub(super) fn decode(&self, operation: &'static str, record: Record) -> Result<Option<Stored<T>>> {
        let id = record.id.clone();
        let entity = self
            .upgraded(record)
            .and_then(|record| record.map(Record::decode).transpose());
        entity.map_err(|error| {
            let error = error.with_context("document", id.as_str());
            self.named(error, operation, id.as_str())
        })
    }

    fn upgraded(&self, record: Record) -> Result<Option<Record>> {
        let Some(migrations) = &self.shared.options.migrations else {
            return Ok(Some(record));
        };
        let stamp = record.body.get(SCHEMA_FIELD).map_err(malformed)?;
        if stamp.and_then(|stamp| stamp.as_str()) == self.shared.latest.as_deref() {
            return Ok(Some(record));
        }
        let document = Document::try_from(&*record.body).map_err(malformed)?;
        let Some(document) = migrations.upgrade(T::COLLECTION, document)? else {
            return Ok(None);
        };
        let body = RawDocumentBuf::try_from(&document).map_err(malformed)?;
        Ok(Some(Record { body, ..record }))
    }
}
