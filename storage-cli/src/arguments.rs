//! What can be typed.

use clap::{Parser, Subcommand};

#[cfg(feature = "encryption")]
use crate::command::keys;
use crate::command::{
    audit, backends, backup, config, conformance, documents, executions, fsck, kv, leases, logs, migrate,
    objects, reference, sessions, sweep, tour, volumes,
};
use crate::failure::Result;
use crate::output::Output;
use crate::session::Session;

/// Objects, documents and logs in files, SQLite or any other backend.
#[derive(Debug, Parser)]
#[command(name = "storage", version)]
pub(crate) struct Arguments {
    /// The storage, such as fs:./data or sqlite:./app.db; wins over the environment
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store the files of a directory, index and query them, verify every byte, and show where it all lies
    Tour(tour::Tour),

    /// Write an object from a file or standard input; prints its version
    Put(objects::Put),
    /// Write an object to standard output
    Get(objects::Get),
    /// List objects in the byte order of their keys
    Ls(objects::Ls),
    /// Print size, version and time of an object as JSON
    Stat(objects::Stat),
    /// Delete objects; deleting what is not there is fine
    Rm(objects::Rm),

    /// Documents, queries and indexes
    #[command(subcommand)]
    Doc(documents::Command),
    /// Logs
    #[command(subcommand)]
    Log(logs::Command),
    /// Executions: the state of running programs and what they printed
    #[command(subcommand)]
    Exec(executions::Command),
    /// Sessions, and the content in pieces they hold
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// The audit log: what was done, and whether somebody touched it
    #[command(subcommand)]
    Audit(audit::Command),
    /// Keys of an encrypted storage
    #[cfg(feature = "encryption")]
    #[command(subcommand)]
    Key(keys::Command),
    /// Values under keys, with a time to live, limits and encryption; the variables KV_… say how
    Kv(kv::Command),
    /// Leases
    #[command(subcommand)]
    Lease(leases::Command),
    /// Migrations of documents, and going back
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Backups of documents, and restoring them
    Backup(backup::Backup),

    /// Blocks named by their hash, and volumes of names in signed events
    Volume(volumes::Volumes),

    Conformance(conformance::Conformance),
    /// What each backend of this program can do
    Backends(backends::Backends),
    /// Where the data is and who said so
    #[command(subcommand)]
    Config(config::Command),
    /// The tables of the documentation: variables, options of URLs, exit codes
    Reference(reference::Reference),
    /// Purge expired documents and what crashed writers left; never changes what anybody can read
    Sweep(sweep::Sweep),
    Fsck(fsck::Fsck),
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        match self {
            Self::Tour(command) => command.run(session, output).await,
            Self::Put(command) => command.run(session, output).await,
            Self::Get(command) => command.run(session, output).await,
            Self::Ls(command) => command.run(session, output).await,
            Self::Stat(command) => command.run(session, output).await,
            Self::Rm(command) => command.run(session, output).await,
            Self::Doc(command) => command.run(session, output).await,
            Self::Log(command) => command.run(session, output).await,
            Self::Exec(command) => command.run(session, output).await,
            Self::Sessions(command) => command.run(session, output).await,
            Self::Audit(command) => command.run(session, output).await,
            #[cfg(feature = "encryption")]
            Self::Key(command) => command.run(session, output).await,
            Self::Kv(command) => command.run(session, output).await,
            Self::Lease(command) => command.run(session, output).await,
            Self::Migrate(command) => command.run(session, output).await,
            Self::Backup(command) => command.run(session, output).await,
            Self::Conformance(command) => command.run(session, output).await,
            Self::Backends(command) => command.run(session, output).await,
            Self::Config(command) => command.run(session, output),
            Self::Reference(command) => command.run(session, output),
            Self::Sweep(command) => command.run(session, output).await,
            Self::Volume(command) => command.run(session, output).await,
            Self::Fsck(command) => command.run(session, output).await,
        }
    }
}
