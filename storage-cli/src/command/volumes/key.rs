//! Keys in files: the seed in hexadecimal digits, readable by its owner alone.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use storage_stores::volumes::{Ed25519Key, Hash, Signer};

use crate::failure::{Failure, Result};
use crate::output::Output;

#[derive(Debug, Args)]
pub(super) struct Make {
    /// Where the key goes; a file that is there is never written over
    file: PathBuf,
}

impl Make {
    pub(super) fn run(self, output: &mut Output) -> Result<()> {
        let key = Ed25519Key::generate();
        let what = format!("make the key file {}", self.file.display());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let text = format!("{}\n", Hash::from_bytes(key.seed()));
        let written = options.open(&self.file).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(Failure::local(what))?;
        output.line(key.public_key())
    }
}

/// The key in a file.
pub(super) fn read(file: &Path) -> Result<Ed25519Key> {
    let what = format!("read the key file {}", file.display());
    let text = std::fs::read_to_string(file).map_err(Failure::local(what))?;
    // What is in it is shown nowhere.
    let seed: Hash = text.trim().parse().map_err(|_| {
        Failure::Usage(format!(
            "{} holds no key: that is 64 hexadecimal digits in lower case; `storage volume key FILE` makes one",
            file.display()
        ))
    })?;
    Ok(Ed25519Key::from_seed(*seed.as_bytes()))
}
