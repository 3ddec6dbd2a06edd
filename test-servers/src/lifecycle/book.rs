//! The state while servers start: every change is written down at once, so that `down` finds what a killed `up` has started.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::servers::Missing;
use crate::state::State;
use crate::{Kind, Native, Result, Server};

/// How the directory of all data begins; `down` removes no other.
pub(super) const DATA_PREFIX: &str = "storage-servers-";

#[derive(Debug)]
pub(super) struct Book {
    state: Mutex<State>,
    data: PathBuf,
}

impl Book {
    /// Goes on with these servers.
    pub(super) fn open(mut state: State) -> Result<Self> {
        let data = match state.data.take().filter(|data| data.is_dir()) {
            Some(data) => data,
            None => tempfile::Builder::new().prefix(DATA_PREFIX).tempdir()?.keep(),
        };
        state.data = Some(data.clone());
        state.missing.clear();
        state.write()?;
        let state = Mutex::new(state);
        Ok(Self { state, data })
    }

    /// The directory for the data of the server of this name.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.data.join(name.to_lowercase().replace(' ', "-"))
    }

    /// Writes the server down, in place of one of the same kind and name.
    pub(super) fn add(&self, server: Server) -> Result<()> {
        self.change(|state| {
            state
                .servers
                .retain(|other| other.kind != server.kind || other.name != server.name);
            state.servers.push(server);
        })
    }

    /// Writes down that there is no such server.
    pub(super) fn miss(&self, missing: Missing) -> Result<()> {
        self.change(|state| {
            state
                .servers
                .retain(|other| other.kind != missing.kind || other.name != missing.name);
            state.missing.push(missing);
        })
    }

    pub(super) fn has(&self, program: Native) -> bool {
        self.read(|state| state.servers.iter().any(|server| server.program == Some(program)))
    }

    pub(super) fn serves(&self, kind: Kind) -> bool {
        self.read(|state| state.servers.iter().any(|server| server.serves(kind)))
    }

    pub(super) fn has_container(&self, kind: Kind) -> bool {
        self.read(|state| {
            let mut ours = state.servers.iter().filter(|server| server.kind == kind);
            ours.any(|server| server.container.is_some())
        })
    }

    /// Writes down that containers may be made from here on.
    pub(super) fn expect_containers(&self) -> Result<()> {
        self.change(|state| state.containers = true)
    }

    /// The servers in the order of the table.
    pub(super) fn close(self) -> Result<State> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let rank = |server: &Server| {
            (
                server.kind,
                server.is_careless(),
                Native::ALL
                    .iter()
                    .position(|native| server.program == Some(*native)),
            )
        };
        state.servers.sort_by_key(rank);
        state.missing.sort_by_key(|missing| missing.kind);
        state.write()?;
        Ok(state)
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.write()
    }
}
