//! A client that is killed: it is a process of its own for one operation. What it was told is done has to be there; what it was doing
//! is there whole or not at all, and the model follows whichever of the two is seen.

use storage_core::{Clock, ErrorKind, ReadRequest, Version};

use super::{Subject, answered};
use crate::case::{Failure, Verdict};
use crate::model::crashes::{Crashes, Met};
use crate::model::doomed::{Answer, Doomed, Work, whole};
use crate::model::operation::{End, Operation};
use crate::model::state;
use crate::processes::Moment;

/// What is to be done before the crash, and what becomes of it.
struct Planned {
    work: Work,
    /// The changes of documents among it.
    changes: Vec<(String, state::Change)>,
    /// Every reason for which it is refused.
    refusals: Vec<ErrorKind>,
}

impl Subject<'_> {
    pub(super) async fn crash(&mut self, client: usize, during: &Operation, moment: Moment) -> Verdict {
        let Some(crashes) = self.crashes else {
            return Err("the sequence has crashes, and the harness offers no processes".into());
        };
        let Some(planned) = self.planned(during)? else {
            return Ok(());
        };
        let answer = self.kill(crashes, client, planned.work.clone(), moment).await?;
        match (answer, planned.refusals.as_slice()) {
            (Some(Answer::Done(versions)), []) => self.follow(client, planned, Some(versions)).await?,
            (Some(Answer::Refused(kind)), refusals)
                if refusals.iter().any(|known| known.to_string() == kind) => {}
            (Some(answer), refusals) => {
                return Err(Failure::new(format!(
                    "the process was told {answer:?}, expected to be {}",
                    if refusals.is_empty() {
                        "done".to_owned()
                    } else {
                        format!("refused as {refusals:?}")
                    }
                )));
            }
            (None, _) => {
                let done = self.settle(client, planned).await?;
                crashes.met(if done { Met::Done } else { Met::Undone });
                return Ok(());
            }
        }
        crashes.met(Met::Answered);
        let looked = self.end().await;
        looked.map_err(|failure| failure.in_context("after a process was killed that had its answer"))
    }

    /// The client becomes a process and is killed; another takes its place.
    async fn kill(
        &mut self,
        crashes: &Crashes,
        client: usize,
        work: Work,
        moment: Moment,
    ) -> Result<Option<Answer>, Failure> {
        let milliseconds = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let doomed = Doomed { milliseconds, work };
        let mut answer = Ok(None);
        self.replaced(client, async |place| {
            answer = crashes.crash(place, doomed, moment).await;
        })
        .await?;
        answer
    }

    /// Nobody knows whether it was done: everything is as before, or all of it is there, unless it is refused. Says which.
    async fn settle(&mut self, client: usize, planned: Planned) -> Result<bool, Failure> {
        for (collection, _) in &planned.changes {
            self.state.collection(collection).ever = true;
        }
        if let Work::Append { log, .. } | Work::CloseLog { log } = &planned.work
            && let Some(log) = self.state.logs.get_mut(log)
        {
            log.torn = true;
        }
        let undone = match self.end().await {
            Ok(()) => return Ok(false),
            Err(failure) if planned.refusals.is_empty() => failure,
            Err(failure) => return Err(failure.in_context("after a write that had to be refused")),
        };
        let done = match self.follow(client, planned, None).await {
            Ok(()) => self.end().await,
            Err(failure) => Err(failure),
        };
        done.map(|()| true).map_err(|done| {
            Failure::new(format!(
                "what a process was doing when it was killed was neither undone ({undone}) nor done ({done})"
            ))
        })
    }

    /// It was done: under the versions that were told, or else those that are there.
    async fn follow(
        &mut self,
        client: usize,
        planned: Planned,
        told: Option<Vec<Option<Version>>>,
    ) -> Verdict {
        let told = |at: usize| told.as_ref().map(|versions| versions.get(at).cloned().flatten());
        match planned.work {
            Work::Write { key, pieces, .. } => {
                let version = match told(0) {
                    Some(version) => version,
                    None => {
                        let objects = self.storage(client).objects();
                        let read = objects.read_with(&key, ReadRequest::default()).await?;
                        read.map(|object| object.meta.version)
                    }
                };
                let version = version.ok_or_else(|| format!("{key:?} has no version"))?;
                self.state.objects.wrote(&key, whole(&pieces).into(), version)?;
            }
            Work::Delete { key, .. } => drop(self.state.objects.all.remove(&key)),
            Work::Change { .. } => {
                for (at, (collection, change)) in planned.changes.iter().enumerate() {
                    let is_same = |(other, later): &(String, state::Change)| {
                        other == collection && later.id == change.id
                    };
                    let version = match told(at) {
                        Some(version) => version,
                        // Nobody ever saw the version of what the same batch replaced.
                        None if planned.changes[at + 1..].iter().any(is_same) => {
                            change.body.is_some().then(Version::random)
                        }
                        None => self.version_of(client, collection, change).await?,
                    };
                    if change.body.is_some() && version.is_none() {
                        return Err(format!("{:?} has no version", change.id).into());
                    }
                    self.state.collection(collection).apply(change.clone(), version)?;
                }
            }
            Work::Append {
                log,
                entries,
                expected,
            } => {
                let model = self.state.logs.get(&log).cloned().unwrap_or_default();
                if model.append(&entries, expected).is_ok_and(|(_, adds)| adds) {
                    self.state.logs.entry(log).or_default().append_all(&entries);
                }
            }
            Work::CloseLog { log } => self.state.logs.entry(log).or_default().close(),
            Work::DeleteLog { log } => self.state.delete_log(&log),
        }
        Ok(())
    }

    /// The version of what was written. Nobody can see that of what is expired already, so any will do.
    async fn version_of(
        &self,
        client: usize,
        collection: &str,
        change: &state::Change,
    ) -> Result<Option<Version>, Failure> {
        if change.body.is_none() {
            return Ok(None);
        }
        if change.expires_at.is_some_and(|at| at <= self.now()) {
            return Ok(Some(Version::random()));
        }
        let found = self.raw(client, collection).get(&change.id).await;
        let found = answered(found, &[])?.flatten();
        Ok(found.map(|document| document.version))
    }

    /// `None` where it names a version there is not.
    fn planned(&mut self, during: &Operation) -> Result<Option<Planned>, Failure> {
        let now = self.now();
        let of_work = |work, refusals| Planned {
            work,
            changes: Vec::new(),
            refusals,
        };
        Ok(match during {
            Operation::Write { key, content, when } => self.condition(key, *when).map(|condition| {
                let refusals = self.state.objects.refusals(key, &condition);
                let work = Work::Write {
                    key: key.clone(),
                    pieces: vec![*content],
                    condition,
                    streamed: false,
                };
                of_work(work, refusals)
            }),
            Operation::Upload {
                key,
                pieces,
                when,
                end: End::Finish,
            } => self.condition(key, *when).map(|condition| {
                let refusals = self.state.objects.refusals(key, &condition);
                let work = Work::Write {
                    key: key.clone(),
                    pieces: pieces.clone(),
                    condition,
                    streamed: true,
                };
                of_work(work, refusals)
            }),
            Operation::Delete { key, version } => {
                let version = match version {
                    None => None,
                    Some(which) => match self.state.objects.meant(key, *which) {
                        None => return Ok(None),
                        version => version,
                    },
                };
                let condition = version.clone().map(storage_core::Condition::IfVersion);
                let refusals = condition.map(|condition| self.state.objects.refusals(key, &condition));
                let key = key.clone();
                Some(of_work(
                    Work::Delete { key, version },
                    refusals.unwrap_or_default(),
                ))
            }
            Operation::Put {
                collection,
                document,
                fence: None,
            } => {
                let change = self.change_of(collection, document);
                change.map(|change| self.planned_changes(vec![(collection.clone(), change)], false, now))
            }
            Operation::Remove {
                collection,
                id,
                version,
            } => {
                let change = self.removal_of(collection, id, *version);
                change.map(|change| self.planned_changes(vec![(collection.clone(), change)], false, now))
            }
            Operation::Commit { writes } => {
                let changes = self.changes_of(writes);
                changes.map(|changes| self.planned_changes(changes, true, now))
            }
            Operation::Append {
                log,
                entries,
                expected,
            } => {
                let model = self.state.logs.get(log).cloned().unwrap_or_default();
                let refusals = model.append(entries, *expected).err();
                let work = Work::Append {
                    log: log.clone(),
                    entries: entries.clone(),
                    expected: *expected,
                };
                Some(of_work(work, refusals.into_iter().collect()))
            }
            Operation::CloseLog { log } => Some(of_work(Work::CloseLog { log: log.clone() }, Vec::new())),
            Operation::DeleteLog { log } => Some(of_work(Work::DeleteLog { log: log.clone() }, Vec::new())),
            other => {
                return Err(Failure::new(format!(
                    "{other:?} is nothing a process is killed in"
                )));
            }
        })
    }

    fn planned_changes(
        &self,
        changes: Vec<(String, state::Change)>,
        batch: bool,
        now: storage_core::Timestamp,
    ) -> Planned {
        let refused = self.state.refused(&changes, now);
        let work = Work::of(&changes, batch);
        Planned {
            work,
            changes,
            refusals: refused.map(|(_, refusals)| refusals).unwrap_or_default(),
        }
    }
}
