//! `storage fsck`: looks at everything a storage holds.

mod documents;
mod objects;
mod stores;

use clap::Args;
use serde::Serialize;
use storage_core::{Capability, Error, Storage};
use storage_stores::kv::{KvOptions, KvSettings};
use storage_stores::quarantine::Repair;
use storage_stores::{chunks, executions, kv};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

/// Look at every object, document, index and log, and at the stores among them. It reads everything; nothing is changed without --repair,
/// and nothing is ever lost by it. Encrypted values of key-value stores are read with the key that KV_STORAGE_ENCRYPTION names
#[derive(Debug, Args)]
pub(crate) struct Fsck {
    /// The storage, instead of --url
    url: Option<String>,
    /// Move what is damaged below quarantine/, where it can be read and belongs to a store, and build damaged indexes anew
    #[arg(long)]
    repair: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    objects: u64,
    bytes: u64,
    collections: u64,
    documents: u64,
    indexes: u64,
    logs: u64,
    entries: u64,
    /// The stores that were recognised, such as `volumes in vault`.
    stores: Vec<String>,
    damaged: Vec<Finding>,
    orphaned: Vec<Finding>,
    foreign: Vec<Finding>,
    /// How many of these were put right or out of the way.
    repaired: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Serialize)]
struct Finding {
    /// `object`, `document`, `index`, `log`, or the store it belongs to.
    what: &'static str,
    /// Which one.
    entry: String,
    /// What is wrong with it.
    why: String,
}

impl Finding {
    fn new(what: &'static str, entry: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what,
            entry: entry.into(),
            why: why.into(),
        }
    }

    fn of(what: &'static str, entry: &str, error: &Error) -> Self {
        Self::new(what, error.key().unwrap_or(entry), error.message())
    }
}

impl Fsck {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let repair = match self.repair {
            true => Repair::Quarantine,
            false => Repair::Nothing,
        };
        let kv = KvSettings::from_env()?.apply(KvOptions::new())?;
        let report = session
            .searching(
                &[
                    chunks::SEARCHED_FIELDS,
                    executions::SEARCHED_FIELDS,
                    kv::SEARCHED_FIELDS,
                ]
                .concat(),
            )
            .at(self.url)
            .with_storage(async |storage| look(storage, repair, &kv).await)
            .await?;
        if self.json {
            output.json(&report)?;
        } else {
            report.print(output)?;
        }
        // What is foreign or orphaned harms nobody.
        if report.damaged.is_empty() {
            Ok(())
        } else {
            output.flush()?;
            Err(Failure::Negative)
        }
    }
}

async fn look(storage: &Storage, repair: Repair, kv: &KvOptions) -> Result<Report> {
    let mut report = Report::default();
    let stores = report.look_at_objects(storage).await?;
    report.look_at_volumes(storage, &stores, repair).await?;
    let has = |capability| storage.declaration().support(capability).is_present();
    if has(Capability::Documents) {
        report.look_at_documents(storage, repair).await?;
        report.look_at_chunks(storage, repair).await?;
        report.look_at_executions(storage, repair).await?;
        report.look_at_kv(storage, repair, kv).await?;
        report.look_at_files(storage, repair).await?;
    }
    if has(Capability::Logs) {
        report.look_at_logs(storage).await?;
    }
    Ok(report)
}

impl Report {
    fn print(&self, output: &mut Output) -> Result<()> {
        output.line(format!(
            "{}, {}; {} in {}, {}; {} in {}",
            text::count(self.objects, "object", "objects"),
            text::size(self.bytes),
            text::count(self.documents, "document", "documents"),
            text::count(self.collections, "collection", "collections"),
            text::count(self.indexes, "index", "indexes"),
            text::count(self.entries, "entry", "entries"),
            text::count(self.logs, "log", "logs"),
        ))?;
        for store in &self.stores {
            output.line(format!("recognised {}", text::name(store)))?;
        }
        for (kind, findings) in [
            ("damaged", &self.damaged),
            ("orphaned", &self.orphaned),
            ("foreign", &self.foreign),
        ] {
            for finding in findings {
                output.line(format!(
                    "{kind} {} {}: {}",
                    finding.what,
                    text::name(&finding.entry),
                    text::name(&finding.why)
                ))?;
            }
        }
        if self.repaired > 0 {
            output.line(format!("repaired {}", self.repaired))?;
        }
        if self.damaged.is_empty() {
            output.line("nothing is damaged")?;
        }
        Ok(())
    }
}
