//! What all sessions have reserved together: one document with a number for each session, moved by compare-and-swap, for stores with a
//! limit over all of them.
//!
//! Two documents cannot change at one moment on every backend, so the number of a session may be more than its own record says, and is
//! never less:
//!
//! - *First* the session is made, empty, where there is none: what is swapped later is this version of it, and no other.
//! - *Up*: the session is read, the number is raised to what the session is about to have, which is where the limit decides, or written
//!   as it is where that is enough, and the session is swapped as it was read.
//! - *Down*: the numbers are read, the session is written, then the numbers are swapped as they were read. Whoever raised the number
//!   before that and has not swapped the session yet fails, because the session was written; whoever raises it after makes the last
//!   swap fail.
//!
//! A crash in between leaves a number too high, which a cleanup brings down. The model in `tests/chunks_total_model.rs` tries every order
//! of these steps.

use std::collections::BTreeMap;

use storage_core::bson::{Bson, Document, doc};
use storage_core::{Index, Query, Result, Timestamp, Version};

use super::content::Content;
use super::fields::{Fields, number};
use super::store::{ChunkStore, Documents, busy, document};
use crate::race;

/// The document with the numbers.
const SESSIONS: &str = "sessions";

/// The numbers as they were read.
pub(super) struct Totals {
    by_session: BTreeMap<String, u64>,
    version: Option<Version>,
}

/// Whether there is room.
pub(super) enum Room {
    Enough,
    /// Others have so much already.
    None {
        used: u64,
    },
}

impl ChunkStore {
    fn totals_collection(&self) -> Documents {
        self.storage.collection("chunk_totals")
    }

    /// For a store with a limit over all sessions: the index that finds the upload that has rested longest, and the numbers of
    /// sessions that were there before the limit.
    pub(super) async fn open_totals(&self) -> Result<()> {
        if self.options.max_total_bytes.is_none() {
            return Ok(());
        }
        let index = Index::btree("by_rest", ["is_complete", "last_accessed"]);
        self.contents().ensure_index(index).await?;
        let mut found = self.sessions_collection().find(Query::all()).await?;
        while let Some(session) = found.next().await? {
            let id = session.id.as_str();
            let total = Self::total_of(id, &document(&session.value)?)?;
            let totals = self.totals().await?;
            if totals.is_some_and(|totals| totals.of(id) < total) {
                self.raise(id, total, None).await?;
            }
        }
        Ok(())
    }

    /// What the contents of a session have reserved.
    pub(super) fn total_of(session_id: &str, body: &Document) -> Result<u64> {
        let reserved = Self::reserved_by(session_id, body)?;
        Ok(reserved
            .iter()
            .fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes)))
    }

    /// The numbers; `None` in a store without such a limit, which keeps none.
    pub(super) async fn totals(&self) -> Result<Option<Totals>> {
        if self.options.max_total_bytes.is_none() {
            return Ok(None);
        }
        let Some(found) = self.totals_collection().get(SESSIONS).await? else {
            return Ok(Some(Totals {
                by_session: BTreeMap::new(),
                version: None,
            }));
        };
        let entry = format!("chunk_totals/{SESSIONS}");
        let body = document(&found.value)?;
        let mut by_session = BTreeMap::new();
        for session in Fields::of(&body, &entry).documents(SESSIONS)? {
            let fields = Fields::of(session, &entry);
            by_session.insert(fields.text("session_id")?, fields.number("bytes")?);
        }
        Ok(Some(Totals {
            by_session,
            version: Some(found.version),
        }))
    }

    /// Swaps the numbers; `false` when somebody else was faster.
    async fn swap_totals(&self, totals: &Totals) -> Result<bool> {
        let sessions = totals.by_session.iter().map(|(session_id, bytes)| {
            Bson::Document(doc! { "session_id": session_id, "bytes": number(*bytes) })
        });
        let body = doc! { SESSIONS: sessions.collect::<Vec<_>>() };
        let swapped = self
            .swap(
                &self.totals_collection(),
                SESSIONS,
                totals.version.as_ref(),
                &body,
            )
            .await?;
        Ok(swapped.is_some())
    }

    /// Makes the number of a session at least this, if all together stay within the limit.
    pub(super) async fn raise(&self, session_id: &str, total: u64, limit: Option<u64>) -> Result<Room> {
        for attempt in 0..race::MAX_ATTEMPTS {
            let Some(mut totals) = self.totals().await? else {
                return Ok(Room::Enough);
            };
            let (number, others) = (totals.of(session_id), totals.others(session_id));
            if number < total && limit.is_some_and(|limit| others.saturating_add(total) > limit) {
                return Ok(Room::None { used: others });
            }
            // Written also where it is enough: whoever is bringing it down has to notice.
            totals.set(session_id, number.max(total));
            if self.swap_totals(&totals).await? {
                return Ok(Room::Enough);
            }
            race::pause(attempt).await;
        }
        Err(busy().with_key(format!("chunk_totals/{SESSIONS}")))
    }

    /// The numbers having been read before the session was written: its number becomes what it has.
    pub(super) async fn lower(&self, totals: Option<Totals>, session_id: &str, total: u64) -> Result<()> {
        let Some(mut totals) = totals.filter(|totals| totals.of(session_id) != total) else {
            return Ok(());
        };
        totals.set(session_id, total);
        if self.swap_totals(&totals).await? {
            return Ok(());
        }
        self.reconcile(session_id).await
    }

    /// After an attempt that was lost had raised the number further than what came of it needs.
    pub(super) async fn bring_down(&self, session_id: &str, raised: u64, total: u64) -> Result<()> {
        if raised > total {
            self.reconcile(session_id).await?;
        }
        Ok(())
    }

    /// Brings the number of a session down to what it has, whatever a crash left.
    pub(super) async fn reconcile(&self, session_id: &str) -> Result<()> {
        let sessions = self.sessions_collection();
        for attempt in 0..race::MAX_ATTEMPTS {
            let Some(mut totals) = self.totals().await? else {
                return Ok(());
            };
            let Some(found) = sessions.get(session_id).await? else {
                // Nobody puts anything where no session is, so there is nobody to keep from it.
                totals.set(session_id, 0);
                if self.swap_totals(&totals).await? {
                    return Ok(());
                }
                race::pause(attempt).await;
                continue;
            };
            let body = document(&found.value)?;
            let total = Self::total_of(session_id, &body)?;
            if totals.of(session_id) == total {
                return Ok(());
            }
            let written = self.swap(&sessions, session_id, Some(&found.version), &body);
            if written.await?.is_some() {
                totals.set(session_id, total);
                if self.swap_totals(&totals).await? {
                    return Ok(());
                }
            }
            race::pause(attempt).await;
        }
        Err(busy().with_key(format!("chunk_totals/{SESSIONS}")))
    }

    /// The same for every session there is a number of.
    pub(super) async fn reconcile_all(&self) -> Result<()> {
        let totals = self.totals().await?;
        for session_id in totals
            .into_iter()
            .flat_map(|totals| totals.by_session.into_keys())
        {
            self.reconcile(&session_id).await?;
        }
        Ok(())
    }

    /// When the unfinished upload that has rested longest in any session was last heard of.
    pub(super) async fn oldest_upload_of_all(&self) -> Result<Option<Timestamp>> {
        let query = Query::eq("is_complete", false).sort("last_accessed").limit(1);
        match self.contents().find(query).await?.next().await? {
            Some(found) => {
                let body = document(&found.value)?;
                let content = Content::read(found.id.as_str(), found.version, body)?;
                Ok(Some(content.metadata.last_accessed))
            }
            None => Ok(None),
        }
    }
}

impl Totals {
    fn of(&self, session_id: &str) -> u64 {
        self.by_session.get(session_id).copied().unwrap_or(0)
    }

    fn others(&self, session_id: &str) -> u64 {
        let others = self.by_session.iter().filter(|(id, _)| *id != session_id);
        others.fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    fn set(&mut self, session_id: &str, bytes: u64) {
        if bytes == 0 {
            self.by_session.remove(session_id);
        } else {
            self.by_session.insert(session_id.to_owned(), bytes);
        }
    }
}
