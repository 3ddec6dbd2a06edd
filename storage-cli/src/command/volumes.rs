//! `storage volume`.

mod key;
mod show;
mod upkeep;
mod write;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use storage_core::Storage;
use storage_stores::volumes::{HashAlgorithm, PublicKey, Signer, Volume, VolumeOptions, VolumeStore};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Volumes {
    /// The file with the key of the volume, to read and write
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The public key of the volume, to read
    #[arg(long, global = true, value_name = "HEX", conflicts_with = "key")]
    channel: Option<String>,
    /// The directory of the store among the objects; the top by default
    #[arg(long, global = true, value_name = "DIRECTORY", default_value = "")]
    directory: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and write it to a file nobody else can read; prints the public key
    Key(key::Make),
    /// Make the store of blocks and channels, or check that it is what was asked for; prints what it is
    Init(Init),
    /// Give a name the bytes of a file or of standard input; prints the hash of the block
    Put(write::Put),
    /// Write the bytes of a name to standard output
    Get(show::Get),
    /// List names in byte order, one line of JSON each
    Ls(show::Ls),
    /// Take names out; one that is not there is fine, and blocks stay until they are collected
    Rm(write::Remove),
    /// Print the changes in their order, one line of JSON each
    Log,
    /// Keep all names as they are now under a label; prints the hash of the snapshot
    Snapshot(write::Snapshot),
    /// The channels of the store, by their public keys
    Channels,
    /// Read and verify every block and event, and print what was found
    Verify(upkeep::Verify),
    /// Delete blocks that no volume needs and that are old enough, and print what went
    Gc(upkeep::Collect),
    /// Copy what one of several storages lacks from another, and print what was copied
    Reconcile(upkeep::Reconcile),
}

#[derive(Debug, Args)]
struct Init {
    /// What names blocks and events; sha256 by default
    #[arg(long)]
    hash: Option<Algorithm>,
    /// How many levels of directories blocks are spread over: 0 by default, 1 or 2
    #[arg(long, value_name = "LEVELS")]
    fan_out: Option<u8>,
    /// Nobody else is making it right now; for backends that cannot create an object only where none is
    #[arg(long)]
    sole_creator: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Algorithm {
    Sha256,
    Blake3,
}

impl From<Algorithm> for HashAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Blake3 => Self::Blake3,
        }
    }
}

impl Volumes {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let place = Place {
            key: self.key,
            channel: self.channel,
            directory: self.directory,
        };
        match self.command {
            Command::Key(command) => command.run(output),
            Command::Reconcile(command) => command.run(&place, session, output).await,
            command => {
                session
                    .with_storage(async |storage| on(command, &place, storage, output).await)
                    .await
            }
        }
    }
}

async fn on(command: Command, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
    match command {
        Command::Init(command) => command.run(place, storage, output).await,
        Command::Put(command) => command.run(place, storage, output).await,
        Command::Get(command) => command.run(place, storage, output).await,
        Command::Ls(command) => command.run(place, storage, output).await,
        Command::Rm(command) => command.run(place, storage).await,
        Command::Log => show::log(place, storage, output).await,
        Command::Snapshot(command) => command.run(place, storage, output).await,
        Command::Channels => {
            for channel in place.store(storage).await?.channels().await? {
                output.line(channel)?;
            }
            Ok(())
        }
        Command::Verify(command) => command.run(place, storage, output).await,
        Command::Gc(command) => command.run(place, storage, output).await,
        // They open no storage, or several.
        Command::Key(_) | Command::Reconcile(_) => Ok(()),
    }
}

impl Init {
    async fn run(self, place: &Place, storage: &Storage, output: &mut Output) -> Result<()> {
        let mut options = place.options().sole_creator(self.sole_creator);
        if let Some(hash) = self.hash {
            options = options.hash(hash.into());
        }
        if let Some(levels) = self.fan_out {
            options = options.fan_out(levels);
        }
        let store = VolumeStore::open(storage.clone(), options).await?;
        output.line(format!(
            "hash {}, grace {} s",
            store.hash_algorithm(),
            store.grace().as_secs()
        ))
    }
}

/// Which store, and which volume of it.
struct Place {
    key: Option<PathBuf>,
    channel: Option<String>,
    directory: String,
}

impl Place {
    fn options(&self) -> VolumeOptions {
        VolumeOptions::new().directory(&self.directory)
    }

    /// The store that is there: only `init` and `put` make one.
    async fn store(&self, storage: &Storage) -> Result<VolumeStore> {
        let directory = self.directory.trim_matches('/');
        let record = if directory.is_empty() {
            "volumes.json".to_owned()
        } else {
            format!("{directory}/volumes.json")
        };
        if storage.objects().stat(&record).await?.is_none() {
            return Err(Failure::NotFound(format!("store of volumes here ({record})")));
        }
        Ok(VolumeStore::open(storage.clone(), self.options()).await?)
    }

    async fn volume(&self, storage: &Storage) -> Result<Volume> {
        let key = self.public_key()?;
        let store = self.store(storage).await?;
        Ok(Volume::open_read_only(&store, key).await?)
    }

    fn public_key(&self) -> Result<PublicKey> {
        match (&self.key, &self.channel) {
            (Some(file), _) => Ok(key::read(file)?.public_key()),
            (None, Some(text)) => Ok(text.parse()?),
            (None, None) => Err(Failure::Usage(
                "which volume? --key FILE, or --channel HEX to read only; `storage volume channels` lists them"
                    .to_owned(),
            )),
        }
    }

    async fn writable(&self, storage: &Storage) -> Result<Volume> {
        let Some(file) = &self.key else {
            return Err(Failure::Usage(
                "writing takes the key of the volume: --key FILE; `storage volume key FILE` makes one"
                    .to_owned(),
            ));
        };
        let key = key::read(file)?;
        let store = VolumeStore::open(storage.clone(), self.options()).await?;
        Ok(Volume::open(&store, key).await?)
    }
}
