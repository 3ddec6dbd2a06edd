//! `storage doc`.

mod find;
mod indexes;
mod json;

use clap::{Args, Subcommand};
use storage_core::bson::RawDocumentBuf;
use storage_core::value::Style;
use storage_core::{PutOptions, Storage, Version};
use tokio::io::AsyncReadExt;

use crate::condition::WriteCondition;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a document whole; prints its version
    Put(Put),
    /// Print a document as JSON
    Get(Get),
    /// Find documents; one line of JSON each, with id, version and value
    Find(Box<find::Find>),
    /// Delete documents; deleting what is not there is fine
    Rm(Rm),
    /// The names of collections
    Ls,
    /// Indexes of a collection
    #[command(subcommand)]
    Index(indexes::Command),
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The collection
    collection: String,
    /// The document's id
    id: String,
    /// Its value, a JSON object; - or nothing is standard input. Dates are {"$date":"2024-02-29T12:00:00.000Z"}
    json: Option<String>,
    #[command(flatten)]
    condition: WriteCondition,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The collection
    collection: String,
    /// The document's id
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The collection
    collection: String,
    /// The documents' ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Only where this is the current version; for one document (else exit 4)
    #[arg(long, value_name = "VERSION")]
    if_version: Option<Version>,
}

/// The documents of a collection, as they are.
type Documents = storage_core::Collection<RawDocumentBuf>;

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        match self {
            Self::Put(command) => command.run(session, output).await,
            Self::Get(command) => command.run(session, output).await,
            Self::Find(command) => command.run(session, output).await,
            Self::Rm(command) => command.run(session).await,
            Self::Ls => {
                for name in session
                    .with_storage(async |storage| Ok(storage.collections().await?))
                    .await?
                {
                    output.line(text::name(name.as_str()))?;
                }
                Ok(())
            }
            Self::Index(command) => command.run(session, output).await,
        }
    }
}

impl Put {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let text = match self.json.filter(|json| json != "-") {
            Some(json) => json.into_bytes(),
            None => {
                let mut text = Vec::new();
                tokio::io::stdin()
                    .read_to_end(&mut text)
                    .await
                    .map_err(Failure::local("read standard input"))?;
                text
            }
        };
        let value = json::document(&text)?;
        let options = PutOptions::new().condition(self.condition.condition());
        let version = session
            .with_storage(async |storage| {
                Ok(documents(storage, &self.collection)
                    .put_with(&self.id, &value, options)
                    .await?)
            })
            .await?;
        output.line(version)
    }
}

impl Get {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let found = session
            .with_storage(async |storage| Ok(documents(storage, &self.collection).get(&self.id).await?))
            .await?;
        let Some(document) = found else {
            return Err(Failure::NotFound(format!(
                "document {:?} in collection {:?}",
                self.id, self.collection
            )));
        };
        output.line(json::text(&document.value, Style::Pretty)?)
    }
}

impl Rm {
    async fn run(self, session: &Session) -> Result<()> {
        session
            .with_storage(async |storage| {
                let documents = documents(storage, &self.collection);
                match (self.if_version, self.ids.as_slice()) {
                    (Some(version), [id]) => documents.delete_if(id, version).await?,
                    (Some(_), _) => return Err(Failure::Usage("--if-version is about one document".into())),
                    (None, ids) => {
                        for id in ids {
                            documents.delete(id).await?;
                        }
                    }
                }
                Ok(())
            })
            .await
    }
}

fn documents(storage: &Storage, collection: &str) -> Documents {
    storage.collection(collection)
}
