//! Ending what `up` has started.

use std::fs;
use std::io;
use std::path::Path;

use super::book::DATA_PREFIX;
use crate::state::{self, State};
use crate::{Result, Server};

/// Ends every server of ours, waits until they are gone and removes their data. Logs stay.
///
/// # Errors
/// A process does not end, or its data cannot be removed; the others are ended all the same.
pub async fn down() -> Result<()> {
    let _lock = tokio::task::spawn_blocking(state::lock).await??;
    let state = State::read()?;
    let servers = state.servers.clone();
    // Each waits for its process.
    let ending = servers
        .into_iter()
        .map(|server| tokio::task::spawn_blocking(move || end(&server)));
    let mut failed = Vec::new();
    for ended in futures::future::join_all(ending).await {
        if let Err(error) = ended? {
            failed.push(error.to_string());
        }
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
    server.process.as_ref().is_some_and(|process| process.is_alive())
}

/// Ends the server, if it is ours, and removes its data.
pub(super) fn end(server: &Server) -> Result<()> {
    if let Some(process) = &server.process {
        process
            .end()
            .map_err(|error| format!("{}: {error}", server.name))?;
    }
    match &server.data {
        Some(data) => remove(data),
        None => Ok(()),
    }
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
