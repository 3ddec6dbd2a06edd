//! The `storage` command with the backends of this workspace.

use std::process::ExitCode;

use storage_factory::Factory;

fn main() -> ExitCode {
    storage_cli::main_with(Factory::default())
}
