//! `storage backup`.

use clap::Subcommand;
use storage_core::Storage;
use storage_stores::collections::{Backups, MigrationOptions};

use crate::command::migrate::progress;
use crate::failure::Result;
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// Where the backups are, when they are not on the storage itself
    #[arg(long, global = true, value_name = "URL")]
    on: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Back up everything: documents, indexes, the state of migrations, objects and logs; prints what is in it as JSON
    Create {
        /// Its name; backup- and the time when not given
        name: Option<String>,
        /// Without objects and logs
        #[arg(long)]
        documents_only: bool,
    },
    /// Every backup, one line of JSON each
    List,
    /// Read a whole backup again and check it against its manifest
    Verify {
        /// The backup
        name: String,
    },
    /// Make everything exactly what it is in the backup, after a backup of what there is
    Restore {
        /// The backup
        name: String,
    },
    /// Delete backups; deleting what is not there is fine
    Rm {
        /// The backups
        #[arg(required = true)]
        names: Vec<String>,
    },
}

impl Backup {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        session
            .with_storage(async |storage| {
                let backups =
                    Backups::with_options(storage.clone(), progress::shown(MigrationOptions::new()));
                match &self.on {
                    None => self.command.run(backups, output).await,
                    Some(url) => {
                        let place: Storage = session.factory().open(url).await?;
                        let done = self.command.run(backups.kept_on(place.clone()), output).await;
                        done.and(place.close().await.map_err(Into::into))
                    }
                }
            })
            .await
    }
}

impl Command {
    async fn run(&self, backups: Backups, output: &mut Output) -> Result<()> {
        match self {
            Self::Create { name, documents_only } => {
                let backups = if *documents_only {
                    backups.documents_only()
                } else {
                    backups
                };
                output.json(&backups.create(name.as_deref()).await?)
            }
            Self::List => {
                let list = backups.list().await?;
                for info in &list.backups {
                    output.json(info)?;
                }
                output.flush()?;
                // One that cannot be read hides no other, and is not hidden.
                list.unreadable
                    .into_iter()
                    .next()
                    .map_or(Ok(()), |error| Err(error.into()))
            }
            Self::Verify { name } => output.json(&backups.verify(name).await?),
            Self::Restore { name } => output.json(&backups.restore(name).await?),
            Self::Rm { names } => {
                for name in names {
                    backups.delete(name).await?;
                }
                Ok(())
            }
        }
    }
}
