//! [`Subject`]: an adapter beside the model. Each step is done to both, and every answer compared.

mod crash;
mod digest;
mod documents;
mod indexes;
mod leases;
mod logs;
mod objects;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::future::join_all;
use storage_core::{
    Applied, Clock, Consistency, Declaration, ErrorKind, Lease, LeaseRequest, Result, Storage, Timestamp,
};

use super::clock::Frozen;
use super::crashes::Crashes;
use super::operation::{Operation, Step};
use super::state::State;
use crate::case::{Failure, Verdict};
use crate::harness::{Harness, Place};

/// How many independent clients there are.
const CLIENTS: usize = 2;

/// An adapter in a place of its own, and the model of what it holds.
pub(super) struct Subject<'a> {
    harness: &'a dyn Harness,
    /// The same, where processes can be killed.
    crashes: Option<&'a Crashes>,
    place: Place,
    clock: Arc<Frozen>,
    clients: Vec<Client>,
    pub(super) declaration: Declaration,
    pub(super) state: State,
    /// Whether what is asked now is not declared.
    undeclared: bool,
}

/// Where a sequence is played.
#[derive(Clone, Copy)]
pub(super) enum Ground<'a> {
    /// In places of a harness.
    Places(&'a dyn Harness),
    /// Where processes can be killed.
    Crashes(&'a Crashes),
}

impl<'a> Ground<'a> {
    pub(super) fn harness(self) -> &'a dyn Harness {
        match self {
            Self::Places(harness) => harness,
            Self::Crashes(crashes) => crashes,
        }
    }

    pub(super) const fn crashes(self) -> Option<&'a Crashes> {
        match self {
            Self::Places(_) => None,
            Self::Crashes(crashes) => Some(crashes),
        }
    }
}

/// One client, with the leases it asks for and holds.
struct Client {
    storage: Storage,
    requests: BTreeMap<String, LeaseRequest>,
    leases: BTreeMap<String, Lease>,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// What the harness says.
    pub(super) async fn open(ground: Ground<'a>) -> std::result::Result<Self, Failure> {
        let harness = ground.harness();
        let (place, clock) = (Place::fresh(), Arc::new(Frozen::default()));
        let first = Client::open(harness, &place, &clock).await?;
        let declaration = first.storage.declaration().clone();
        let mut clients = vec![first];
        // Where a write is seen later, only whoever wrote it can be asked about it.
        if is_linearizable(&declaration) {
            while clients.len() < CLIENTS {
                clients.push(Client::open(harness, &place, &clock).await?);
            }
        }
        Ok(Self {
            harness,
            crashes: ground.crashes(),
            place,
            clock,
            state: State::new(&declaration, clients.len()),
            clients,
            declaration,
            undeclared: false,
        })
    }

    /// Does one step and compares what came of it.
    ///
    /// # Errors
    /// The first difference.
    pub(super) async fn step(&mut self, step: &Step) -> Verdict {
        self.undeclared = step
            .operation
            .needs()
            .into_iter()
            .any(|capability| !self.declaration.support(capability).is_present());
        let client = step.client % self.clients.len();
        let done = self.perform(client, &step.operation).await;
        done.map_err(|failure| failure.in_context(&step.to_string()))
    }

    /// Compares everything, as each client sees it.
    ///
    /// # Errors
    /// The first difference.
    pub(super) async fn end(&mut self) -> Verdict {
        self.undeclared = false;
        for client in 0..self.clients.len() {
            let looked = self.look(client).await;
            looked.map_err(|failure| failure.in_context("looking at everything"))?;
        }
        Ok(())
    }

    /// Closes every client and wipes the place.
    ///
    /// # Errors
    /// What the adapter or the harness says.
    pub(super) async fn close(self) -> Result<()> {
        let closing = self.clients.iter().map(|client| client.storage.close());
        let closed: Result<()> = join_all(closing).await.into_iter().collect();
        drop(self.clients);
        closed.and(self.harness.wipe(&self.place).await)
    }

    async fn perform(&mut self, client: usize, operation: &Operation) -> Verdict {
        match operation {
            Operation::Write { .. }
            | Operation::Upload { .. }
            | Operation::Read { .. }
            | Operation::ReadIf { .. }
            | Operation::Delete { .. }
            | Operation::DeleteMany { .. }
            | Operation::Copy { .. }
            | Operation::List { .. }
            | Operation::Presign { .. } => self.objects(client, operation).await,
            Operation::Put { .. }
            | Operation::PutMany { .. }
            | Operation::Remove { .. }
            | Operation::Get { .. }
            | Operation::Commit { .. } => self.documents(client, operation).await,
            Operation::Find { .. }
            | Operation::EnsureIndex { .. }
            | Operation::DropIndex { .. }
            | Operation::RebuildIndex { .. } => self.indexes(client, operation).await,
            Operation::Append { .. }
            | Operation::ReadLog { .. }
            | Operation::CloseLog { .. }
            | Operation::DeleteLog { .. } => self.logs(client, operation).await,
            Operation::Acquire { .. }
            | Operation::Renew { .. }
            | Operation::Release { .. }
            | Operation::BreakLease { .. } => self.leases(client, operation).await,
            Operation::Sweep => self.sweep(client).await,
            Operation::LookAtEverything => self.look(client).await,
            Operation::AdvanceClock { milliseconds } => {
                self.clock.advance(*milliseconds);
                Ok(())
            }
            Operation::Reopen => {
                self.storage(client).close().await?;
                self.open_anew(client).await
            }
            Operation::DropWithoutClose => self.open_anew(client).await,
            Operation::CrashRestart { during, moment } => self.crash(client, during, *moment).await,
        }
    }

    /// What a sweep finds is each engine's own affair; a second one finds nothing that expired, and nobody sees either.
    async fn sweep(&mut self, client: usize) -> Verdict {
        self.storage(client).sweep().await?;
        let again = self.storage(client + 1).sweep().await?;
        same(&again.purged_documents, &0, "what a second sweep purges")
    }

    async fn open_anew(&mut self, client: usize) -> Verdict {
        self.replaced(client, async |_| ()).await
    }

    /// Another client takes the place of this one, after something that happens while it is free.
    async fn replaced(&mut self, client: usize, meanwhile: impl AsyncFnOnce(&Place)) -> Verdict {
        // Its place in the list is free before the new one opens, as where a process goes and another comes.
        drop(self.clients.remove(client));
        meanwhile(&self.place).await;
        if let Consistency::Eventual { bound } = self.declaration.objects.consistency {
            tokio::time::sleep(bound).await;
        }
        let anew = Client::open(self.harness, &self.place, &self.clock).await?;
        self.clients.insert(client, anew);
        self.state.leases.forget(client);
        Ok(())
    }

    /// A client; numbers beyond the last begin anew.
    fn storage(&self, client: usize) -> &Storage {
        &self.clients[client % self.clients.len()].storage
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The only refusals that are right: these, or that it is not declared.
    fn right(&self, refusals: Vec<ErrorKind>) -> Vec<ErrorKind> {
        if self.undeclared {
            vec![ErrorKind::Unsupported]
        } else {
            refusals
        }
    }
}

impl Client {
    async fn open(harness: &dyn Harness, place: &Place, clock: &Arc<Frozen>) -> Result<Self> {
        let adapter = harness.open(place).await?;
        Ok(Self {
            storage: Storage::with_clock(adapter, clock.clone()),
            requests: BTreeMap::new(),
            leases: BTreeMap::new(),
        })
    }
}

fn is_linearizable(declaration: &Declaration) -> bool {
    let sections = [
        Some(declaration.objects.consistency),
        declaration.documents.as_ref().map(|section| section.consistency),
        declaration.logs.as_ref().map(|section| section.consistency),
    ];
    sections
        .into_iter()
        .flatten()
        .all(|consistency| consistency == Consistency::Linearizable)
}

/// What a call gave; `None` where it was refused as it had to be, for one of these reasons and without any effect.
fn answered<R: fmt::Debug>(
    result: Result<R>,
    refusals: &[ErrorKind],
) -> std::result::Result<Option<R>, Failure> {
    match result {
        Ok(value) if refusals.is_empty() => Ok(Some(value)),
        Ok(value) => Err(Failure::new(format!(
            "got Ok({value:?}), expected to be refused as {refusals:?}"
        ))),
        Err(error) if !refusals.contains(&error.kind()) => {
            let expected = match refusals {
                [] => "Ok".to_owned(),
                refusals => format!("{refusals:?}"),
            };
            Err(Failure::from(error).in_context(&format!("expected {expected}")))
        }
        Err(error) if error.applied() != Applied::No => Err(Failure::new(format!(
            "the refusal does not say that nothing was applied: failed to {error}"
        ))),
        Err(_) => Ok(None),
    }
}

/// Checks that an answer is the model's.
fn same<T: PartialEq + fmt::Debug>(got: &T, expected: &T, what: &str) -> Verdict {
    if got == expected {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{what}: got {got:?}, expected {expected:?}"
    )))
}
