//! [`Head`]: which incarnation of a log counts.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::name::Name;
use crate::overlay::engine::Engine;
use crate::overlay::layout;
use crate::overlay::medium::Swap;
use crate::version::Version;

const FORMAT: i64 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::overlay) struct Head {
    format: i64,
    pub(in crate::overlay) incarnation: Version,
    pub(in crate::overlay) state: HeadState,
    /// New with every write, so that no two states are the same bytes.
    revision: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::overlay) enum HeadState {
    /// It can be appended to; it exists once there is an append.
    Open,
    /// It ends with an entry that says so; this only says it sooner.
    Closed,
    /// There is no log. Whoever appends first swaps this to open, so it can be removed as long as it stands.
    Deleted,
}

/// A head as it was read.
#[derive(Debug, Clone)]
pub(in crate::overlay) struct LoadedHead {
    pub(in crate::overlay) head: Head,
    pub(in crate::overlay) medium: Version,
}

impl Head {
    pub(in crate::overlay) fn new(incarnation: Version, state: HeadState) -> Self {
        Self {
            format: FORMAT,
            incarnation,
            state,
            revision: Version::random().to_string(),
        }
    }

    fn encode(&self) -> Result<Bytes> {
        serde_json::to_vec_pretty(self).map(Bytes::from).map_err(|error| {
            Error::new(ErrorKind::Internal, "the head of a log cannot be written").with_source(error)
        })
    }

    fn decode(place: &str, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: Option<i64>,
        }
        let corrupt = |error: serde_json::Error| {
            Error::corrupt(place, "the head of the log cannot be read").with_source(error)
        };
        let Format { format } = serde_json::from_slice(bytes).map_err(corrupt)?;
        layout::check_format(place, format, FORMAT)?;
        serde_json::from_slice(bytes).map_err(corrupt)
    }
}

impl Engine {
    pub(in crate::overlay) async fn head(&self, log: &Name) -> Result<Option<LoadedHead>> {
        let key = layout::log_head(log)?;
        let Some((bytes, medium)) = self.medium.read(&key).await? else {
            return Ok(None);
        };
        let head = Head::decode(key.as_str(), &bytes)?;
        Ok(Some(LoadedHead { head, medium }))
    }

    /// Puts `next` in the place of `base`; gives it as it now stands, `None` when somebody else was first.
    ///
    /// # Errors
    /// Those of the medium. Where the outcome was unknown it was looked up, and only then given as an error.
    pub(super) async fn swap_head(
        &self,
        log: &Name,
        base: Option<&LoadedHead>,
        next: Head,
    ) -> Result<Option<LoadedHead>> {
        let key = layout::log_head(log)?;
        let swap = match base {
            Some(base) => self.medium.swap(&key, next.encode()?, &base.medium).await,
            None => self.medium.create(&key, next.encode()?).await,
        };
        match swap {
            Swap::Done(medium) => Ok(Some(LoadedHead { head: next, medium })),
            Swap::Lost => Ok(None),
            Swap::Failed(error) => match self.head(log).await {
                Ok(Some(now)) if now.head.revision == next.revision => {
                    match self.medium.swap(&key, next.encode()?, &now.medium).await {
                        // Written again, so that it stays: what is seen need not.
                        Swap::Done(medium) => Ok(Some(LoadedHead { head: next, medium })),
                        _ => Err(error),
                    }
                }
                _ => Err(error),
            },
        }
    }
}
