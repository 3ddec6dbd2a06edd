//! `storage tour`: a directory goes through everything a storage can do, and every byte is checked.

mod files;
mod keep;
mod look;
mod query;
mod run;
mod verify;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use storage_core::Storage;

use self::files::Files;
use self::keep::{Kept, Shelf};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

/// Stores the files of a directory as objects under tour/, a document for each in the collection tour_files, a log and an execution;
/// finds documents by index, reads everything back and compares every SHA-256. A second tour takes the place of the first.
/// Left out: what .gitignore and its kin name, .git, links, and the storage's own files.
#[derive(Debug, Args)]
pub(crate) struct Tour {
    /// The directory
    #[arg(default_value = ".")]
    directory: PathBuf,
}

impl Tour {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let said = session.said()?;
        let shown = self.directory.display();
        let root = self
            .directory
            .canonicalize()
            .map_err(Failure::local(format!("look into {shown}")))?;
        if !root.is_dir() {
            return Err(Failure::Usage(format!("{shown} is not a directory")));
        }
        session
            .with_storage(async |storage| {
                let backend = &storage.declaration().backend;
                output.line(format!(
                    "Tour of {} through {backend}",
                    text::name(&root.to_string_lossy())
                ))?;
                let files = Files::new(root, session.factory(), &said)?;
                Box::pin(tour(storage, files, output)).await?;
                for line in look::places(session, &said) {
                    output.line(line)?;
                }
                output.flush()
            })
            .await
    }
}

async fn tour(storage: &Storage, files: Files, output: &mut Output) -> Result<()> {
    let start = Instant::now();
    let shelf = Shelf::new(storage);
    let mut run = run::Run::begin(storage, files.root()).await?;

    shelf.ensure_indexes().await?;
    let kept: Kept = shelf.keep(files).await?;
    let took = start.elapsed().as_secs_f64();
    let summary = format!(
        "{}, {} in {took:.1} s{}",
        text::count(kept.files, "file", "files"),
        text::size(kept.bytes),
        if kept.left_out == 0 {
            String::new()
        } else {
            format!(", {} left out", kept.left_out)
        },
    );
    section(output, "stored", &summary)?;
    let removed = shelf.remove_others(&kept).await?;
    if removed > 0 {
        section(
            output,
            "removed",
            &format!("{} of an earlier tour", text::count(removed, "file", "files")),
        )?;
    }
    run.print(&format!("stored {summary}")).await?;

    for line in query::answers(&shelf, &kept).await? {
        section(output, if line.starts_with(' ') { "" } else { "found" }, &line)?;
    }
    run.print("found what the indexes know").await?;

    let start = Instant::now();
    let (objects, bytes) = verify::verify(&shelf, &kept).await?;
    let verified = format!(
        "{}, {} in {:.1} s: every SHA-256 is the one recorded",
        text::count(objects, "object", "objects"),
        text::size(bytes),
        start.elapsed().as_secs_f64(),
    );
    section(output, "verified", &verified)?;
    run.print(&format!("verified {verified}")).await?;

    for (at, line) in run.end(&kept).await?.iter().enumerate() {
        section(output, if at == 0 { "log" } else { "" }, line)?;
    }
    Ok(())
}

fn section(output: &mut Output, name: &str, text: &str) -> Result<()> {
    output.line(format!("{name:<9} {text}"))?;
    // A person waits for the next one.
    output.flush()
}
