//! `storage config`.

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;
use crate::session::{Said, Session};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Which storage is meant, without secrets, and which variable decided it; opens nothing
    Show,
}

impl Command {
    pub(crate) fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let Self::Show = self;
        let said = session.said()?;
        match said.urls() {
            (url, None) => output.line(format!("storage:     {url}"))?,
            (objects, Some(documents)) => {
                output.line(format!("objects:     {objects}"))?;
                output.line(format!("documents:   {documents}"))?;
            }
        }
        match said {
            Said::Argument(_) => output.line("decided by:  --url"),
            Said::Environment(choice) => {
                let layers: Vec<_> = choice.layers().collect();
                if !layers.is_empty() {
                    output.line(format!("layers:      {}", layers.join(", ")))?;
                }
                let decided_by = match choice.decided_by() {
                    [] => "default (no variable is set)".into(),
                    variables => variables.join(", "),
                };
                output.line(format!("decided by:  {decided_by}"))?;
                match choice.ignored() {
                    [] => Ok(()),
                    ignored => output.line(format!("ignored:     {}", ignored.join(", "))),
                }
            }
        }
    }
}
