//! The servers that are installed and started here, their versions and their command lines.

mod garage;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::address::{self, S3_KEY, S3_SECRET};
use crate::install::{self, Source};
use crate::process::Process;
use crate::tool::Tool;
use crate::{Kind, Result};

/// A server that runs without Docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Native {
    /// MongoDB's protocol on WiredTiger, as a replica set of one; started so that every commit is synced.
    Secantus,
    /// The same protocol on the same engine, written anew in Rust: many times as fast, and with faults of its own.
    SecantusRs,
    /// MongoDB's protocol on SQLite. Its updates are not atomic and it has no transactions: a server to be recognised as careless.
    FerretDb,
    /// S3 on files.
    Versitygw,
    /// S3 in memory; it checks no signature.
    Moto,
    /// Azure Blob Storage on files; a kill loses the last seconds.
    Azurite,
    /// Google Cloud Storage in memory, written in this crate.
    GcsEmulation,
    /// S3 on SQLite and files. It ignores `If-None-Match` and `If-Match`.
    Garage,
    /// S3 on files. It looks first and writes afterwards, so that several of racing writers win.
    S3sFs,
}

impl Native {
    /// Every one that suites are run on, the first of a kind being the one to prefer.
    pub const ALL: [Self; 7] = [
        Self::SecantusRs,
        Self::Secantus,
        Self::FerretDb,
        Self::Versitygw,
        Self::Moto,
        Self::Azurite,
        Self::GcsEmulation,
    ];

    /// Servers of S3 that do not decide conditional writes, to be found out when they are opened. They are compiled for half an hour,
    /// so only `up --deep` installs them, and only [`Servers::careless`](crate::Servers::careless) gives them.
    pub const CARELESS: [Self; 2] = [Self::Garage, Self::S3sFs];

    /// The protocol it speaks.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Secantus | Self::SecantusRs | Self::FerretDb => Kind::Mongo,
            Self::Versitygw | Self::Moto | Self::Garage | Self::S3sFs => Kind::S3,
            Self::Azurite => Kind::Azure,
            Self::GcsEmulation => Kind::Gcs,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secantus => "SecantusDB",
            Self::SecantusRs => "secantusd-rs",
            Self::FerretDb => "FerretDB",
            Self::Versitygw => "versitygw",
            Self::Moto => "moto",
            Self::Azurite => "Azurite",
            Self::GcsEmulation => "in-repo GCS emulation",
            Self::Garage => "Garage",
            Self::S3sFs => "s3s-fs",
        }
    }

    /// The version that is installed; the only place where one is written.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Secantus => "0.7.0b3",
            Self::SecantusRs => "0.5.3-beta.193",
            Self::FerretDb => "1.24.2",
            Self::Versitygw => "1.8.0",
            Self::Moto => "5.2.5",
            Self::Azurite => "3.35.0", // the last for Node.js 20
            Self::GcsEmulation => env!("CARGO_PKG_VERSION"),
            Self::Garage => "2.5.0",
            Self::S3sFs => "0.14.1", // the last for a Rust before 1.96
        }
    }

    /// Whether what it has acknowledged is there after a kill.
    pub const fn is_durable(self) -> bool {
        match self {
            Self::Secantus
            | Self::SecantusRs
            | Self::FerretDb
            | Self::Versitygw
            | Self::Garage
            | Self::S3sFs => true,
            // Azurite writes what it knows of blobs to its file every five seconds; the others only have memory.
            Self::Azurite | Self::Moto | Self::GcsEmulation => false,
        }
    }

    pub(crate) const fn source(self) -> Source {
        match self {
            Self::Secantus => Source::Pip {
                package: "SecantusDB",
                extras: "",
            },
            // It asks for Rust 1.98, and 1.95 compiles it.
            Self::SecantusRs => Source::Cargo {
                package: "secantus-mdb",
                options: &["--ignore-rust-version"],
                needs: Some(Tool::Cmake), // of WiredTiger
            },
            Self::FerretDb => Source::FerretDb {
                module: "github.com/FerretDB/FerretDB",
            },
            Self::Versitygw => Source::Go {
                package: "github.com/versity/versitygw/cmd/versitygw",
            },
            Self::Moto => Source::Pip {
                package: "moto",
                extras: "[server,s3]",
            },
            Self::Azurite => Source::Npm { package: "azurite" },
            Self::GcsEmulation => Source::Ours,
            Self::Garage => Source::Cargo {
                package: "garage",
                options: &[],
                needs: None,
            },
            Self::S3sFs => Source::Cargo {
                package: "s3s-fs",
                options: &["--features", "binary"],
                needs: None,
            },
        }
    }

    /// Whether it is one of [`Native::CARELESS`].
    pub(crate) fn is_careless(self) -> bool {
        Self::CARELESS.contains(&self)
    }

    /// The keys it takes, by the names of the vendors' variables.
    pub(crate) fn credentials(self) -> BTreeMap<String, String> {
        match self {
            Self::Garage => address::s3_credentials(garage::KEY, garage::SECRET),
            _ => address::credentials(self.kind()),
        }
    }

    /// Starts one of its own for a test, with its data in this directory, which it creates; the log stands beside it.
    ///
    /// # Errors
    /// It is not installed (`cargo xtask servers up` does that), or did not start. The emulation of this crate is no program; tests
    /// run it in their own process ([`emulator`](crate::emulator)).
    pub async fn spawn(self, data: &Path) -> Result<Process> {
        let install = install::installed(self).await?;
        Process::start(self, &install, data).await
    }

    /// The command that serves on this port, and the directories it wants to be there.
    pub(crate) fn command(self, install: &Path, port: u16, data: &Path) -> Result<Command> {
        fs::create_dir_all(data)?;
        let address = format!("127.0.0.1:{port}");
        let port = port.to_string();
        let mut command = match self {
            Self::Secantus => {
                let mut command = script(install, "secantusd-py");
                command.args(["--host", "127.0.0.1", "--port", &port, "--log-level", "WARNING"]);
                // Without it a kill loses acknowledged writes.
                command.args(["--sync-on-commit", "--storage-path"]).arg(data);
                command
            }
            Self::SecantusRs => {
                let mut command = Command::new(install.join("bin/secantusd-rs"));
                command.args(["--host", "127.0.0.1", "--port", &port, "--log-level", "WARNING"]);
                command.args(["--cache-size", "512M"]); // 4G without
                command.args(["--sync-on-commit", "--storage-path"]).arg(data);
                command
            }
            Self::FerretDb => {
                let mut command = Command::new(install.join("ferretdb"));
                command.args(["--handler=sqlite", "--state-dir=-", "--debug-addr=-"]);
                command.args(["--telemetry=disable", "--log-level=warn"]);
                command.arg(format!("--listen-addr={address}"));
                command.arg(format!("--sqlite-url=file:{}/", data.display())); // must end in a slash
                command
            }
            Self::Versitygw => {
                let buckets = data.join("buckets");
                fs::create_dir_all(&buckets)?;
                let mut command = Command::new(install.join("versitygw"));
                // Metadata in extended attributes, as it has it by default: in files of their own (`--sidecar`) the metadata of a
                // write it refuses can end up on the object of the write that won.
                command.args(["--quiet", "--port", &address, "posix"]);
                command.arg(buckets);
                command
                    .env("ROOT_ACCESS_KEY_ID", S3_KEY)
                    .env("ROOT_SECRET_ACCESS_KEY", S3_SECRET);
                command
            }
            Self::Moto => {
                let mut command = script(install, "moto_server");
                command.args(["-H", "127.0.0.1", "-p", &port]);
                command
            }
            Self::Azurite => {
                let mut command = Command::new("node");
                command.arg(install.join("node_modules/azurite/dist/src/blob/main.js"));
                command.args([
                    "--silent",
                    "--disableTelemetry",
                    "--blobHost",
                    "127.0.0.1",
                    "--blobPort",
                    &port,
                ]);
                command.arg("--location").arg(data);
                command
            }
            Self::GcsEmulation => {
                let mut command = Command::new(install.join("storage-test-servers"));
                command.args(["gcs", "--port", &port]);
                command
            }
            Self::Garage => garage::command(&install.join("bin/garage"), &address, data)?,
            Self::S3sFs => {
                let buckets = data.join("buckets");
                fs::create_dir_all(&buckets)?;
                let mut command = Command::new(install.join("bin/s3s-fs"));
                command.args(["--host", "127.0.0.1", "--port", &port]);
                command.args(["--access-key", S3_KEY, "--secret-key", S3_SECRET]);
                command.arg(buckets);
                command
            }
        };
        command.current_dir(data);
        Ok(command)
    }
}

/// A script of a virtual environment. By its interpreter: the script's first line names where it was installed, before the rename.
fn script(install: &Path, name: &str) -> Command {
    let mut command = Command::new(install.join("bin/python"));
    command.arg(install.join("bin").join(name));
    command
}
