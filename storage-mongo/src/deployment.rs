//! [`Deployment`]: what the server at the other end is and can do, found out by asking and by trying.

use std::time::Duration;

use bson::{Bson, DateTime, Document, doc};
use futures::StreamExt;
use futures::future::join_all;
use mongodb::change_stream::event::{OperationType, ResumeToken};
use mongodb::options::{Acknowledgment, ReadConcern, WriteConcern};
use mongodb::{Client, Collection, Database};
use storage_core::{ErrorKind, Result, Version};

use crate::error::{DuplicateKey, Kind, classify, timed_out};
use crate::names::PROBE;
use crate::watch::{self, Events};

/// How many writers race for one document. A server that decides and writes in two steps lets several of so many win.
const RACERS: i32 = 8;
/// How many times they race.
const ROUNDS: i32 = 3;

/// How long a server has to tell a change. It takes milliseconds; the rest is for one that is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the server is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// Name and version.
    pub(crate) server: String,
    /// Whether several members have the data.
    pub(crate) replicated: bool,
    /// Whether several writes can be made all or none.
    pub(crate) transactions: bool,
    /// Whether a condition is decided and the write applied in one step.
    pub(crate) compare_and_swap: bool,
    /// Whether of several inserts of one id exactly one wins.
    pub(crate) create_if_absent: bool,
    /// Whether changes are told, and again behind a position.
    pub(crate) change_streams: bool,
}

impl Deployment {
    /// Asks and tries the server. What it writes it removes; after a crash in between `sweep` does.
    ///
    /// # Errors
    /// Those of the connection. That the server cannot do something is no error.
    pub(crate) async fn probe(client: &Client, database: &Database, timeout: Duration) -> Result<Self> {
        let probe = Probe {
            client,
            database,
            scratch: database.collection(PROBE),
            timeout,
        };
        // The first exchange finds out whether there is a server, whether it takes the credentials, and what it is.
        let hello = probe
            .ask(Kind::Read, database.run_command(doc! { "hello": 1 }))
            .await?;
        let build = probe
            .ask(Kind::Read, database.run_command(doc! { "buildInfo": 1 }))
            .await
            .or_else(|error| match error.kind() {
                // Naming the server is not worth a connection that works otherwise.
                ErrorKind::PermissionDenied | ErrorKind::Unsupported => Ok(Document::new()),
                _ => Err(error),
            })?;
        // Its updates are known to read and write in two steps; that a race did not show it once proves nothing.
        let two_steps = build.contains_key("ferretdb") || build.contains_key("ferretdbVersion");
        let create_if_absent = probe.inserts_have_one_winner().await?;
        let compare_and_swap = create_if_absent && !two_steps && probe.updates_have_one_winner().await?;
        let transactions = compare_and_swap && has_sessions(&hello) && probe.transactions_undo().await?;
        let change_streams = compare_and_swap && has_sessions(&hello) && probe.changes_are_told().await?;
        Ok(Self {
            server: name(&build),
            change_streams,
            replicated: data_members(&hello) > 1,
            transactions,
            compare_and_swap,
            create_if_absent,
        })
    }
}

struct Probe<'a> {
    client: &'a Client,
    database: &'a Database,
    scratch: Collection<Document>,
    timeout: Duration,
}

impl Probe<'_> {
    async fn ask<T>(
        &self,
        kind: Kind,
        exchange: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
    ) -> Result<T> {
        within(self.timeout, kind, exchange).await
    }

    async fn inserts_have_one_winner(&self) -> Result<bool> {
        let id = scratch_id();
        let inserts = (0..RACERS).map(|racer| {
            let document = doc! { "_id": &id, "at": DateTime::now(), "racer": racer };
            async move { self.ask(Kind::Write, self.scratch.insert_one(document)).await }
        });
        let mut winners = 0;
        let mut failed = None;
        for answer in join_all(inserts).await {
            match answer {
                Ok(_) => winners += 1,
                Err(error) if DuplicateKey::of(&error).is_some() => {}
                Err(error) => failed = Some(error),
            }
        }
        self.remove(&id).await?;
        failed.map_or(Ok(winners == 1), Err)
    }

    async fn updates_have_one_winner(&self) -> Result<bool> {
        let id = scratch_id();
        let state = |round: i32, racer: i32| doc! { "_id": &id, "at": DateTime::now(), "round": round, "racer": racer };
        self.ask(Kind::Write, self.scratch.insert_one(state(0, 0)))
            .await?;
        let mut right = true;
        let mut failed = None;
        for round in 0..ROUNDS {
            let swaps = (0..RACERS).map(|racer| {
                let (expected, next) = (doc! { "_id": &id, "round": round }, state(round + 1, racer));
                async move {
                    self.ask(Kind::Write, self.scratch.replace_one(expected, next))
                        .await
                }
            });
            let mut winners = 0;
            for answer in join_all(swaps).await {
                match answer {
                    Ok(done) => winners += done.matched_count,
                    // A server may refuse the loser instead of matching nothing.
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    Err(error) => failed = Some(error),
                }
            }
            right &= winners == 1;
        }
        self.remove(&id).await?;
        failed.map_or(Ok(right), Err)
    }

    /// Whether an aborted transaction leaves nothing, and nothing of it is seen before. There are servers that take the commands and
    /// apply every write at once.
    async fn transactions_undo(&self) -> Result<bool> {
        let id = scratch_id();
        let undone = match self.abort_one(&id).await {
            Ok(undone) => undone,
            // What it can do is not known then.
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => {
                return Err(error);
            }
            // Refused in whatever way the server has: there are no transactions.
            Err(error) => {
                tracing::debug!(%error, "the server has no transactions");
                false
            }
        };
        if !undone {
            self.remove(&id).await?;
        }
        Ok(undone)
    }

    async fn abort_one(&self, id: &str) -> Result<bool> {
        let mut session = self
            .ask(Kind::Read, async { self.client.start_session().await })
            .await?;
        let majority = WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .build();
        let begin = session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(majority);
        self.ask(Kind::Read, begin).await?;
        // A transaction whose first answer did not come the driver does not abort, so the first statement is one that locks nothing.
        let look = self.scratch.find_one(doc! { "_id": id }).session(&mut session);
        self.ask(Kind::Read, look).await?;
        let insert = self
            .scratch
            .insert_one(doc! { "_id": id, "at": DateTime::now() })
            .session(&mut session);
        let inserted = self.ask(Kind::Write, insert).await;
        let seen_before = match inserted {
            Ok(_) => self.is_there(id).await,
            Err(error) => Err(error),
        };
        let aborted = self.ask(Kind::Write, session.abort_transaction()).await;
        let seen_before = seen_before?;
        aborted?;
        Ok(!seen_before && !self.is_there(id).await?)
    }

    /// Whether a write is told to who watches, and a deletion to who goes on behind the write. There are servers that take the
    /// command and have nothing to tell.
    async fn changes_are_told(&self) -> Result<bool> {
        let id = scratch_id();
        let told = self.watch_one(&id).await;
        self.remove(&id).await?;
        match told {
            Ok(told) => Ok(told),
            // What it can do is not known then.
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => Err(error),
            // Refused in whatever way the server has: there are no change streams.
            Err(error) => {
                tracing::debug!(%error, "the server has no change streams");
                Ok(false)
            }
        }
    }

    async fn watch_one(&self, id: &str) -> Result<bool> {
        let mut events = self.ask(Kind::Read, watch::open(&self.scratch, None)).await?;
        self.ask(
            Kind::Write,
            self.scratch.insert_one(doc! { "_id": id, "at": DateTime::now() }),
        )
        .await?;
        let Some(position) = self.told(&mut events, id, &OperationType::Insert).await? else {
            return Ok(false);
        };
        self.remove(id).await?;
        let again = watch::open(&self.scratch, Some(position));
        let mut events = self.ask(Kind::Read, again).await?;
        Ok(self
            .told(&mut events, id, &OperationType::Delete)
            .await?
            .is_some())
    }

    /// The position of the next event about this document, if it is this one. Others probe at the same time.
    async fn told(
        &self,
        events: &mut Events,
        id: &str,
        expected: &OperationType,
    ) -> Result<Option<ResumeToken>> {
        let next = async {
            while let Some(event) = events.next().await {
                let event = event?;
                let key = event
                    .document_key
                    .as_ref()
                    .and_then(|key| key.get_str("_id").ok());
                if key == Some(id) {
                    return Ok((event.operation_type == *expected).then_some(event.id));
                }
            }
            Ok(None)
        };
        match tokio::time::timeout(self.timeout.min(PATIENCE), next).await {
            Ok(answer) => answer.map_err(|error| classify(error, Kind::Read)),
            Err(_) => Ok(None),
        }
    }

    async fn is_there(&self, id: &str) -> Result<bool> {
        let found = self
            .ask(
                Kind::Read,
                self.database
                    .collection::<Document>(PROBE)
                    .find_one(doc! { "_id": id }),
            )
            .await?;
        Ok(found.is_some())
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.ask(Kind::Write, self.scratch.delete_one(doc! { "_id": id }))
            .await
            .map(drop)
    }
}

/// One exchange with the server before there is a handle.
pub(crate) async fn within<T>(
    timeout: Duration,
    kind: Kind,
    exchange: impl IntoFuture<Output = mongodb::error::Result<T>, IntoFuture: Send> + Send,
) -> Result<T> {
    match tokio::time::timeout(timeout, exchange.into_future()).await {
        Ok(answer) => answer.map_err(|error| classify(error, kind)),
        Err(_) => Err(timed_out(kind)),
    }
}

fn scratch_id() -> String {
    Version::random().to_string()
}

/// Whether `hello` is that of a deployment with sessions: a member of a replica set, or a router before shards.
fn has_sessions(hello: &Document) -> bool {
    let member = hello.get_str("setName").is_ok();
    let router = hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid");
    // Null on servers that know the field and have no sessions.
    let sessions = !matches!(hello.get("logicalSessionTimeoutMinutes"), None | Some(Bson::Null));
    sessions && (member || router)
}

/// How many members `hello` tells that have the data: arbiters stand in a list of their own. A router does not tell.
fn data_members(hello: &Document) -> usize {
    ["hosts", "passives"]
        .iter()
        .filter_map(|list| hello.get_array(list).ok())
        .map(Vec::len)
        .sum()
}

/// Name and version from `buildInfo`. Servers that speak MongoDB's protocol put the version they imitate into `version`, and their own
/// under their name.
fn name(build: &Document) -> String {
    let own = |at: &str| match build.get(at) {
        Some(Bson::String(version)) => Some(version.clone()),
        Some(Bson::Document(about)) => about.get_str("version").ok().map(str::to_owned),
        _ => None,
    };
    let plain = |version: String| version.trim_start_matches('v').to_owned();
    if let Some(version) = own("ferretdbVersion").or_else(|| own("ferretdb")) {
        return format!("FerretDB {}", plain(version));
    }
    if let Some(version) = own("secantusVersion").or_else(|| own("secantus")) {
        return format!("SecantusDB {}", plain(version));
    }
    match own("version") {
        Some(version) => format!("MongoDB {}", plain(version)),
        None => "a MongoDB-compatible server of unknown version".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_called_by_their_own_name() {
        for (build, expected) in [
            (doc! { "version": "8.0.4" }, "MongoDB 8.0.4"),
            (
                doc! { "version": "7.0.42", "ferretdbVersion": "v1.24.2" },
                "FerretDB 1.24.2",
            ),
            (
                doc! { "version": "7.0.77", "ferretdb": { "version": "v2.1.0" } },
                "FerretDB 2.1.0",
            ),
            (doc! {}, "a MongoDB-compatible server of unknown version"),
        ] {
            assert_eq!(name(&build), expected);
        }
    }

    #[test]
    fn sessions_need_a_replica_set_or_a_router() {
        assert!(has_sessions(
            &doc! { "setName": "rs0", "logicalSessionTimeoutMinutes": 30 }
        ));
        assert!(has_sessions(
            &doc! { "msg": "isdbgrid", "logicalSessionTimeoutMinutes": 30 }
        ));
        assert!(!has_sessions(&doc! { "logicalSessionTimeoutMinutes": 30 }));
        assert!(!has_sessions(&doc! { "setName": "rs0" }));
        assert!(!has_sessions(
            &doc! { "setName": "rs0", "logicalSessionTimeoutMinutes": null }
        ));
    }

    #[test]
    fn arbiters_have_no_data() {
        let hello = doc! { "hosts": ["a:1"], "arbiters": ["b:1", "c:1"] };
        assert_eq!(data_members(&hello), 1);
        assert_eq!(
            data_members(&doc! { "hosts": ["a:1", "b:1"], "passives": ["c:1"] }),
            3
        );
        assert_eq!(data_members(&doc! { "msg": "isdbgrid" }), 0);
    }
}
