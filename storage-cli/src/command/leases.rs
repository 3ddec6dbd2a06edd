//! `storage lease`.

use clap::Subcommand;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every lease there ever was, one line of JSON each; one that is held may have run out all the same
    Ls,
    /// Take a lease from its holder, whose fenced writes are refused from now on (exit 3 if nobody holds it)
    Break {
        /// The lease
        name: String,
    },
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        session
            .with_storage(async |storage| match self {
                Self::Ls => {
                    for lease in storage.leases().await? {
                        output.json(&lease)?;
                    }
                    output.flush()
                }
                Self::Break { name } => match storage.break_lease(&name).await? {
                    true => Ok(()),
                    false => Err(Failure::NotFound(format!("holder of lease {name:?}"))),
                },
            })
            .await
    }
}
