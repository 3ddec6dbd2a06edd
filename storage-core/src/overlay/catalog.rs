//! [`Catalog`]: the indexes of one collection.
//!
//! An index is a *generation*: a definition and the token its entries live under. A generation is `building` until every
//! document names its entries, then `ready`. While an index is rebuilt it has two: the old one answers until the new one is ready.
//! Generations are never used again, and a catalog, once created, stays.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::layout;
use super::medium::Swap;
use crate::error::{Error, ErrorKind, Result};
use crate::index::Index;
use crate::name::Name;
use crate::version::Version;

const FORMAT: i64 = 1;

/// The indexes of one collection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Catalog {
    format: i64,
    /// New with every write, so that no two states are the same bytes.
    revision: String,
    pub(super) indexes: Vec<Generation>,
}

/// One index in one life.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Generation {
    /// What its entries and claims are kept under.
    #[serde(rename = "generation")]
    pub(super) token: String,
    pub(super) state: Stage,
    pub(super) index: Index,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stage {
    /// Writers maintain it; it does not answer yet.
    Building,
    /// It answers.
    Ready,
}

/// A catalog as it was read; `medium` is `None` where there is none yet.
#[derive(Debug, Clone)]
pub(super) struct Cataloged {
    pub(super) catalog: Catalog,
    pub(super) medium: Option<Version>,
}

impl Generation {
    pub(super) fn building(index: Index) -> Self {
        Self {
            token: layout::token(),
            state: Stage::Building,
            index,
        }
    }
}

impl Catalog {
    pub(super) fn generation(&self, token: &str) -> Option<&Generation> {
        self.indexes.iter().find(|generation| generation.token == token)
    }

    /// The generation of this name in this stage.
    pub(super) fn named(&self, name: &str, state: Stage) -> Option<&Generation> {
        self.indexes
            .iter()
            .find(|generation| generation.index.name == name && generation.state == state)
    }

    pub(super) fn ready(&self) -> impl Iterator<Item = &Generation> {
        self.indexes
            .iter()
            .filter(|generation| generation.state == Stage::Ready)
    }

    /// Without the generations `dropped` picks.
    pub(super) fn without(mut self, dropped: impl Fn(&Generation) -> bool) -> Self {
        self.indexes.retain(|generation| !dropped(generation));
        self
    }
}

impl Engine {
    pub(super) async fn catalog(&self, collection: &Name) -> Result<Cataloged> {
        let key = layout::catalog(collection)?;
        match self.medium.read(&key).await? {
            None => Ok(Cataloged {
                catalog: Catalog::default(),
                medium: None,
            }),
            Some((bytes, version)) => Ok(Cataloged {
                catalog: decode(key.as_str(), &bytes)?,
                medium: Some(version),
            }),
        }
    }

    /// Writes the next state of a catalog; `false` when somebody else was first.
    ///
    /// # Errors
    /// Those of the medium. Where the outcome was unknown it was looked up, and only then given as an error.
    pub(super) async fn swap_catalog(
        &self,
        collection: &Name,
        base: Option<&Version>,
        mut next: Catalog,
    ) -> Result<bool> {
        let key = layout::catalog(collection)?;
        next.format = FORMAT;
        next.revision = Version::random().to_string();
        let bytes = serde_json::to_vec_pretty(&next).map_err(|error| {
            Error::new(ErrorKind::Internal, "an index catalog cannot be written").with_source(error)
        })?;
        let bytes = Bytes::from(bytes);
        let swap = match base {
            Some(base) => self.medium.swap(&key, bytes.clone(), base).await,
            None => self.medium.create(&key, bytes.clone()).await,
        };
        match swap {
            Swap::Done(_) => Ok(true),
            Swap::Lost => Ok(false),
            Swap::Failed(error) => match self.catalog(collection).await {
                Ok(now) if now.catalog.revision == next.revision => match &now.medium {
                    Some(seen) if self.medium.confirm(&key, seen, bytes).await => Ok(true),
                    _ => Err(error),
                },
                _ => Err(error),
            },
        }
    }
}

fn decode(place: &str, bytes: &[u8]) -> Result<Catalog> {
    #[derive(Deserialize)]
    struct Format {
        format: Option<i64>,
    }
    let corrupt = |error: serde_json::Error| {
        Error::corrupt(place, "the index catalog cannot be read; restore it").with_source(error)
    };
    let Format { format } = serde_json::from_slice(bytes).map_err(corrupt)?;
    layout::check_format(place, format, FORMAT)?;
    serde_json::from_slice(bytes).map_err(corrupt)
}
