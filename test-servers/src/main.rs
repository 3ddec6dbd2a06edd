//! The servers of the tests from the command line; `cargo xtask servers` runs this.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use test_servers::emulator::{self, Running, S3Mode};

#[derive(Parser)]
#[command(name = "storage-test-servers", about, long_about = None)]
/// Starts and stops the servers the tests run against.
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing, start a server for each kind and print where they are.
    Up {
        /// Also those that take conditional writes without care: Garage and s3s-fs, which are compiled for half an hour.
        #[arg(long)]
        deep: bool,
    },
    /// End what `up` has started and remove its data.
    Down,
    /// Print the servers and whether they answer.
    Status,
    /// Succeed when `up` has started or found servers and `down` has not ended them.
    IsUp,
    /// Print what a server has written to its log.
    Logs {
        /// The name in the table, as secantusdb.
        name: String,
    },
    /// Serve an emulation of Google Cloud Storage until ended, and print where.
    Gcs {
        /// The port on the loopback interface; 0 is any.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Serve an S3 that takes conditional writes with or without care until ended, and print where.
    CarelessS3 {
        /// honest, ignores-conditions or races.
        #[arg(long, default_value = "ignores-conditions")]
        mode: S3Mode,
        /// The port on the loopback interface; 0 is any.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Up { deep } => test_servers::up(deep).await,
        Command::Down => test_servers::down().await,
        Command::Status => test_servers::status().await,
        Command::IsUp => match test_servers::is_up() {
            // The answer is the exit code alone.
            Ok(false) => return ExitCode::FAILURE,
            asked => asked.map(|_| ()),
        },
        Command::Logs { name } => test_servers::logs(&name),
        Command::Gcs { port } => emulate(emulator::gcs_on(port)),
        Command::CarelessS3 { mode, port } => emulate(emulator::s3_on(mode, port)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says where the emulator is, which whoever started it waits for, and serves.
fn emulate(started: std::io::Result<Running>) -> test_servers::Result<()> {
    let running = started?;
    println!(
        "{} with bucket {} at {}",
        running.label(),
        running.bucket(),
        running.url()
    );
    running.wait();
    Err("the emulator has ended by itself".into())
}
