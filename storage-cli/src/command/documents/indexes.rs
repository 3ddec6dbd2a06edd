//! `storage doc index`.

use clap::{Args, Subcommand};
use storage_core::Index;

use super::documents;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The indexes of a collection, one line of JSON each
    Ls {
        /// The collection
        collection: String,
    },
    /// Make an index exist; does nothing when it is there
    Ensure(Ensure),
    /// Drop an index; dropping what is not there is fine
    Drop(Named),
    /// Build an index anew from the documents
    Rebuild(Named),
    /// Print figures about an index as JSON
    Stats(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Ensure {
    /// The collection
    collection: String,
    /// The name of the index
    name: String,
    /// Its fields, most significant first
    #[arg(required = true)]
    fields: Vec<String>,
    /// For equality only; values may be of any length
    #[arg(long)]
    hash: bool,
    /// No two documents that have every field may have equal values
    #[arg(long)]
    unique: bool,
    /// Leave out documents that have none of the fields
    #[arg(long)]
    sparse: bool,
    /// One entry for each element of the one field
    #[arg(long)]
    each: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The collection
    collection: String,
    /// The name of the index
    name: String,
}

impl Command {
    pub(super) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        session
            .with_storage(async |storage| {
                match self {
                    Self::Ls { collection } => {
                        for index in documents(storage, &collection).indexes().await? {
                            output.json(&index)?;
                        }
                    }
                    Self::Ensure(ensure) => {
                        documents(storage, &ensure.collection)
                            .ensure_index(ensure.index())
                            .await?;
                    }
                    Self::Drop(Named { collection, name }) => {
                        documents(storage, &collection).drop_index(name).await?;
                    }
                    Self::Rebuild(Named { collection, name }) => {
                        documents(storage, &collection).rebuild_index(name).await?;
                    }
                    Self::Stats(Named { collection, name }) => {
                        output.json(&documents(storage, &collection).index_stats(name).await?)?;
                    }
                }
                Ok::<(), Failure>(())
            })
            .await
    }
}

impl Ensure {
    fn index(&self) -> Index {
        let mut index = if self.hash {
            Index::hash(&self.name, &self.fields)
        } else {
            Index::btree(&self.name, &self.fields)
        };
        (index.unique, index.sparse, index.each) = (self.unique, self.sparse, self.each);
        index
    }
}
