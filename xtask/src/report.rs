//! Named steps: each is timed, a failure does not stop the next one, a table at the end says which failed.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::Result;

#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    failure: Option<String>,
}

impl Report {
    pub(crate) fn step(&mut self, name: impl Into<String>, work: impl FnOnce() -> Result<()>) {
        let name = name.into();
        println!("\n==> {name}");
        let start = Instant::now();
        let failure = work().err().map(|error| error.to_string());
        if let Some(failure) = &failure {
            println!("error: {failure}");
        }
        let step = Step {
            name,
            took: start.elapsed(),
            failure,
        };
        println!("{step}");
        self.steps.push(step);
    }

    /// Prints the table.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n==> Steps");
        for step in &self.steps {
            println!("{step}");
        }
        if self.steps.iter().any(|step| step.failure.is_some()) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.failure.is_some() { "FAILED" } else { "ok" };
        write!(
            f,
            "{outcome:<6} {:>6.1} s  {}",
            self.took.as_secs_f64(),
            self.name
        )?;
        if let Some(first_line) = self.failure.as_deref().and_then(|failure| failure.lines().next()) {
            write!(f, ": {first_line}")?;
        }
        Ok(())
    }
}
