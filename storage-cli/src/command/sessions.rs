//! `storage sessions`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use storage_core::{ErrorKind, Result as StorageResult};
use storage_stores::chunks::{ChunkOptions, ChunkStore, ContentMetadata, SEARCHED_FIELDS};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sessions in the order of their ids, one line of JSON each
    List,
    /// What a session holds, pinned first and then the newest, one line of JSON each
    Show(Show),
    /// Keep contents from every cleanup
    Pin(Contents),
    /// Give contents back to the cleanups
    Unpin(Contents),
    /// Give a content another name
    Rename {
        /// The content
        id: String,
        /// Its new name
        name: String,
    },
    /// Delete contents, or a whole session; deleting what is not there is fine
    Rm(Remove),
    /// Remove the oldest contents of each session and uploads nobody finishes, and print what went
    Cleanup(Cleanup),
    /// What a session uses, as JSON
    Usage {
        /// The session
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The session
    id: String,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Leave out so many of the first
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    offset: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Contents {
    /// The contents
    #[arg(required = true)]
    ids: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The contents
    #[arg(required_unless_present = "session")]
    ids: Vec<String>,
    /// A session with everything in it, pinned or not
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    session: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Cleanup {
    /// How many contents of each session stay, beside those that are pinned; 20, or `MAX_ITEMS_PER_SESSION`
    #[arg(long, value_name = "NUMBER")]
    keep: Option<u64>,
    /// Print what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionLine<'a> {
    id: &'a str,
    created: String,
    last_active: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContentLine<'a> {
    id: &'a str,
    name: Option<&'a str>,
    #[serde(rename = "type")]
    content_type: &'a str,
    bytes: u64,
    chunks: u32,
    complete: bool,
    pinned: bool,
    created: String,
}

#[derive(Serialize)]
struct UsageLine {
    items: u64,
    pinned: u64,
    uploads: u64,
    bytes: u64,
    reserved: u64,
}

#[derive(Serialize)]
struct CleanupLine<'a> {
    removed: &'a [String],
    bytes: u64,
    finished: u64,
    busy: bool,
    more: bool,
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let options = match &self {
            Self::Cleanup(cleanup) => cleanup.options()?,
            _ => ChunkOptions::new(),
        };
        session
            .searching(SEARCHED_FIELDS)
            .with_storage(async |storage| {
                // Nothing happens beside what was asked for.
                let options = options.cleanup_interval(Duration::ZERO);
                let store = ChunkStore::open(storage.clone(), options).await?;
                self.on(&store, output).await
            })
            .await
    }

    async fn on(self, store: &ChunkStore, output: &mut Output) -> Result<()> {
        match self {
            Self::List => list(store, output).await,
            Self::Show(command) => command.run(store, output).await,
            Self::Pin(contents) => {
                for id in contents.ids {
                    there(&id, store.pin(&id).await)?;
                }
                Ok(())
            }
            Self::Unpin(contents) => {
                for id in contents.ids {
                    there(&id, store.unpin(&id).await)?;
                }
                Ok(())
            }
            Self::Rename { id, name } => there(&id, store.rename(&id, &name).await),
            Self::Rm(command) => command.run(store).await,
            Self::Cleanup(command) => command.run(store, output).await,
            Self::Usage { id } => usage(&id, store, output).await,
        }
    }
}

async fn list(store: &ChunkStore, output: &mut Output) -> Result<()> {
    for session in store.sessions().await? {
        output.json(&SessionLine {
            id: &session.session_id,
            created: text::time(session.created_at),
            last_active: text::time(session.last_active),
        })?;
    }
    Ok(())
}

impl Show {
    async fn run(self, store: &ChunkStore, output: &mut Output) -> Result<()> {
        if store.session_info(&self.id).await?.is_none() {
            return Err(no_session(&self.id));
        }
        let limit = self.limit.unwrap_or(usize::MAX);
        let list = store.list_content(&self.id, limit, self.offset).await?;
        for content in &list.items {
            output.json(&ContentLine::of(content))?;
        }
        output.flush()?;
        // One that cannot be read hides no other, and is not hidden.
        let unreadable = list.unreadable.into_iter().next();
        unreadable.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl<'a> ContentLine<'a> {
    fn of(content: &'a ContentMetadata) -> Self {
        let metadata = content.additional_metadata.as_ref();
        Self {
            id: &content.content_id,
            name: metadata.and_then(|metadata| metadata.get_str("fileName").ok()),
            content_type: &content.content_type,
            bytes: content.total_size,
            chunks: content.total_chunks,
            complete: content.is_complete,
            pinned: content.is_pinned,
            created: text::time(content.created_at),
        }
    }
}

impl Remove {
    async fn run(self, store: &ChunkStore) -> Result<()> {
        if let Some(session) = &self.session {
            store.delete_session(session).await?;
        }
        for id in &self.ids {
            store.delete_content(id).await?;
        }
        Ok(())
    }
}

impl Cleanup {
    fn options(&self) -> Result<ChunkOptions> {
        let options = ChunkOptions::from_env()?;
        Ok(match self.keep {
            Some(items) => options.max_items_per_session(items),
            None => options,
        })
    }

    async fn run(self, store: &ChunkStore, output: &mut Output) -> Result<()> {
        let report = if self.dry_run {
            store.cleanup_dry_run().await?
        } else {
            store.cleanup().await?
        };
        output.json(&CleanupLine {
            removed: &report.removed,
            bytes: report.bytes,
            finished: report.finished,
            busy: report.busy,
            more: report.more,
        })?;
        output.flush()?;
        let unreadable = report.unreadable.into_iter().next();
        unreadable.map_or(Ok(()), |error| Err(error.into()))
    }
}

async fn usage(id: &str, store: &ChunkStore, output: &mut Output) -> Result<()> {
    if store.session_info(id).await?.is_none() {
        return Err(no_session(id));
    }
    let usage = store.usage(id).await?;
    output.json(&UsageLine {
        items: usage.items,
        pinned: usage.pinned,
        uploads: usage.uploads,
        bytes: usage.bytes,
        reserved: usage.reserved,
    })
}

/// What is not there ends the command with the code for that.
fn there(id: &str, done: StorageResult<()>) -> Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::NotFound(format!("content {id:?}")))
        }
        done => Ok(done?),
    }
}

fn no_session(id: &str) -> Failure {
    Failure::NotFound(format!("session {id:?}"))
}
