//! How the cost of each way to a document grows from a thousand of them to a million, in SQLite and on a MongoDB server.

#[cfg(feature = "servers")]
mod mongo;
mod people;
mod sqlite;

use crate::run::{Outcome, Run};

pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## Growth");
    sqlite::all(run).await?;
    #[cfg(feature = "servers")]
    mongo::all(run).await?;
    Ok(())
}
