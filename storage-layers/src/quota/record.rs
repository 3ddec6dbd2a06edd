//! What all handles know of the usage: one document.

use std::collections::BTreeMap;

use storage_core::bson::{Bson, Document, RawDocumentBuf, doc};
use storage_core::{Error, ErrorKind, Result, StoredDocument, Timestamp};

use super::amount::Usage;

/// The collection it lies in; names that begin so are the library's own and are not counted.
pub(super) const COLLECTION: &str = "_storage.quota";
pub(super) const ID: &str = "usage";
const FORMAT: i64 = 1;

/// The record. True usage is never more than `used` and all shares together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Record {
    /// What is accounted for.
    pub(super) used: Usage,
    /// All that ever went into `used` by writing. A recount adds what came while it looked.
    pub(super) added: Usage,
    /// Moved on by each recount: what was freed before it is in its result already.
    pub(super) epoch: u64,
    /// What each handle may write without asking again.
    pub(super) shares: BTreeMap<String, Share>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) amount: Usage,
    /// When it was given or last confirmed.
    pub(super) at: Timestamp,
}

impl Record {
    pub(super) fn shared(&self) -> Usage {
        self.shares
            .values()
            .fold(Usage::default(), |sum, share| sum.plus(share.amount))
    }

    pub(super) fn encode(&self) -> Result<RawDocumentBuf> {
        let shares: Document = self
            .shares
            .iter()
            .map(|(handle, share)| {
                let mut fields = amount(share.amount);
                fields.insert("at", share.at.as_millis());
                (handle.clone(), Bson::Document(fields))
            })
            .collect();
        let document = doc! {
            "format": FORMAT,
            "used": amount(self.used),
            "added": amount(self.added),
            "epoch": number(self.epoch),
            "shares": shares,
        };
        let failed = |error| {
            Error::new(ErrorKind::Internal, "the quota's record cannot be encoded").with_source(error)
        };
        RawDocumentBuf::try_from(&document).map_err(failed)
    }

    pub(super) fn decode(stored: &StoredDocument) -> Result<Self> {
        let document = Document::try_from(stored.body.as_ref()).map_err(|_| damaged())?;
        match document.get_i64("format") {
            Ok(FORMAT) => {}
            Ok(newer) if newer > FORMAT => {
                let message = format!(
                    "the quota's record has format {newer}, this version knows {FORMAT}; upgrade the program"
                );
                return Err(Error::new(ErrorKind::FormatTooNew, message));
            }
            _ => return Err(damaged()),
        }
        let part = |name| {
            document
                .get_document(name)
                .map_err(|_| damaged())
                .and_then(read_amount)
        };
        let shares = document.get_document("shares").map_err(|_| damaged())?;
        let shares = shares.iter().map(|(handle, share)| {
            let share = share.as_document().ok_or_else(damaged)?;
            let at = share.get_i64("at").map_err(|_| damaged())?;
            let share = Share {
                amount: read_amount(share)?,
                at: Timestamp::from_millis(at),
            };
            Ok((handle.clone(), share))
        });
        Ok(Self {
            used: part("used")?,
            added: part("added")?,
            epoch: read_number(&document, "epoch")?,
            shares: shares.collect::<Result<_>>()?,
        })
    }
}

fn damaged() -> Error {
    Error::corrupt(
        format!("{COLLECTION}/{ID}"),
        "the quota's record cannot be read; delete it and recount",
    )
}

fn amount(usage: Usage) -> Document {
    usage
        .named()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Bson::Int64(number(value))))
        .collect()
}

/// Amounts past 2^63 are without bound anyway.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read_number(document: &Document, name: &str) -> Result<u64> {
    let value = document.get_i64(name).map_err(|_| damaged())?;
    u64::try_from(value).map_err(|_| damaged())
}

fn read_amount(document: &Document) -> Result<Usage> {
    Ok(Usage {
        bytes: read_number(document, "bytes")?,
        objects: read_number(document, "objects")?,
        documents: read_number(document, "documents")?,
    })
}
