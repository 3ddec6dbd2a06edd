//! `storage exec`.

use clap::{Args, Subcommand};
use futures::TryStreamExt;
use serde::Serialize;
use storage_core::bson;
use storage_core::value::{Style, write_document};
use storage_stores::executions::{ExecutionQuery, ExecutionState, ExecutionStorage, SEARCHED_FIELDS};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::text;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Executions in the order of their creation, one line of JSON each
    List(List),
    /// Print an execution as JSON
    Show {
        /// The execution
        id: String,
    },
    /// Print what an execution printed
    Output(Printed),
    /// Delete executions with all they printed; deleting what is not there is fine
    Rm {
        /// The executions
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those in this state, such as RUNNING
    #[arg(long)]
    state: Option<String>,
    /// Only those of this program
    #[arg(long, value_name = "ID")]
    program: Option<String>,
    /// The newest first
    #[arg(long)]
    newest: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Printed {
    /// The execution
    id: String,
    /// The number of the first line
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: u64,
    /// Wait for more until the output is closed
    #[arg(short, long)]
    follow: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    program: &'a str,
    state: &'a str,
    created: String,
    current: bool,
}

impl Command {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        match self {
            Self::List(command) => command.run(session, output).await,
            Self::Show { id } => show(&id, session, output).await,
            Self::Output(command) => command.run(session, output).await,
            Self::Rm { ids } => {
                session
                    .searching(SEARCHED_FIELDS)
                    .with_storage(async |storage| {
                        for id in &ids {
                            storage.delete_execution(id).await?;
                        }
                        Ok(())
                    })
                    .await
            }
        }
    }
}

impl List {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let first = self.query();
        session
            .searching(SEARCHED_FIELDS)
            .with_storage(async |storage| {
                let current = storage.current_execution_id().await?;
                let mut query = Some(first.clone());
                let mut left = self.limit.unwrap_or(u64::MAX);
                let mut unreadable = None;
                while left > 0
                    && let Some(next) = query.take()
                {
                    let page = storage.list_executions_page(next).await?;
                    for execution in page
                        .executions
                        .iter()
                        .take(usize::try_from(left).unwrap_or(usize::MAX))
                    {
                        output.json(&Line {
                            id: &execution.id,
                            program: &execution.program_id,
                            state: execution.state.as_str(),
                            created: text::time(execution.created),
                            current: current.as_deref() == Some(&execution.id),
                        })?;
                        left -= 1;
                    }
                    unreadable = unreadable.or(page.executions.unreadable.into_iter().next());
                    query = page.next.map(|token| first.clone().after(token));
                }
                output.flush()?;
                // One that cannot be read hides no other, and is not hidden.
                unreadable.map_or(Ok(()), |error| Err(error.into()))
            })
            .await
    }

    fn query(&self) -> ExecutionQuery {
        let mut query = ExecutionQuery::new();
        if let Some(state) = &self.state {
            query = query.state(ExecutionState::from(state.as_str()));
        }
        if let Some(program) = &self.program {
            query = query.program(program);
        }
        if self.newest { query.newest_first() } else { query }
    }
}

async fn show(id: &str, session: &Session, output: &mut Output) -> Result<()> {
    let found = session
        .searching(SEARCHED_FIELDS)
        .with_storage(async |storage| Ok(storage.get_execution(id).await?))
        .await?;
    let Some(execution) = found else {
        return Err(Failure::NotFound(format!("execution {id:?}")));
    };
    let document = bson::serialize_to_raw_document_buf(&execution)
        .map_err(|error| Failure::Wrong(format!("failed to show execution {id:?}: {error}")))?;
    output.line(write_document(&document, Style::Pretty)?)
}

impl Printed {
    async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        session
            .searching(SEARCHED_FIELDS)
            .with_storage(async |storage| {
                if self.follow {
                    let mut lines = storage.follow_output(&self.id, self.from);
                    while let Some(line) = lines.try_next().await? {
                        output.line(line.text)?;
                        output.flush()?;
                    }
                    return Ok(());
                }
                let mut from = self.from;
                loop {
                    let page = storage.read_output(&self.id, from, 1000).await?;
                    if page.lines.is_empty() {
                        return output.flush();
                    }
                    from = page.next;
                    for line in page.lines {
                        output.line(line.text)?;
                    }
                }
            })
            .await
    }
}
