//! Claims: who may have a value in a unique index.
//!
//! A claim is judged by the document it names: only a document that is there and has the value holds it. Anybody else gives
//! way, once it is fenced: swapped to a new medium version, so that a write of it that is under way must start over and meet the
//! new claim. Claims are never released, and a writer claims anew even what it holds already, *after* it took its base version;
//! so of two writers, the later to claim makes the other's swap of the claim, or of its document, fail.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::catalog::Generation;
use super::engine::Engine;
use super::entries::Wanted;
use super::layout;
use super::medium::Swap;
use super::record::Record;
use crate::clock::Timestamp;
use crate::error::{Applied, Error, ErrorKind, Result};
use crate::name::{DocumentId, Name};
use crate::version::Version;

const FORMAT: i64 = 1;

#[derive(Serialize, Deserialize)]
struct Claim {
    format: i64,
    /// The document that claims the value.
    id: String,
    /// New with every write, so that no two states are the same bytes.
    revision: String,
}

impl Engine {
    /// Claims every key a unique index covers; `false` when somebody else came between and the write must start over.
    ///
    /// # Errors
    /// `UniqueViolation` naming index and holder. Nothing is applied by claiming.
    pub(super) async fn claim_all(
        &self,
        collection: &Name,
        wanted: &[Wanted<'_>],
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<bool> {
        for wanted in wanted
            .iter()
            .filter(|wanted| wanted.generation.index.unique && wanted.complete)
        {
            for (key, value) in &wanted.keys {
                let claimed = self
                    .claim(collection, wanted.generation, key, value, id, now)
                    .await;
                if !claimed.map_err(|error| error.with_applied(Applied::No))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn claim(
        &self,
        collection: &Name,
        generation: &Generation,
        key: &[u8],
        value: &str,
        id: &DocumentId,
        now: Timestamp,
    ) -> Result<bool> {
        let name = layout::claim(&generation.token, value)?;
        let Some((bytes, version)) = self.medium.read(&name).await? else {
            return won(self.medium.create(&name, claim_of(id)?).await);
        };
        let holder = decode(name.as_str(), &bytes)?;
        if holder != *id && !self.gives_way(collection, generation, key, &holder, now).await? {
            return Ok(false);
        }
        won(self.medium.swap(&name, claim_of(id)?, &version).await)
    }

    /// Whether the holder of a claim does not have the value and is fenced; `false` when it moved on at this moment.
    ///
    /// # Errors
    /// `UniqueViolation` when it has the value.
    async fn gives_way(
        &self,
        collection: &Name,
        generation: &Generation,
        key: &[u8],
        holder: &DocumentId,
        now: Timestamp,
    ) -> Result<bool> {
        let name = layout::document(collection, holder)?;
        match self.load(collection, holder).await? {
            None => won(self.medium.create(&name, Record::placeholder().encode()?).await),
            Some(held) if has(&held.record, generation, key, now) => {
                Err(Error::unique_violation(&generation.index.name, holder.as_str()))
            }
            Some(held) => won(self.medium.swap(&name, held.record.encode()?, &held.medium).await),
        }
    }
}

/// Whether a document is there and has the key in a unique index.
fn has(record: &Record, generation: &Generation, key: &[u8], now: Timestamp) -> bool {
    let Some(body) = record.live(now) else {
        return false;
    };
    // A document that does not fit the index cannot be in it.
    generation
        .index
        .keys(body, u64::MAX)
        .is_ok_and(|keys| keys.complete && keys.keys.iter().any(|held| held == key))
}

fn won(swap: Swap) -> Result<bool> {
    match swap {
        Swap::Done(_) => Ok(true),
        Swap::Lost => Ok(false),
        Swap::Failed(error) => Err(error),
    }
}

fn claim_of(id: &DocumentId) -> Result<Bytes> {
    let claim = Claim {
        format: FORMAT,
        id: id.as_str().to_owned(),
        revision: Version::random().to_string(),
    };
    serde_json::to_vec(&claim)
        .map(Bytes::from)
        .map_err(|error| Error::new(ErrorKind::Internal, "a claim cannot be written").with_source(error))
}

fn decode(place: &str, bytes: &[u8]) -> Result<DocumentId> {
    #[derive(Deserialize)]
    struct Format {
        format: Option<i64>,
    }
    let corrupt = |error: serde_json::Error| {
        Error::corrupt(
            place,
            "the claim of a unique value cannot be read; rebuild the index",
        )
        .with_source(error)
    };
    let Format { format } = serde_json::from_slice(bytes).map_err(corrupt)?;
    layout::check_format(place, format, FORMAT)?;
    let claim: Claim = serde_json::from_slice(bytes).map_err(corrupt)?;
    DocumentId::new(claim.id)
}
