//! Reading what is new in a channel.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use storage_core::{ByteRange, Bytes, Error, ErrorKind, ReadRequest, Result, Version};

use super::Channel;
use crate::volumes::check::Refusal;
use crate::volumes::event::{Event, MAX_EVENT_BYTES};
use crate::volumes::hash::Hash;
use crate::volumes::replica::Failure;
use crate::volumes::site::Site;

/// So many events are read at once.
const PARALLEL: usize = 16;

/// Where to look for new events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Only where somebody told of one since the last look.
    Changed,
    /// Everywhere: what came by other means, as through a synchronized folder, is told by nobody.
    Everywhere,
}

type Names = (Option<Version>, BTreeSet<Hash>, Vec<String>);

/// What a look at a channel found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// How many events are new to this handle.
    pub new: u64,
    /// How many events are in order by now.
    pub events: u64,
    /// Events that wait for a parent, each with the parents that are not there; none where an older ancestor is missing.
    pub waiting: Vec<(Hash, Vec<Hash>)>,
    /// What is named like an event and is none of this channel.
    pub refused: Vec<Refused>,
    /// The keys of what is not named like an event, such as `conflicted copy.bin`; with the replica, as `replica: key`.
    pub strays: Vec<String>,
    /// Replicas that could not be asked: there may be events that only they have.
    pub unreachable: Vec<Failure>,
}

/// Something that is named like an event of a channel and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Which replica has it.
    pub replica: String,
    /// Where.
    pub key: String,
    /// Why it is none.
    pub reason: String,
    /// Whether it may be one all the same, to a program that knows more: a newer format, or a scheme without a verifier here.
    pub unknown: bool,
}

impl Channel {
    /// Reads what is new, and tells what was found. Events that were read already are not read again.
    ///
    /// # Errors
    /// That of the first replica where none could be asked.
    pub async fn refresh(&self) -> Result<Refreshed> {
        let _turn = self.turn.lock().await;
        let mut refreshed = self
            .read_new(Look::Everywhere)
            .await
            .map_err(|error| error.with_operation("read channel"))?;
        let known = self.known();
        refreshed.events = known.events().len() as u64;
        let waiting = known.waiting().iter();
        refreshed.waiting = waiting
            .map(|(event, missing)| (event.hash(), missing.clone()))
            .collect();
        Ok(refreshed)
    }

    /// Reads what is new; the caller has the turn.
    pub(super) async fn read_new(&self, look: Look) -> Result<Refreshed> {
        let mut refreshed = Refreshed::default();
        let mut new: BTreeMap<Hash, Vec<&Site>> = BTreeMap::new();
        let mut failure = None;
        let mut asked = false;
        let mut marks = Vec::new();
        for site in self.store.sites() {
            match self.names_on(site, look).await {
                Ok(None) => asked = true,
                Ok(Some((mark, hashes, strays))) => {
                    asked = true;
                    marks.extend(mark.map(|mark| (site, mark)));
                    refreshed.strays.extend(strays);
                    let known = self.known();
                    for hash in hashes {
                        if !known.contains(&hash) {
                            new.entry(hash).or_default().push(site);
                        }
                    }
                }
                Err(error) => {
                    refreshed.unreachable.push(self.store.remember(site, &error));
                    failure.get_or_insert(error);
                }
            }
        }
        if let (Some(error), false) = (failure, asked) {
            return Err(error);
        }
        let reads: Vec<_> = new
            .into_iter()
            .map(|(hash, sites)| self.read_event(hash, sites))
            .collect();
        let mut read = futures::stream::iter(reads).buffer_unordered(PARALLEL);
        while let Some((event, refused)) = read.next().await {
            refreshed.refused.extend(refused);
            if let Some(event) = event {
                refreshed.new += 1;
                self.known().insert(event);
            }
        }
        self.known().settle();
        // Where something was refused it may be one that could not be read just now.
        marks.retain(|(site, _)| {
            refreshed
                .refused
                .iter()
                .all(|refused| refused.replica != site.name)
        });
        self.seen()
            .extend(marks.into_iter().map(|(site, mark)| (site.name.clone(), mark)));
        refreshed
            .refused
            .sort_by(|one, other| (&one.key, &one.replica).cmp(&(&other.key, &other.replica)));
        Ok(refreshed)
    }

    /// The mark of a replica, the names of events on it, and what is named otherwise; `None` where nothing is new since it was seen.
    async fn names_on(&self, site: &Site, look: Look) -> Result<Option<Names>> {
        self.store.ready(site).await?;
        // Before the names are read: whoever tells of an event later changes it.
        let mark = site.mark(&self.key).await?;
        if look == Look::Changed && mark.is_some() && self.seen().get(&site.name) == mark.as_ref() {
            return Ok(None);
        }
        let mut hashes = BTreeSet::new();
        let mut strays = Vec::new();
        let entries = self
            .store
            .entries(site, site.names.channel(&self.key), false)
            .await?;
        for (key, _) in entries {
            match site.names.as_event(&key) {
                Some((_, hash)) => drop(hashes.insert(hash)),
                None => strays.push(format!("{}: {key}", site.name)),
            }
        }
        Ok(Some((mark, hashes, strays)))
    }

    /// Reads an event from the first replica that has it whole, and tells what was wrong with it on others.
    async fn read_event(&self, hash: Hash, sites: Vec<&Site>) -> (Option<Event>, Vec<Refused>) {
        let mut refused = Vec::new();
        for site in sites {
            let key = site.names.event(&self.key, &hash);
            let refusal = match self.read_event_on(site, &key, &hash).await {
                Ok(Ok(event)) => return (Some(event), refused),
                Ok(Err(refusal)) => refusal,
                Err(error) => {
                    self.store.remember(site, &error);
                    Refusal::Unknown(format!("it could not be read: {error}"))
                }
            };
            refused.push(Refused {
                replica: site.name.clone(),
                key,
                unknown: matches!(refusal, Refusal::Unknown(_) | Refusal::TooNew(_)),
                reason: refusal.to_string(),
            });
        }
        (None, refused)
    }

    async fn read_event_on(
        &self,
        site: &Site,
        key: &str,
        hash: &Hash,
    ) -> Result<std::result::Result<Event, Refusal>> {
        // One byte more than an event can have is enough to know that it is none.
        let mut request = ReadRequest::default();
        request.range = Some(ByteRange::Bounded(0, MAX_EVENT_BYTES as u64 + 1));
        let bytes: Bytes = match site.storage.objects().read_with(key, request).await {
            Ok(Some(object)) => object.bytes,
            Ok(None) => {
                return Err(Error::new(ErrorKind::NotFound, "it is gone").with_key(key));
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                return Ok(Err(Refusal::Wrong(error.message().to_owned())));
            }
            Err(error) => return Err(error),
        };
        if self.store.hash_algorithm().hash(&bytes) != *hash {
            return Ok(Err(Refusal::Wrong(
                "its bytes do not have the hash it is named by".to_owned(),
            )));
        }
        Ok(self.store.check_event(&self.key, bytes))
    }
}
