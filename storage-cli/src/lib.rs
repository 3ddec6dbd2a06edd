//! The `storage` command as a library, so that a build of one's own can add a scheme:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use storage_core::Memory;
//! use storage_factory::Factory;
//!
//! fn main() -> ExitCode {
//!     storage_cli::main_with(Factory::default().register("myscheme", |_address| async { Ok(Memory::new()) }))
//! }
//! ```

mod arguments;
mod command;
mod condition;
mod exit;
mod failure;
mod output;
mod session;
mod table;
mod text;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use storage_factory::Factory;
use storage_stores::collections::Migration;

use self::arguments::Arguments;
pub use self::exit::Exit;
use self::output::Output;
use self::session::Session;

/// Runs the command with the arguments of this process, on the backends of this factory. Returns what the process ends with.
pub fn main_with(factory: Factory) -> ExitCode {
    main_with_migrations(factory, Vec::new())
}

/// The same, where `storage migrate` knows these migrations beside those in files: what only code can say.
pub fn main_with_migrations(factory: Factory, migrations: Vec<Migration>) -> ExitCode {
    let command = Arguments::command().after_help(exit::help());
    let arguments = match command
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches))
    {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            // When nobody reads it, nobody misses it.
            let _ = error.print();
            return code.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("storage: failed to start threads: {error}");
            return Exit::Failed.into();
        }
    };
    let session = Session::new(factory, arguments.url, migrations);
    let result = runtime.block_on(async {
        let mut output = Output::new();
        let result = arguments.command.run(&session, &mut output).await;
        // What was written before a failure is data all the same.
        let flushed = output.flush();
        result.and(flushed)
    });
    // A thread that still reads standard input must not hold the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => Exit::Done.into(),
        Err(failure) => failure.report().into(),
    }
}
