//! A document from its type to the text that is stored, and back.

use std::hint::black_box;

use storage_core::bson::{self, RawDocumentBuf};
use storage_core::value::{Style, canonical, read_document, write_document};

use crate::{Outcome, Record, record};

pub(crate) fn encode(times: u64) -> Outcome {
    let record = record(36);
    for _ in 0..times {
        black_box(text(black_box(&record))?);
    }
    Ok(())
}

pub(crate) fn decode(times: u64) -> Outcome {
    let text = text(&record(36))?;
    for _ in 0..times {
        let document = read_document(black_box(text.as_bytes()))?;
        let record: Record = bson::deserialize_from_slice(document.as_bytes())?;
        black_box(record);
    }
    Ok(())
}

fn text(record: &Record) -> Outcome<String> {
    let document: RawDocumentBuf = bson::serialize_to_raw_document_buf(record)?;
    Ok(write_document(&canonical(document)?, Style::Compact)?)
}
