//! The changes of a collection, as the server's change streams tell them.

use bson::Document;
use bson::doc;
use futures::StreamExt;
use futures::stream;
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::{ChangeStreamEvent, OperationType, ResumeToken};
use mongodb::{Collection, error::Error as Native};
use serde::{Deserialize, Serialize};
use storage_core::{
    Change, ChangeKind, ChangePosition, Changes, DocumentId, Error, ErrorKind, Name, Result, WatchRequest,
};

use crate::error::{Kind, classify, native_code, timed_out};
use crate::names::collection;
use crate::store::Inner;

/// The server no longer, or never, knew the position: InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost.
const LOST: [i32; 3] = [260, 280, 286];

/// Events, without the documents they are about.
pub(crate) type Events = ChangeStream<ChangeStreamEvent<Document>>;

/// A position as the adapter writes it.
#[derive(Serialize, Deserialize)]
struct Position {
    after: ResumeToken,
}

pub(crate) async fn watch(inner: &Inner, name: &Name, request: &WatchRequest) -> Result<Changes> {
    let after = request.after.as_ref().map(token).transpose()?;
    let documents = inner.collection::<Document>(&collection(name));
    let opening = open(&documents, after);
    let events = match tokio::time::timeout(inner.config.operation_timeout, opening).await {
        Ok(Ok(events)) => events,
        Ok(Err(error)) => return Err(told(error)),
        Err(_) => return Err(timed_out(Kind::Read)),
    };
    let changes = stream::unfold(Some(events), |events| async move {
        let mut events = events?;
        loop {
            return match events.next().await? {
                Ok(event) => match change(event) {
                    Ok(Some(change)) => Some((Ok(change), Some(events))),
                    Ok(None) => continue,
                    Err(error) if error.kind() == ErrorKind::Corrupt => Some((Err(error), Some(events))),
                    Err(error) => Some((Err(error), None)),
                },
                Err(error) => Some((Err(told(error)), None)),
            };
        }
    });
    Ok(changes.boxed())
}

/// Begins to watch. What the documents hold stays on the server.
pub(crate) async fn open(
    documents: &Collection<Document>,
    after: Option<ResumeToken>,
) -> std::result::Result<Events, Native> {
    documents
        .watch()
        .pipeline([doc! { "$project": { "fullDocument": 0, "updateDescription": 0 } }])
        .resume_after(after)
        .await
}

fn told(error: Native) -> Error {
    match native_code(&error) {
        Some(code) if LOST.contains(&code) => ChangePosition::lost().with_source(error),
        _ => classify(error, Kind::Read),
    }
}

/// What an event says about a document, if it is about one.
fn change(event: ChangeStreamEvent<Document>) -> Result<Option<Change>> {
    let kind = match event.operation_type {
        OperationType::Insert | OperationType::Replace | OperationType::Update => ChangeKind::Written,
        OperationType::Delete => ChangeKind::Deleted,
        OperationType::Drop
        | OperationType::DropDatabase
        | OperationType::Invalidate
        | OperationType::Rename => return Err(gone()),
        // Of indexes and shards.
        _ => return Ok(None),
    };
    let key = event.document_key.unwrap_or_default();
    let id = key.get_str("_id").ok().and_then(|id| DocumentId::new(id).ok());
    let id = id.ok_or_else(|| {
        let key = key.get("_id").map(ToString::to_string).unwrap_or_default();
        Error::corrupt(
            key,
            "what was changed is no document: its _id is no text that an id can have",
        )
    })?;
    Ok(Some(Change {
        id,
        kind,
        position: position(&event.id)?,
    }))
}

fn position(token: &ResumeToken) -> Result<ChangePosition> {
    let position = Position { after: token.clone() };
    let bytes = bson::serialize_to_vec(&position).map_err(|error| {
        Error::new(ErrorKind::Internal, "the server's resume token cannot be written").with_source(error)
    })?;
    Ok(ChangePosition::new(bytes))
}

/// What is no position of this adapter is as good as one that is not known any more.
fn token(position: &ChangePosition) -> Result<ResumeToken> {
    bson::deserialize_from_slice::<Position>(position.as_bytes())
        .map(|position| position.after)
        .map_err(|error| ChangePosition::lost().with_source(error))
}

fn gone() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "another program dropped or renamed the collection while it was watched; watch anew",
    )
}
