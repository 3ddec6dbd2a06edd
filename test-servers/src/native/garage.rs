//! How Garage is started: by a file of settings, and with a key of the form it accepts.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::Result;
use crate::address::{BUCKET, S3_REGION};

/// `GK` and 24 hexadecimal digits, or Garage refuses it; for the secret, 64 of them.
pub(super) const KEY: &str = "GK73746f726167652d746573";
pub(super) const SECRET: &str = "73746f726167652d7465737473746f726167652d7465737473746f726167652d";

/// The command that serves S3 at this address, with a key and a bucket from the start.
pub(super) fn command(program: &Path, address: &str, data: &Path) -> Result<Command> {
    let settings = data.join("garage.toml");
    fs::write(&settings, file(address, data))?;
    let mut command = Command::new(program);
    command.arg("-c").arg(settings);
    command.args(["server", "--single-node", "--default-bucket"]);
    command.env("GARAGE_DEFAULT_ACCESS_KEY", KEY);
    command.env("GARAGE_DEFAULT_SECRET_KEY", SECRET);
    command.env("GARAGE_DEFAULT_BUCKET", BUCKET);
    Ok(command)
}

fn file(address: &str, data: &Path) -> String {
    let data = data.display();
    // Other nodes would talk to it by RPC; there are none, so any port will do. The secret is for them too.
    format!(
        r#"
metadata_dir = "{data}/metadata"
data_dir = "{data}/objects"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:0"
rpc_public_addr = "127.0.0.1:0"
rpc_secret = "{SECRET}"

[s3_api]
s3_region = "{S3_REGION}"
api_bind_addr = "{address}"
root_domain = ".s3.localhost"
"#
    )
}
