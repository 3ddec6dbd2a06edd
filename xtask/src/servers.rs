//! `cargo xtask servers`, and the servers of `cargo xtask test`: all done by the program of the crate test-servers.

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use crate::Result;
use crate::cargo::{built, program, run as run_command};

const PROGRAM: &str = "storage-test-servers";

/// Hands these words to the program.
pub(crate) fn run(words: &[&str]) -> ExitCode {
    let ended = build().and_then(|path| Ok(program(path).args(words).status()?));
    match ended {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<PathBuf> {
    built(PROGRAM, ["--quiet"])
}

/// The servers while tests run.
pub(crate) struct Servers {
    program: PathBuf,
    /// Somebody has them up, and keeps them.
    were_up: bool,
}

/// Servers being installed and started while something else is done.
pub(crate) struct Starting {
    servers: Servers,
    up: Child,
}

impl Servers {
    /// Those that are careless too, if the tests are to be deep.
    pub(crate) fn start(deep: bool) -> Result<Starting> {
        let servers = Self::find()?;
        let mut up = servers.command("up");
        if deep {
            up.arg("--deep");
        }
        // The table is shown when it is asked for; what goes wrong, at once.
        let up = up.stdout(Stdio::piped()).spawn()?;
        Ok(Starting { servers, up })
    }

    fn find() -> Result<Self> {
        let path = build()?;
        let were_up = program(&path).arg("is-up").status()?.success();
        Ok(Self {
            program: path,
            were_up,
        })
    }

    fn command(&self, word: &str) -> Command {
        let mut command = program(&self.program);
        command.arg(word);
        command
    }

    /// Prints the table, as it is now that the tests are over. A server that did not survive them is an error.
    pub(crate) fn print(&self) -> Result<()> {
        run_command(&mut self.command("status"))
    }

    /// Ends what was not up before.
    pub(crate) fn end(self) -> Result<()> {
        if self.were_up {
            println!("the servers were up before and stay; `cargo xtask servers down` ends them");
            return Ok(());
        }
        run_command(&mut self.command("down"))
    }
}

impl Starting {
    /// Waits for them and prints the table. They are to be ended also when one of them is missing.
    pub(crate) fn finish(self) -> (Servers, Result<()>) {
        let finished = self.up.wait_with_output();
        let outcome = match finished {
            Ok(output) => {
                print!("{}", String::from_utf8_lossy(&output.stdout));
                if output.status.success() {
                    Ok(())
                } else {
                    Err(format!(
                        "{PROGRAM} up ended with {}; what is missing is said above",
                        output.status
                    )
                    .into())
                }
            }
            Err(error) => Err(error.into()),
        };
        (self.servers, outcome)
    }
}
