//! `storage audit`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use storage_core::Storage;
use storage_layers::audit::{AuditAnchor, AuditEntry, AuditPhase, DEFAULT_LOG};
use storage_layers::{AuditKey, AuditTrail};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the last entries, the oldest first
    Tail(Tail),
    /// Find entries that were changed, removed, moved or cut off; prints the present state, to be kept elsewhere
    Verify(Verify),
}

#[derive(Debug, Args)]
struct Which {
    /// The log
    #[arg(long, value_name = "NAME", default_value = DEFAULT_LOG)]
    log: String,
    /// The file with the key its chain was made with
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    which: Which,
    /// At most so many
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    limit: u64,
    /// One line of JSON for each entry
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    which: Which,
    /// A state that was printed before and kept elsewhere: the log must still begin with it
    #[arg(long, value_name = "NUMBER:HASH")]
    since: Option<AuditAnchor>,
    /// The whole report as JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        // The layer itself refuses a log that was cut, and would record that it was looked at.
        let session = session.without_layer("audit");
        match self {
            Self::Tail(command) => command.run(&session, output).await,
            Self::Verify(command) => command.run(&session, output).await,
        }
    }
}

impl Which {
    fn trail(&self, storage: &Storage) -> Result<AuditTrail> {
        let key = match &self.key_file {
            None => None,
            Some(path) => {
                let read = std::fs::read_to_string(path);
                let text = read.map_err(Failure::local(format!("read {}", path.display())))?;
                Some(AuditKey::from_hex(&text)?)
            }
        };
        Ok(AuditTrail::new(Arc::clone(storage.adapter()), &self.log, key)?)
    }
}

impl Tail {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let entries = session
            .with_storage(async |storage| Ok(self.which.trail(storage)?.tail(self.limit).await?))
            .await?;
        for entry in &entries {
            if self.json {
                output.json(entry)?;
            } else {
                output.line(line(entry))?;
            }
        }
        Ok(())
    }
}

fn line(entry: &AuditEntry) -> String {
    let outcome = match (&entry.outcome, entry.phase) {
        (Some(outcome), _) => outcome.as_str(),
        (None, AuditPhase::Began) => "…",
        (None, _) => "",
    };
    let AuditEntry {
        number,
        at_ms,
        actor,
        operation,
        kind,
        key,
        ..
    } = entry;
    format!(
        "{number}  {at_ms}  {}  {operation}  {kind}  {}  {outcome}",
        text::name(actor),
        text::name(key)
    )
}

impl Verify {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let report = session
            .with_storage(async |storage| Ok(self.which.trail(storage)?.verify(self.since.as_ref()).await?))
            .await?;
        if self.json {
            output.json(&report)?;
        } else {
            output.line(format!("entries:     {}", report.entries))?;
            output.line(format!("unfinished:  {}", report.unfinished))?;
            output.line(format!("state:       {}", report.anchor))?;
            for problem in &report.problems {
                output.line(format!("problem:     {problem}"))?;
            }
        }
        if report.problems.is_empty() {
            return Ok(());
        }
        Err(Failure::Wrong(format!(
            "the audit log {:?} is not as it was written",
            self.which.log
        )))
    }
}
