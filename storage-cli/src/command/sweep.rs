//! `storage sweep`.

use clap::Args;

use crate::failure::Result;
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Sweep {}

impl Sweep {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let report = session
            .with_storage(async |storage| Ok(storage.sweep().await?))
            .await?;
        output.json(&report)
    }
}
