//! A document on the medium: what of it stays readable, and the rest sealed.

use storage_core::bson::raw::{CString, RawBinaryRef, RawBsonRef};
use storage_core::bson::spec::BinarySubtype;
use storage_core::bson::{RawDocument, RawDocumentBuf};
use storage_core::{DocumentId, Error, ErrorKind, Name, PutRequest, Result, StoredDocument, malformed};

use super::fields::{Declared, SEALED};
use super::sealing::Sealing;

/// Puts a document into its envelope.
pub(super) fn seal(
    sealing: &Sealing,
    declared: &Declared,
    collection: &Name,
    id: &DocumentId,
    body: &RawDocument,
) -> Result<RawDocumentBuf> {
    let shown = declared.shown(collection, body, sealing.index_key())?;
    let shown = RawDocumentBuf::try_from(&shown).map_err(malformed)?;
    seal_beside(sealing, shown, collection, id, body)
}

/// The same with what stands beside the seal, which is bound into it.
pub(super) fn seal_beside(
    sealing: &Sealing,
    shown: RawDocumentBuf,
    collection: &Name,
    id: &DocumentId,
    body: &RawDocument,
) -> Result<RawDocumentBuf> {
    let mut envelope = shown;
    let sealed = sealing.seal_document(collection, id, envelope.as_bytes(), body.as_bytes())?;
    envelope.append(
        name(SEALED)?,
        RawBsonRef::Binary(RawBinaryRef {
            subtype: BinarySubtype::Generic,
            bytes: &sealed,
        }),
    );
    Ok(envelope)
}

/// The same request with the document in its envelope.
pub(super) fn seal_request(
    sealing: &Sealing,
    declared: &Declared,
    collection: &Name,
    mut request: PutRequest,
) -> Result<PutRequest> {
    request.body = seal(sealing, declared, collection, &request.id, &request.body)?;
    Ok(request)
}

/// What of an envelope is sealed, and what stands beside it.
pub(super) fn parts(envelope: &RawDocument) -> Result<(RawDocumentBuf, &[u8])> {
    let mut beside = RawDocumentBuf::new();
    let mut sealed = None;
    for element in envelope.iter() {
        let (key, value) = element.map_err(malformed)?;
        match value {
            RawBsonRef::Binary(binary) if key.as_str() == SEALED => sealed = Some(binary.bytes),
            value => beside.append(key, value),
        }
    }
    let sealed = sealed.ok_or_else(crate::encryption::not_sealed)?;
    Ok((beside, sealed))
}

/// Takes a document out of its envelope.
pub(super) fn open(sealing: &Sealing, collection: &Name, stored: StoredDocument) -> Result<StoredDocument> {
    let opened = parts(&stored.body).and_then(|(beside, sealed)| {
        let body = sealing.open_document(collection, &stored.id, beside.as_bytes(), sealed)?;
        RawDocumentBuf::from_bytes(body.to_vec()).map_err(malformed)
    });
    match opened {
        Ok(body) => Ok(StoredDocument { body, ..stored }),
        Err(error) => Err(error.with_key(format!("{collection}/{}", stored.id))),
    }
}

fn name(text: &str) -> Result<CString> {
    CString::try_from(text).map_err(|error| {
        Error::new(ErrorKind::Internal, "a field name of the layer is none").with_source(error)
    })
}
