//! Sessions, and the bytes each has reserved: a list by content in the session's own record, moved by compare-and-swap, so that
//! uploads side by side cannot overshoot together.
//!
//! What an upload reserves is known from its first chunk: the bytes it announced, or as many as if each of its chunks were as large as
//! the largest so far, whichever is more. Reserving the same again changes nothing, so a chunk sent twice counts once, also after a
//! crash. Once the content is complete the reservation is what it has.

use std::time::Duration;

use storage_core::bson::{Bson, Document, doc};
use storage_core::{Error, ErrorKind, Query, Result, Retry, Timestamp};

use super::content::Content;
use super::fields::{Fields, millis, number};
use super::info::ChunkInfo;
use super::names;
use super::store::{Change, ChunkStore, busy, document, unless_lost};
use super::totals::Room;
use crate::race;

/// A session.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id.
    pub session_id: String,
    /// When its first chunk arrived.
    pub created_at: Timestamp,
    /// When something of it was last written, read or listed, give or take a minute.
    pub last_active: Timestamp,
    /// What [`set_session_metadata`](ChunkStore::set_session_metadata) put there.
    pub metadata: Option<Document>,
}

/// What one content has reserved.
struct Reservation<'a> {
    content_id: &'a str,
    bytes: u64,
    since: Timestamp,
}

const RESERVED: &str = "reserved";

/// What has a limit.
#[derive(Clone, Copy)]
enum Limit {
    OfSession,
    OfAll,
}

impl ChunkStore {
    /// Every session, in the UTF-8 byte order of ids.
    ///
    /// # Errors
    /// `Corrupt` naming a record that is not one of a session; those of the medium.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>> {
        let mut sessions = Vec::new();
        let mut found = self.sessions_collection().find(Query::all()).await?;
        while let Some(record) = found.next().await? {
            sessions.push(read(record.id.as_str(), &document(&record.value)?)?);
        }
        Ok(sessions)
    }

    /// A session; `None` when nothing was ever saved in it.
    ///
    /// # Errors
    /// `Corrupt` when what is stored is not a session; those of the medium.
    pub async fn session_info(&self, session_id: &str) -> Result<Option<SessionInfo>> {
        names::check_session_id(&self.storage, session_id)?;
        match self.sessions_collection().get(session_id).await? {
            Some(record) => read(session_id, &document(&record.value)?).map(Some),
            None => Ok(None),
        }
    }

    /// Keeps whatever belongs to a session with it; `None` removes that. The session comes to be if it is not there.
    ///
    /// # Errors
    /// `InvalidName` and `LimitExceeded` for the id; `InvalidArgument` for what cannot be stored; those of the medium.
    pub async fn set_session_metadata(&self, session_id: &str, metadata: Option<Document>) -> Result<()> {
        names::check_session_id(&self.storage, session_id)?;
        let now = self.storage.now();
        self.change(&self.sessions_collection(), session_id, |body| {
            let mut body = body.unwrap_or_else(|| session(session_id, now));
            match &metadata {
                Some(metadata) => body.insert("metadata", metadata.clone()),
                None => body.remove("metadata"),
            };
            Ok(Change::Write(body, ()))
        })
        .await
    }

    /// Reserves what the upload of this chunk needs, and makes the session if it is not there. `fresh` says that the content is not
    /// there yet, so that a cleanup sees that somebody has just begun.
    pub(super) async fn reserve(&self, info: &ChunkInfo, bytes: u64, fresh: bool) -> Result<()> {
        let session_id = info.session_id.as_str();
        let sessions = self.sessions_collection();
        let announced = bytes
            .saturating_mul(info.total_chunks.into())
            .max(info.content_size.unwrap_or(0));
        let entry = format!("sessions/{session_id}");
        // The most that an attempt which was lost may have raised the session's number to.
        let (mut raised, mut made) = (0, None);
        for attempt in 0..race::MAX_ATTEMPTS {
            let now = self.storage.now();
            let found = sessions.get(session_id).await?;
            if found.is_none() && self.options.max_total_bytes.is_some() {
                let empty = session(session_id, now);
                made = self.swap(&sessions, session_id, None, &empty).await?;
                continue;
            }
            let mut body = match &found {
                Some(found) => document(&found.value)?,
                None => session(session_id, now),
            };
            let (own, others) = shares(&body, &info.content_id, &entry)?;
            if found.is_some() && !fresh && own.is_some_and(|own| own >= announced) {
                return self.bring_down(session_id, raised, 0).await;
            }
            let wanted = announced.max(own.unwrap_or(0));
            let total = others.saturating_add(wanted);
            let refused = match self.options.max_session_bytes.filter(|limit| total > *limit) {
                Some(limit) => Some((Limit::OfSession, limit, others)),
                None => match self
                    .raise(session_id, total, self.options.max_total_bytes)
                    .await?
                {
                    Room::Enough => None,
                    Room::None { used } => {
                        let limit = self.options.max_total_bytes.unwrap_or(u64::MAX);
                        Some((Limit::OfAll, limit, used.saturating_add(others)))
                    }
                },
            };
            if let Some((which, limit, used)) = refused {
                self.bring_down(session_id, raised, 0).await?;
                if let Some(version) = made {
                    unless_lost(sessions.delete_if(session_id, version).await)?;
                }
                return Err(self.full(which, session_id, limit, used, wanted).await);
            }
            raised = raised.max(total);
            set(&mut body, &info.content_id, Some((wanted, now)), &entry)?;
            body.insert("last_active", millis(now));
            let version = found.map(|found| found.version);
            let swapped = self.swap(&sessions, session_id, version.as_ref(), &body);
            if swapped.await?.is_some() {
                return self.bring_down(session_id, raised, total).await;
            }
            race::pause(attempt).await;
        }
        Err(busy().with_key(entry))
    }

    /// The refusal of an upload that does not fit: which limit, how much is used, and when it frees.
    async fn full(&self, which: Limit, session_id: &str, limit: u64, used: u64, wanted: u64) -> Error {
        let (name, oldest) = match which {
            Limit::OfSession => ("the session", self.oldest_upload(session_id).await),
            Limit::OfAll => ("all sessions together", self.oldest_upload_of_all().await),
        };
        let frees = oldest
            .unwrap_or(None)
            .map(|oldest| oldest.after(self.options.upload_age));
        let when = frees.map_or_else(
            || "delete or unpin something".to_owned(),
            |time| format!("delete or unpin something, or wait until {time} for an unfinished upload to go"),
        );
        let message =
            format!("{name} may have {limit} bytes, {used} are used and this content needs {wanted}: {when}");
        let error = Error::new(ErrorKind::LimitExceeded, message)
            .with_retry(Retry::Later)
            .with_context("limit of", name)
            .with_context("limit", limit.to_string())
            .with_context("used", used.to_string())
            .with_context("got", wanted.to_string());
        match frees {
            Some(time) => error.with_context("frees_at", time.as_millis().to_string()),
            None => error,
        }
    }

    /// When the unfinished upload that has rested longest was last heard of.
    async fn oldest_upload(&self, session_id: &str) -> Result<Option<Timestamp>> {
        let listing = self.list_content(session_id, usize::MAX, 0).await?;
        let uploads = listing.items.iter().filter(|content| !content.is_complete);
        Ok(uploads.map(|content| content.last_accessed).min())
    }

    /// Brings what a content has reserved in line with what became of it: nothing for one that is deleted or another session's, its
    /// size for one that is complete. A reservation without a content is an upload that has just begun, until it is `age` old.
    pub(super) async fn settle(&self, session_id: &str, content_id: &str, age: Duration) -> Result<()> {
        let sessions = self.sessions_collection();
        let mut raised = 0;
        for attempt in 0..race::MAX_ATTEMPTS {
            let now = self.storage.now();
            let totals = self.totals().await?;
            // The session is read before the content: whoever begins to upload the content anew changes the session first, and the
            // swap below then fails.
            let found = sessions.get(session_id).await?;
            let content = self.any_content(content_id).await?;
            if found.is_none() && content.is_some() && self.options.max_total_bytes.is_some() {
                let empty = session(session_id, now);
                self.swap(&sessions, session_id, None, &empty).await?;
                continue;
            }
            let mut body = match &found {
                Some(found) => document(&found.value)?,
                // Deleted while the content was on its way, which brings it back.
                None => session(session_id, now),
            };
            let version = found.map(|found| found.version);
            let entry = format!("sessions/{session_id}");
            let own = reservations(&body, &entry)?
                .into_iter()
                .find(|reservation| reservation.content_id == content_id)
                .map(|reservation| (reservation.bytes, reservation.since));
            let Some(wanted) = becomes(own, content.as_ref(), session_id, age, now) else {
                return self.bring_down(session_id, raised, 0).await;
            };
            set(&mut body, content_id, wanted, &entry)?;
            let total = Self::total_of(session_id, &body)?;
            if own.is_none_or(|(own, _)| wanted.is_some_and(|(wanted, _)| wanted > own)) {
                // What is there already is not refused.
                self.raise(session_id, total, None).await?;
                raised = raised.max(total);
            }
            if self
                .swap(&sessions, session_id, version.as_ref(), &body)
                .await?
                .is_some()
            {
                return self.lower(totals, session_id, total).await;
            }
            race::pause(attempt).await;
        }
        Err(busy().with_key(format!("sessions/{session_id}")))
    }

    /// The contents that have something reserved in a session.
    pub(super) fn reserved_by(session_id: &str, body: &Document) -> Result<Vec<(String, u64)>> {
        let entry = format!("sessions/{session_id}");
        Ok(reservations(body, &entry)?
            .into_iter()
            .map(|reservation| (reservation.content_id.to_owned(), reservation.bytes))
            .collect())
    }
}

/// What a reservation is to be; `None` when it is that already.
#[allow(
    clippy::option_option,
    reason = "no reservation is something a reservation can become"
)]
fn becomes(
    own: Option<(u64, Timestamp)>,
    content: Option<&Content>,
    session_id: &str,
    age: Duration,
    now: Timestamp,
) -> Option<Option<(u64, Timestamp)>> {
    match content {
        None => own
            .is_some_and(|(_, since)| since.after(age) <= now)
            .then_some(None),
        Some(content) if content.deleting || content.metadata.session_id != session_id => {
            own.is_some().then_some(None)
        }
        Some(content) if content.metadata.is_complete => {
            let size = content.metadata.total_size;
            (own.map(|(bytes, _)| bytes) != Some(size)).then_some(Some((size, now)))
        }
        Some(_) => None,
    }
}

/// The record of a session in which nothing was saved yet.
fn session(session_id: &str, now: Timestamp) -> Document {
    doc! { "session_id": session_id, "created_at": millis(now), "last_active": millis(now) }
}

fn read(session_id: &str, body: &Document) -> Result<SessionInfo> {
    let entry = format!("sessions/{session_id}");
    let fields = Fields::of(body, &entry);
    if fields.text("session_id")? != session_id {
        return Err(fields.wrong("session_id", "is not the id of the document"));
    }
    Ok(SessionInfo {
        session_id: session_id.to_owned(),
        created_at: fields.time("created_at")?,
        last_active: fields.time("last_active")?,
        metadata: fields.optional("metadata", Fields::document)?,
    })
}

fn reservations<'a>(body: &'a Document, entry: &'a str) -> Result<Vec<Reservation<'a>>> {
    let fields = Fields::of(body, entry);
    let mut reservations = Vec::new();
    for reservation in fields.documents(RESERVED)? {
        let of = Fields::of(reservation, entry);
        let Ok(content_id) = reservation.get_str("content_id") else {
            return Err(fields.wrong(RESERVED, "names no content"));
        };
        reservations.push(Reservation {
            content_id,
            bytes: of.number("bytes")?,
            since: of.time("since")?,
        });
    }
    Ok(reservations)
}

/// What a content of a session has reserved, and what all others have.
fn shares(body: &Document, content_id: &str, entry: &str) -> Result<(Option<u64>, u64)> {
    let (mut own, mut others) = (None, 0_u64);
    for reservation in reservations(body, entry)? {
        if reservation.content_id == content_id {
            own = Some(reservation.bytes);
        } else {
            others = others.saturating_add(reservation.bytes);
        }
    }
    Ok((own, others))
}

/// Puts one content's reservation in place of the one it had; `None` removes it.
fn set(body: &mut Document, content_id: &str, wanted: Option<(u64, Timestamp)>, entry: &str) -> Result<()> {
    let mut kept: Vec<Bson> = Fields::of(body, entry)
        .documents(RESERVED)?
        .into_iter()
        .filter(|reservation| reservation.get_str("content_id").ok() != Some(content_id))
        .map(|reservation| Bson::Document(reservation.clone()))
        .collect();
    if let Some((bytes, since)) = wanted {
        let reservation = doc! { "content_id": content_id, "bytes": number(bytes), "since": millis(since) };
        kept.push(Bson::Document(reservation));
    }
    body.insert(RESERVED, kept);
    Ok(())
}
