//! `storage log`.

use bytes::Bytes;
use clap::{Args, Subcommand};
use futures::TryStreamExt;
use serde::Serialize;
use storage_core::{Appended, Log, LogEntry};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

/// The most lines of standard input that are appended at once: few enough to be within every backend's limits.
const LINES_AT_ONCE: usize = 1000;

/// The most bytes of them, far below the 8 MiB every backend of ours takes.
const BYTES_AT_ONCE: usize = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Append entries; prints the number of the first and the number after the last
    Append(Append),
    /// Print entries, one line each
    Read(Read),
    /// The names of logs
    Ls,
    /// Close a log: nothing can be appended from now on, and who follows it comes to an end
    Close {
        /// The log
        name: String,
    },
    /// Delete a log with all its entries
    Rm {
        /// The log
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Append {
    /// The log
    name: String,
    /// The entries; - or none takes each line of standard input as one
    texts: Vec<String>,
    /// The number the first entry must get: repeating the command then adds nothing (else exit 4)
    #[arg(long, value_name = "NUMBER")]
    at: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Read {
    /// The log
    name: String,
    /// The number of the first entry
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: u64,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Wait for more until the log is closed
    #[arg(short, long)]
    follow: bool,
    /// One line of JSON for each entry, with its number; bytes that are not text as base64
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        match self {
            Self::Append(command) => command.run(session, output).await,
            Self::Read(command) => command.run(session, output).await,
            Self::Ls => {
                for name in session
                    .with_storage(async |storage| Ok(storage.logs().await?))
                    .await?
                {
                    output.line(text::name(name.as_str()))?;
                }
                Ok(())
            }
            Self::Close { name } => {
                session
                    .with_storage(async |storage| Ok(storage.log(name).close().await?))
                    .await
            }
            Self::Rm { name } => {
                session
                    .with_storage(async |storage| Ok(storage.log(name).delete().await?))
                    .await
            }
        }
    }
}

impl Append {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let from_input = self.texts.is_empty() || self.texts == ["-"];
        let appended = session
            .with_storage(async |storage| {
                let log = storage.log(&self.name);
                if from_input {
                    lines(&log, self.at).await
                } else {
                    append(&log, self.at, self.texts).await
                }
            })
            .await?;
        output.line(format!("{}..{}", appended.first, appended.next))
    }
}

async fn append<E: Into<Bytes>>(log: &Log, at: Option<u64>, entries: Vec<E>) -> Result<Appended> {
    Ok(match at {
        Some(at) => log.append_at(at, entries).await?,
        None => log.append_all(entries).await?,
    })
}

/// Appends each line of standard input, many at once while they come fast. What was appended before an error stays.
async fn lines(log: &Log, mut at: Option<u64>) -> Result<Appended> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut whole: Option<Appended> = None;
    let mut more = true;
    while more {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        loop {
            let mut line = Vec::new();
            let read = input
                .read_until(b'\n', &mut line)
                .await
                .map_err(Failure::local("read standard input"))?;
            more = read > 0;
            if !more {
                break;
            }
            line.pop_if(|last| *last == b'\n');
            bytes += line.len();
            batch.push(line);
            // A line that waits for the next one is worth nothing to whoever follows the log.
            if batch.len() == LINES_AT_ONCE || bytes >= BYTES_AT_ONCE || !input.buffer().contains(&b'\n') {
                break;
            }
        }
        if batch.is_empty() && whole.is_some() {
            break;
        }
        let appended = append(log, at, batch).await?;
        at = at.map(|_| appended.next);
        whole = Some(Appended {
            first: whole.map_or(appended.first, |whole| whole.first),
            next: appended.next,
        });
    }
    Ok(whole.unwrap_or(Appended { first: 0, next: 0 }))
}

impl Read {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        session
            .with_storage(async |storage| {
                let log = storage.log(&self.name);
                let mut entries = if self.follow {
                    log.follow(self.from)
                } else {
                    log.entries(self.from)
                };
                let mut left = self.limit.unwrap_or(usize::MAX);
                while left > 0
                    && let Some(entry) = entries.try_next().await?
                {
                    if self.json {
                        output.json(&Line::from(&entry))?;
                    } else {
                        output.bytes(&entry.bytes)?;
                        output.bytes(b"\n")?;
                    }
                    if self.follow {
                        output.flush()?;
                    }
                    left -= 1;
                }
                output.flush()
            })
            .await
    }
}

#[derive(Serialize)]
struct Line<'a> {
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> From<&'a LogEntry> for Line<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        use base64::Engine as _;
        let text = std::str::from_utf8(&entry.bytes).ok();
        let encoded = || base64::engine::general_purpose::STANDARD.encode(&entry.bytes);
        Self {
            sequence: entry.sequence,
            text,
            base64: text.is_none().then(encoded),
        }
    }
}
