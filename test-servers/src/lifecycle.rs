//! `up`, `down`, `status` and `logs`.

mod book;
mod down;
mod up;

use std::fs;

use crate::servers::required;
use crate::state::State;
use crate::table::table;
use crate::{Kind, Result, Server};

pub use self::down::down;
pub use self::up::up;

/// Prints the table of servers and asks each whether it still answers.
///
/// # Errors
/// One does not, or the file cannot be read.
pub async fn status() -> Result<()> {
    let state = State::read()?;
    if state.servers.is_empty() && state.missing.is_empty() {
        println!("no servers are up");
        return Ok(());
    }
    print!("{}", table(&state.servers, &state.missing));
    let checks = state
        .servers
        .iter()
        .map(|server| async move { (server, server.check().await) });
    let mut failed = Vec::new();
    for (server, check) in futures::future::join_all(checks).await {
        if let Err(error) = check {
            failed.push(format!("{} does not answer: {error}", server.name));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n").into())
    }
}

/// Whether `up` has been here, and `down` not since.
///
/// # Errors
/// The file cannot be read.
pub fn is_up() -> Result<bool> {
    Ok(!State::read()?.servers.is_empty())
}

/// Prints the log of the server of this name.
///
/// # Errors
/// There is no such server, or it has no log here.
pub fn logs(name: &str) -> Result<()> {
    let state = State::read()?;
    let found = state
        .servers
        .iter()
        .find(|server| server.name.eq_ignore_ascii_case(name));
    let names = |servers: &[Server]| {
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        names.join(", ")
    };
    let server = found.ok_or_else(|| {
        format!(
            "no server is called `{name}`; there are: {}",
            names(&state.servers)
        )
    })?;
    let log = server.log.as_ref().ok_or_else(|| match &server.container {
        Some(container) => format!("{name} logs in its container: docker logs {container}"),
        None => format!("{name} is not ours; its log is elsewhere"),
    })?;
    let text = fs::read(log).map_err(|error| format!("{}: {error}", log.display()))?;
    print!("{}", String::from_utf8_lossy(&text));
    Ok(())
}

/// The kinds that `STORAGE_REQUIRE` names and no server serves.
fn lacking(servers: &[Server]) -> Result<Vec<Kind>> {
    let value = std::env::var("STORAGE_REQUIRE").ok();
    let mut lacking = required(value.as_deref())?;
    lacking.retain(|kind| !servers.iter().any(|server| server.serves(*kind)));
    Ok(lacking)
}
