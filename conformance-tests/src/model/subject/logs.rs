//! Operations on logs.

use storage_core::LogEntry;

use super::{Subject, answered, same};
use crate::case::{Verdict, ensure};
use crate::model::operation::Operation;
use crate::model::state::Log;

impl Subject<'_> {
    pub(super) async fn logs(&mut self, client: usize, operation: &Operation) -> Verdict {
        match operation {
            Operation::Append {
                log,
                entries,
                expected,
            } => self.append(client, log, entries, *expected).await,
            Operation::ReadLog { log, from, limit } => self.read_log(client, log, *from, *limit).await,
            Operation::CloseLog { log } => {
                let closed = self.storage(client).log(log).close().await;
                if answered(closed, &self.right(Vec::new()))?.is_some() {
                    self.state.logs.entry(log.clone()).or_default().close();
                }
                Ok(())
            }
            Operation::DeleteLog { log } => {
                let deleted = self.storage(client).log(log).delete().await;
                if answered(deleted, &self.right(Vec::new()))?.is_some() {
                    self.state.delete_log(log);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn append(
        &mut self,
        client: usize,
        log: &str,
        entries: &[String],
        expected: Option<u64>,
    ) -> Verdict {
        let model = self.state.logs.get(log).cloned().unwrap_or_default();
        let outcome = model.append(entries, expected);
        let refusals = self.right(outcome.err().into_iter().collect());
        let handle = self.storage(client).log(log);
        let entries_given = entries.iter().cloned();
        let appended = match expected {
            None => handle.append_all(entries_given).await,
            Some(expected) => handle.append_at(expected, entries_given).await,
        };
        if let (Some(appended), Ok((landed, adds))) = (answered(appended, &refusals)?, outcome) {
            same(&appended, &landed, "where it landed")?;
            if adds {
                let model = self.state.logs.entry(log.to_owned()).or_default();
                model.append_all(entries);
            }
        }
        Ok(())
    }

    pub(super) async fn read_log(&mut self, client: usize, log: &str, from: u64, limit: usize) -> Verdict {
        let page = self.storage(client).log(log).read(from, limit).await;
        let Some(page) = answered(page, &self.right(Vec::new()))? else {
            return Ok(());
        };
        let there = self.state.logs.get(log);
        let none = Log::default();
        let model = there.unwrap_or(&none);
        let first = usize::try_from(from).unwrap_or(usize::MAX);
        let expected: Vec<LogEntry> = model
            .entries
            .iter()
            .enumerate()
            .skip(first)
            .take(limit)
            .map(|(at, entry)| LogEntry {
                sequence: at as u64,
                bytes: entry.clone().into(),
            })
            .collect();
        same(&page.entries, &expected, "the entries")?;
        same(&page.end, &(model.entries.len() as u64), "the end")?;
        same(&page.closed, &model.closed, "whether it is closed")?;
        if !model.torn {
            same(&page.torn_bytes, &0, "what is torn")?;
        }
        same(
            &page.incarnation.is_some(),
            &there.is_some(),
            "whether it is there",
        )?;
        if let Some(known) = &model.incarnation {
            ensure!(
                page.incarnation.as_ref() == Some(known),
                "the log is of another life: {:?}, expected {known:?}",
                page.incarnation
            );
        }
        if let Some(life) = &page.incarnation {
            ensure!(
                !self.state.former_lives.contains(life),
                "the log is of a life that was deleted"
            );
        }
        if let Some(model) = self.state.logs.get_mut(log) {
            model.incarnation = page.incarnation;
        }
        Ok(())
    }
}
