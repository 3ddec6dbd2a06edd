//! `storage kv`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use storage_core::Storage;
use storage_stores::kv::{Access, Kv, KvOptions, KvSettings, Lifetime, SEARCHED_FIELDS, SetOptions};
use tokio::io::AsyncReadExt;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

#[derive(Debug, Args)]
pub(crate) struct Command {
    /// The namespace
    #[arg(long, global = true, value_name = "NAME", default_value = "default")]
    namespace: String,
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Write a value to standard output as it is: bytes, or JSON
    Get {
        /// The key
        key: String,
    },
    /// Store a value: the one given, or bytes from a file or standard input
    Set(Set),
    /// Delete entries; deleting what is not there is fine
    Rm {
        /// The keys
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// List entries in the byte order of their keys
    Ls(Ls),
    /// Print everything about an entry but its value, as JSON
    Info {
        /// The key
        key: String,
    },
    /// Let an entry live on
    Touch(Touch),
    /// Print how the namespace stands, as JSON
    Stats,
    /// Count anew, and evict until the size limit holds
    Align,
    /// Remove expired entries and what crashed writers left
    Cleanup,
    /// Delete every entry but permanent and held ones
    Clear {
        /// Permanent ones too
        #[arg(long)]
        force: bool,
    },
    /// Write every entry with its value, one line of JSON each
    Export,
    /// Destroy the namespace with its keys, and print a receipt
    Erase {
        /// That this is meant
        #[arg(long)]
        yes: bool,
    },
    /// Seal every value anew under a fresh key
    Rotate,
    /// Read every value and compare it with what was written
    Verify,
    /// List the namespaces there are
    Namespaces,
}

#[derive(Debug, Args)]
struct Set {
    /// The key
    key: String,
    /// The value, as JSON; text that is no JSON is stored as text
    #[arg(conflicts_with = "file")]
    value: Option<String>,
    /// Where bytes come from; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How long it lives, in seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "permanent")]
    ttl: Option<u64>,
    /// Keep it from eviction and clearing
    #[arg(long)]
    permanent: bool,
    /// Compress it whatever its size
    #[arg(long)]
    compress: bool,
    /// Only where nothing is
    #[arg(long)]
    if_absent: bool,
}

#[derive(Debug, Args)]
struct Ls {
    /// Only keys that begin so
    #[arg(default_value = "")]
    prefix: String,
    /// One line of JSON each, with everything about them
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Touch {
    /// The key
    key: String,
    /// For so many seconds from now on
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["forever", "permanent"])]
    ttl: Option<u64>,
    /// Without end
    #[arg(long, conflicts_with = "permanent")]
    forever: bool,
    /// Without end, kept from eviction and clearing
    #[arg(long)]
    permanent: bool,
}

#[derive(Serialize)]
struct VerifyLine<'a> {
    sound: u64,
    problems: &'a [storage_stores::kv::Problem],
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        // Before the storage is opened: what cannot be said creates no data directory.
        let options = KvSettings::from_env()?.apply(KvOptions::new())?;
        // Nothing happens beside what was asked for.
        let options = options
            .namespace(self.namespace)
            .cleanup_interval(Duration::ZERO)
            .access(self.command.access());
        let input = self.command.input().await?;
        session
            .searching(SEARCHED_FIELDS)
            .with_storage(async |storage| {
                if matches!(self.command, Subcommands::Namespaces) {
                    return namespaces(storage, output).await;
                }
                let kv = Kv::open(storage.clone(), options).await?;
                let done = self.command.on(&kv, input, output).await;
                let finished = kv.finish().await;
                done?;
                Ok(finished?)
            })
            .await
    }
}

async fn namespaces(storage: &Storage, output: &mut Output) -> Result<()> {
    for namespace in Kv::namespaces(storage).await? {
        output.line(text::name(&namespace))?;
    }
    Ok(())
}

impl Subcommands {
    /// What the command needs; a look makes no indexes.
    const fn access(&self) -> Access {
        match self {
            Self::Get { .. }
            | Self::Ls(_)
            | Self::Info { .. }
            | Self::Stats
            | Self::Export
            | Self::Verify
            | Self::Namespaces => Access::ReadOnly,
            _ => Access::ReadWrite,
        }
    }

    /// The bytes a command is given.
    async fn input(&self) -> Result<Option<Vec<u8>>> {
        let Self::Set(Set {
            value: None, file, ..
        }) = self
        else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        match file {
            Some(file) if file.as_os_str() != "-" => {
                let what = format!("read {}", file.display());
                bytes = tokio::fs::read(file).await.map_err(Failure::local(what))?;
            }
            _ => {
                let mut input = tokio::io::stdin();
                let read = input.read_to_end(&mut bytes).await;
                read.map_err(Failure::local("read standard input"))?;
            }
        }
        Ok(Some(bytes))
    }

    async fn on(self, kv: &Kv, input: Option<Vec<u8>>, output: &mut Output) -> Result<()> {
        match self {
            Self::Get { key } => {
                let value = kv.get_raw(&key).await?.ok_or_else(|| no_entry(&key))?;
                output.bytes(&value)
            }
            Self::Set(command) => command.run(kv, input).await,
            Self::Rm { keys } => {
                for key in keys {
                    kv.delete(&key).await?;
                }
                Ok(())
            }
            Self::Ls(command) => command.run(kv, output).await,
            Self::Info { key } => output.json(&kv.info(&key).await?.ok_or_else(|| no_entry(&key))?),
            Self::Touch(command) => command.run(kv).await,
            Self::Stats => output.json(&kv.stats().await?),
            Self::Align => output.json(&kv.align().await?),
            Self::Cleanup => {
                let report = kv.cleanup().await?;
                output.json(&report)?;
                output.flush()?;
                let unreadable = report.unreadable.into_iter().next();
                unreadable.map_or(Ok(()), |error| Err(error.into()))
            }
            Self::Clear { force } => output.json(&kv.clear(force).await?),
            Self::Export => export(kv, output).await,
            Self::Erase { yes: false } => Err(Failure::Usage(
                "erasing cannot be undone; say --yes if the whole namespace is meant".into(),
            )),
            Self::Erase { yes: true } => output.json(&kv.erase().await?),
            Self::Rotate => output.json(&kv.rotate().await?),
            Self::Verify => verify(kv, output).await,
            Self::Namespaces => Ok(()),
        }
    }
}

impl Set {
    async fn run(self, kv: &Kv, input: Option<Vec<u8>>) -> Result<()> {
        let mut options = SetOptions::new();
        if let Some(seconds) = self.ttl {
            options = options.ttl(Duration::from_secs(seconds));
        }
        if self.permanent {
            options = options.permanent();
        }
        if self.compress {
            options = options.compress(true);
        }
        if self.if_absent {
            options = options.if_absent();
        }
        let done = match (self.value, input) {
            (Some(text), _) => {
                let value = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
                kv.set_with(&self.key, &value, options).await
            }
            (None, bytes) => kv.set_raw(&self.key, bytes.unwrap_or_default(), options).await,
        };
        Ok(done?)
    }
}

impl Ls {
    async fn run(self, kv: &Kv, output: &mut Output) -> Result<()> {
        let mut entries = kv.list(&self.prefix).await?;
        while let Some(entry) = entries.next().await? {
            if self.json {
                output.json(&entry)?;
            } else {
                output.line(text::name(&entry.key))?;
            }
        }
        Ok(())
    }
}

impl Touch {
    async fn run(self, kv: &Kv) -> Result<()> {
        let lifetime = match (self.ttl, self.forever, self.permanent) {
            (Some(seconds), _, _) => Lifetime::For(Duration::from_secs(seconds)),
            (None, true, _) => Lifetime::Forever,
            (None, _, true) => Lifetime::Permanent,
            _ => Lifetime::Default,
        };
        if kv.touch(&self.key, lifetime).await? {
            return Ok(());
        }
        Err(no_entry(&self.key))
    }
}

async fn export(kv: &Kv, output: &mut Output) -> Result<()> {
    let mut entries = kv.export().await?;
    while let Some(entry) = entries.next().await? {
        output.json(&entry)?;
    }
    Ok(())
}

async fn verify(kv: &Kv, output: &mut Output) -> Result<()> {
    let report = kv.verify().await?;
    output.json(&VerifyLine {
        sound: report.sound,
        problems: &report.problems,
    })?;
    output.flush()?;
    if report.problems.is_empty() {
        return Ok(());
    }
    Err(Failure::Negative)
}

fn no_entry(key: &str) -> Failure {
    Failure::NotFound(format!("entry {key:?}"))
}
