//! `storage volume verify`, `gc`, `reconcile`.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use storage_core::Storage;
use storage_stores::volumes::{Keep, Repair, Replica, VolumeOptions, VolumeStore};

use super::Place;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Move what is damaged into quarantine/, where nothing deletes it
    #[arg(long)]
    repair: bool,
}

impl Verify {
    pub(super) async fn run(self, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
        let store = place.store(storage).await?;
        let repair = if self.repair {
            Repair::Quarantine
        } else {
            Repair::Nothing
        };
        let report = store.verify_all(repair).await?;
        output.json(&report)?;
        if report.is_sound() {
            Ok(())
        } else {
            Err(Failure::Negative)
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Collect {
    /// Keep only what names and snapshots have now, not what they ever had
    #[arg(long)]
    current: bool,
    /// The least age of what goes; at least what the store says, and that by default
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u64>,
}

impl Collect {
    pub(super) async fn run(self, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
        let store = place.store(storage).await?;
        let keep = if self.current {
            Keep::Current
        } else {
            Keep::History
        };
        let grace = self.grace.map_or_else(|| store.grace(), Duration::from_secs);
        output.json(&store.collect(keep, grace).await?)
    }
}

#[derive(Debug, Args)]
pub(super) struct Reconcile {
    /// The other storages
    #[arg(required = true, value_name = "URL")]
    with: Vec<String>,
    /// Nobody else is making the stores that are not there yet; for backends that cannot create an object only where none is
    #[arg(long)]
    sole_creator: bool,
}

#[derive(Serialize)]
struct ReconcileLine<'a> {
    items: u64,
    copied: u64,
    copied_bytes: u64,
    damaged: &'a [String],
    lost: &'a [String],
    failures: Vec<String>,
}

impl Reconcile {
    pub(super) async fn run(self, place: &Place, session: &Session, output: &mut Output) -> Result<()> {
        session
            .with_storage(async |storage| {
                // What is to be copied has to be there.
                place.store(storage).await?;
                let mut replicas = vec![Replica::durable("here", storage.clone())];
                let mut others = Vec::new();
                for url in &self.with {
                    let other = session.factory().open(url).await?;
                    // Without the secrets that may be in it.
                    let name = session.factory().parse(url)?.to_string();
                    others.push(other.clone());
                    replicas.push(Replica::durable(name, other));
                }
                let options = place.options().sole_creator(self.sole_creator);
                let done = reconcile(replicas, options, output).await;
                for other in others {
                    other.close().await?;
                }
                done
            })
            .await
    }
}

async fn reconcile(replicas: Vec<Replica>, options: VolumeOptions, output: &mut Output) -> Result<()> {
    let store = VolumeStore::open_replicas(replicas, options).await?;
    let report = store.reconcile().await?;
    let failures = report.failures.iter().chain(&report.unreachable);
    output.json(&ReconcileLine {
        items: report.items,
        copied: report.copied,
        copied_bytes: report.copied_bytes,
        damaged: &report.damaged,
        lost: &report.lost,
        failures: failures
            .map(|failure| format!("{}: {:?}: {}", failure.replica, failure.kind, failure.message))
            .collect(),
    })?;
    if report.is_complete() {
        Ok(())
    } else {
        Err(Failure::Negative)
    }
}
