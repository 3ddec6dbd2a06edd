//! [`Head`]: what a log's document says, and [`entries`] of heads and buckets.

use bson::raw::RawBsonRef;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, RawDocument, RawDocumentBuf, doc};
use bytes::Bytes;
use storage_core::{Error, Name, Result};

use super::{ENTRY_WEIGHT, HEAD_WEIGHT};
use crate::names;
use crate::store::Inner;

/// A log's document, with or without its entries.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// 128 random bits: the life of the name that this is.
    pub(super) incarnation: u128,
    /// The sequence number of the first entry that is still here.
    pub(super) first: u64,
    /// The sequence number the next entry gets.
    pub(super) next: u64,
    /// How full it is, by [`weight`].
    pub(super) weight: i64,
    pub(super) closed: bool,
    /// The last append.
    pub(super) nonce: Option<u128>,
    pub(super) document: RawDocumentBuf,
}

impl Head {
    /// Reads a log's document.
    ///
    /// # Errors
    /// `Corrupt`, naming the log.
    pub(super) fn decode(log: &Name, document: RawDocumentBuf) -> Result<Self> {
        let read = || {
            let field = |name: &str| document.get(name).ok().flatten();
            let (first, next) = (sequence(field("first")?)?, sequence(field("next")?)?);
            Some((
                bits(field("incarnation")?)?,
                first,
                (first <= next).then_some(next)?,
                field("weight")?.as_i64()?,
                field("closed")?.as_bool()?,
                field("nonce").and_then(bits),
            ))
        };
        let Some((incarnation, first, next, weight, closed, nonce)) = read() else {
            return Err(Error::corrupt(
                log.as_str(),
                "the head of the log cannot be read; restore it, or delete the log",
            ));
        };
        Ok(Self {
            incarnation,
            first,
            next,
            weight,
            closed,
            nonce,
            document,
        })
    }

    /// Whether it takes no more entries before it is copied into a bucket.
    pub(super) const fn is_full(&self) -> bool {
        self.weight >= HEAD_WEIGHT
    }

    /// The entries that are here, if they were read with it; they are not copied.
    pub(super) fn into_entries(self, log: &Name) -> Result<Vec<Bytes>> {
        let (first, next) = (self.first, self.next);
        entries(log, self.document, first, next)
    }
}

/// Reads a log's document without its entries; `None` where there is no such log.
pub(super) async fn load(inner: &Inner, log: &Name) -> Result<Option<Head>> {
    let heads = inner.collection::<RawDocumentBuf>(names::LOGS);
    let find = heads
        .find_one(doc! { "_id": log.as_str() })
        .projection(doc! { "entries": 0 })
        .max_time(inner.config.operation_timeout);
    let found = inner.read(find).await?;
    found.map(|found| Head::decode(log, found)).transpose()
}

/// Reads a log's document with its entries; `None` where there is no such log.
pub(super) async fn load_whole(inner: &Inner, log: &Name) -> Result<Option<Head>> {
    let heads = inner.collection::<RawDocumentBuf>(names::LOGS);
    let find = heads
        .find_one(doc! { "_id": log.as_str() })
        .max_time(inner.config.operation_timeout);
    let found = inner.read(find).await?;
    found.map(|found| Head::decode(log, found)).transpose()
}

/// The entries of a head or bucket, which are those from one sequence number up to another.
///
/// # Errors
/// `Corrupt`, naming the entry.
pub(super) fn entries(log: &Name, document: RawDocumentBuf, first: u64, next: u64) -> Result<Vec<Bytes>> {
    let corrupt = |at: u64| {
        Error::corrupt(
            format!("{log}/{at}"),
            "the entry of the log cannot be read; restore the database",
        )
    };
    let mut places = Vec::new();
    let start = document.as_bytes().as_ptr() as usize;
    let list = document
        .get("entries")
        .ok()
        .flatten()
        .and_then(|list| list.as_array());
    let list = list.ok_or_else(|| corrupt(first))?;
    for (at, entry) in (first..).zip(list) {
        match entry {
            Ok(RawBsonRef::Binary(entry)) => {
                places.push((entry.bytes.as_ptr() as usize - start, entry.bytes.len()));
            }
            _ => return Err(corrupt(at)),
        }
    }
    if places.len() as u64 != next - first {
        return Err(corrupt(next.min(first + places.len() as u64)));
    }
    let bytes = Bytes::from(document.into_bytes());
    Ok(places
        .into_iter()
        .map(|(start, length)| bytes.slice(start..start + length))
        .collect())
}

/// A sequence number as it is stored. No log has 2^63 entries.
pub(super) fn stored(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

pub(super) fn sequence(value: RawBsonRef<'_>) -> Option<u64> {
    u64::try_from(value.as_i64()?).ok()
}

/// 128 bits as they are stored.
pub(crate) fn binary(bits: u128) -> Bson {
    Bson::Binary(bits_value(bits))
}

/// 128 bits as they are stored.
pub(super) fn bits_value(bits: u128) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bits.to_be_bytes().to_vec(),
    }
}

/// How much entries fill a head.
pub(super) fn weight(entries: &[Bytes]) -> i64 {
    let bytes: usize = entries.iter().map(Bytes::len).sum();
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    bytes.saturating_add(ENTRY_WEIGHT.saturating_mul(stored(entries.len() as u64)))
}

pub(crate) fn bits(value: RawBsonRef<'_>) -> Option<u128> {
    Some(u128::from_be_bytes(value.as_binary()?.bytes.try_into().ok()?))
}

/// The incarnation a head tells.
pub(crate) fn incarnation_of(head: &RawDocument) -> Option<u128> {
    bits(head.get("incarnation").ok().flatten()?)
}

/// All buckets of an incarnation.
pub(crate) fn of_incarnation(incarnation: u128) -> Document {
    let incarnation = binary(incarnation);
    doc! { "_id": { "$gte": { "i": incarnation.clone(), "f": 0_i64 }, "$lte": { "i": incarnation, "f": i64::MAX } } }
}
