//! Ending what `up` has started.

use std::fs;
use std::io;
use std::path::Path;

use super::book::DATA_PREFIX;
use crate::state::{self, State};
use crate::{Result, Server, docker};

/// Ends every server of ours, waits until they are gone and removes their data. Logs stay.
///
/// # Errors
/// A process does not end, or its data cannot be removed; the others are ended all the same.
pub async fn down() -> Result<()> {
    let _lock = tokio::task::spawn_blocking(state::lock).await??;
    let state = State::read()?;
    if state.servers.is_empty() {
        println!("no servers are up, by {}", state::path().display());
    }
    let servers = state.servers.clone();
    let ending = servers.into_iter().map(end);
    let mut failed = Vec::new();
    for ended in futures::future::join_all(ending).await {
        if let Err(error) = ended {
            failed.push(error.to_string());
        }
    }
    if state.containers
        && let Err(error) = docker::remove_all().await
    {
        failed.push(format!("containers with our label may be left: {error}"));
    }
    if !failed.is_empty() {
        return Err(failed.join("\n").into());
    }
    if let Some(data) = &state.data {
        remove(data)?;
    }
    State::remove()
}

/// Whether what we started for it is still there.
pub(super) fn is_running(server: &Server) -> bool {
    // A container that has ended does not answer, which is asked next.
    server
        .process
        .as_ref()
        .map_or(server.container.is_some(), |process| process.is_alive())
}

/// Ends the server, if it is ours, and removes its data.
pub(super) async fn end(server: Server) -> Result<()> {
    if let Some(container) = &server.container {
        docker::remove(container)
            .await
            .map_err(|error| format!("the container {container} of {}: {error}", server.name))?;
    }
    // It waits for the process.
    tokio::task::spawn_blocking(move || {
        if let Some(process) = &server.process {
            process
                .end()
                .map_err(|error| format!("{}: {error}", server.name))?;
        }
        server.data.as_deref().map_or(Ok(()), remove)
    })
    .await?
}

/// Removes a directory that is ours: below one that `up` made.
fn remove(directory: &Path) -> Result<()> {
    let ours = directory
        .components()
        .any(|part| part.as_os_str().to_string_lossy().starts_with(DATA_PREFIX));
    if !ours {
        return Err(format!("{} is not a directory of ours and stays", directory.display()).into());
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("{} cannot be removed: {error}", directory.display()).into())
        }
        _ => Ok(()),
    }
}
