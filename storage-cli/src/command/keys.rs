//! `storage key`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use storage_core::{Storage, StorageAdapter};
use storage_layers::encryption::{KeyId, KeyProvider, Keystore};
use storage_layers::{Encrypt, EncryptOptions};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Encrypt an empty storage: make its keystore, sealed under the key given
    Create {
        #[command(flatten)]
        key: KeySource,
    },
    /// The keys of an encrypted storage, the oldest first, one line of JSON each
    List {
        #[command(flatten)]
        key: KeySource,
        /// Also count the values sealed under each, which looks at every one
        #[arg(long)]
        count: bool,
    },
    /// Make a new key for what is written from now on, and seal everything anew under it
    Rotate {
        #[command(flatten)]
        key: KeySource,
        /// The namespace of what is sealed, where it has one
        #[arg(long, default_value = "")]
        namespace: String,
        /// Only make the key; `reseal` does the rest later
        #[arg(long)]
        keep: bool,
    },
    /// Go on sealing anew what is not under the active key
    Reseal {
        #[command(flatten)]
        key: KeySource,
        /// The namespace of what is sealed, where it has one
        #[arg(long, default_value = "")]
        namespace: String,
    },
    /// Destroy a key under which nothing is sealed; what copies and backups hold under it is lost
    Destroy {
        #[command(flatten)]
        key: KeySource,
        /// Its id
        id: KeyId,
    },
}

/// Where the root key comes from; never on the command line itself, where everybody reads it.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KeySource {
    /// A file with the root key: 32 bytes, in hex or base64, or as they are
    #[arg(long, value_name = "PATH")]
    key_file: Option<PathBuf>,
    /// A variable of the environment with the root key, in hex or base64
    #[arg(long, value_name = "NAME")]
    key_variable: Option<String>,
    /// A program, and arguments without spaces, that prints the root key
    #[arg(long, value_name = "COMMAND")]
    key_command: Option<String>,
    /// A variable of the environment with a passphrase
    #[arg(long, value_name = "NAME")]
    passphrase_variable: Option<String>,
}

impl KeySource {
    fn provider(self) -> Result<KeyProvider> {
        if let Some(path) = self.key_file {
            return Ok(KeyProvider::file(path));
        }
        if let Some(name) = self.key_variable {
            return Ok(KeyProvider::environment(name));
        }
        if let Some(command) = self.key_command {
            return Ok(KeyProvider::command(command.split_whitespace()));
        }
        let name = self.passphrase_variable.unwrap_or_default();
        match std::env::var(&name) {
            Ok(passphrase) => Ok(KeyProvider::passphrase(passphrase)),
            Err(_) => Err(Failure::Usage(format!("{name} holds no passphrase"))),
        }
    }
}

/// A key as it is listed.
#[derive(serde::Serialize)]
struct Line {
    #[serde(flatten)]
    key: storage_layers::encryption::KeyInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<u64>,
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        // Keys are kept on the medium itself, below whatever layers are named.
        let said = session.said()?;
        let factory = session.factory();
        let (adapter, beside) = match said.urls() {
            (url, None) => (factory.open_below_layers(url).await?, Vec::new()),
            (objects, Some(documents)) => factory.open_pair_below_layers(objects, documents).await?,
        };
        let storage = Storage::from_arc(adapter);
        let done = self.run_on(&storage, beside, output).await;
        let closed = storage.close().await;
        done?;
        Ok(closed?)
    }

    async fn run_on(self, storage: &Storage, beside: Vec<String>, output: &mut Output) -> Result<()> {
        let adapter = Arc::clone(storage.adapter());
        // Over a storage that has a keystore: none is made by the way.
        let open = async |provider: KeyProvider, namespace: String| {
            keystore(&adapter, &provider).await?;
            let options = EncryptOptions::new(provider)
                .namespace(namespace)
                .beside(beside.clone());
            Ok::<_, Failure>(Encrypt::open(Arc::clone(&adapter), options).await?)
        };
        match self {
            Self::Create { key } => {
                if Keystore::is_present(&*adapter).await? {
                    return Err(Failure::Usage("the storage has a keystore already".into()));
                }
                let provider = key.provider()?;
                let options = EncryptOptions::new(provider.clone()).beside(beside);
                Encrypt::open(Arc::clone(&adapter), options).await?;
                list(output, keystore(&adapter, &provider).await?, None)
            }
            Self::List { key, count } => {
                let provider = key.provider()?;
                let keystore = keystore(&adapter, &provider).await?;
                let references = match count {
                    true => Some(
                        open(provider, String::new())
                            .await?
                            .references(storage.now())
                            .await?,
                    ),
                    false => None,
                };
                list(output, keystore, references)
            }
            Self::Rotate { key, namespace, keep } => {
                let layer = open(key.provider()?, namespace).await?;
                let id = layer.rotate(storage.now()).await?;
                output.line(id)?;
                output.flush()?;
                match keep {
                    true => Ok(()),
                    false => output.json(&layer.reseal(storage.now()).await?),
                }
            }
            Self::Reseal { key, namespace } => {
                let layer = open(key.provider()?, namespace).await?;
                output.json(&layer.reseal(storage.now()).await?)
            }
            Self::Destroy { key, id } => {
                let layer = open(key.provider()?, String::new()).await?;
                Ok(layer.destroy_key(id, storage.now()).await?)
            }
        }
    }
}

fn list(
    output: &mut Output,
    keystore: Keystore,
    references: Option<storage_layers::References>,
) -> Result<()> {
    for key in keystore.keys() {
        let values = references
            .as_ref()
            .map(|references| references.keys.get(&key.id).copied().unwrap_or(0));
        output.json(&Line { key, values })?;
    }
    Ok(())
}

/// The keystore of a storage that has one.
async fn keystore(adapter: &Arc<dyn StorageAdapter>, provider: &KeyProvider) -> Result<Keystore> {
    Keystore::open(&**adapter, provider)
        .await?
        .ok_or_else(|| Failure::NotFound("keystore: the storage is not encrypted".into()))
}
