//! `storage conformance`: the public suites against any URL.

mod harness;
mod reports;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use conformance_tests::model::{self, Sequence};
use conformance_tests::{CaseReport, Facility, Harness, Plan, Report, Suite, Tier};
use storage_core::Capability;

use self::harness::UrlHarness;
use self::reports::{Matrix, ReportFile};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

/// Run the conformance suite against a URL
///
/// Every case gets a place of its own beside what the URL names: a directory in the directory, a file beside the file, a database
/// or prefix with a suffix. Only places that were found empty are used, and they are removed again, whatever becomes of their
/// cases. A run that is killed leaves some, with `conformance-` in their names. Of fs and sqlite the files are looked at too, and this
/// program is started again as processes on one place, some of which are killed; of anything else cases that need that are reported
/// as unavailable. Exit 1 when a case fails, or something required is not declared or not there.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Conformance {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to test, such as fs:./scratch or sqlite:./scratch/app.db
    #[arg(required_unless_present = "list")]
    storage: Option<String>,
    /// Print the cases instead of running them
    #[arg(long)]
    list: bool,
    /// The report as JSON
    #[arg(long)]
    json: bool,
    /// Write the report into a file too: json=, junit=, md= or text= and its name
    #[arg(long, value_name = "FORM=FILE")]
    report: Vec<ReportFile>,
    /// A capability that must be declared, such as atomic-batch, or a facility the harness must offer, such as raw; without it the run fails
    #[arg(long, value_name = "CAPABILITY", value_parser = required)]
    require: Vec<Required>,
    /// What to hold it to: the contract, or a store on top of it
    #[arg(long, value_parser = suite, default_value = Suite::Adapter.as_str())]
    suite: Suite,
    /// Only cases of this id; * stands for any text
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// How thorough; each tier includes those before it
    #[arg(long, value_enum, default_value_t = Depth::Standard)]
    tier: Depth,
    /// How many cases run at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    jobs: usize,
    /// What random choices begin from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many random operations each case of the model plays; without it a few hundred, and 30,000 in tier deep
    #[arg(long, value_name = "NUMBER")]
    budget_ops: Option<usize>,
    /// Play this sequence of operations instead of running cases: what a case of the model kept when it failed
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put reports side by side, as a Markdown table
    Matrix(Matrix),
    /// One of several processes on a place: a case starts it, and nobody else
    #[command(hide = true)]
    Process(Process),
}

#[derive(Debug, Args)]
struct Process {
    storage: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Depth {
    Smoke,
    Standard,
    Deep,
}

impl Conformance {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        match self.command {
            Some(Command::Matrix(command)) => return command.run(output),
            Some(Command::Process(command)) => return command.run(session).await,
            None => {}
        }
        let mut plan = Plan::new()
            .suite(self.suite)
            .tier(self.tier.into())
            .jobs(self.jobs)
            .seed(self.seed);
        if let Some(operations) = self.budget_ops {
            plan = plan.operations(operations);
        }
        for pattern in &self.only {
            plan = plan.only(pattern);
        }
        if plan.cases().next().is_none() {
            return Err(Failure::Usage(
                "no case has such an id; --list prints them".into(),
            ));
        }
        let Some(url) = self.storage.filter(|_| !self.list) else {
            return list(&plan, self.json, output);
        };
        let harness = Arc::new(UrlHarness::new(session.factory().clone(), &url)?);
        if let Some(file) = &self.replay {
            return replay(&harness, file, output).await;
        }
        let progress = |case: &CaseReport| eprintln!("{case}");
        let report = Box::pin(conformance_tests::run(harness.clone(), plan, progress)).await;
        let cleaned = harness.clean_up(!report.is_success()).await;
        if self.json {
            output.line(report.to_json())?;
        } else {
            output.line(&report)?;
        }
        for file in &self.report {
            file.write(&report)?;
        }
        cleaned?;
        let missing = self
            .require
            .iter()
            .filter(|required| !required.is_in(&report, &harness));
        let missing: Vec<&str> = missing.map(Required::as_str).collect();
        for missing in &missing {
            eprintln!("required and not there: {missing}");
        }
        if report.is_success() && missing.is_empty() {
            Ok(())
        } else {
            Err(Failure::Negative)
        }
    }
}

impl Process {
    async fn run(self, session: &Session) -> Result<()> {
        let harness = UrlHarness::new(session.factory().clone(), &self.storage)?;
        let lane = harness.lane().ok_or_else(|| {
            Failure::Usage(format!(
                "{} is not for several processes",
                harness.label().backend
            ))
        })?;
        // It waits, and answers on standard output by itself.
        let worked = tokio::task::spawn_blocking(move || lane.child()).await;
        worked.map_err(|_| Failure::Negative)
    }
}

/// Plays one sequence of operations and says how it went.
async fn replay(harness: &UrlHarness, file: &Path, output: &mut Output) -> Result<()> {
    let unreadable = |reason: String| Failure::Usage(format!("{}: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let sequence = Sequence::from_json(&text).map_err(unreadable)?;
    let verdict = Box::pin(model::replay(harness, &sequence)).await;
    harness.clean_up(verdict.is_err()).await?;
    match verdict {
        Ok(()) => output.line(format!("{} operations gave what the model says", sequence.len())),
        Err(failure) => {
            output.line(failure)?;
            Err(Failure::Negative)
        }
    }
}

/// What may be required: of the adapter, or of the harness.
#[derive(Debug, Clone, Copy)]
enum Required {
    Capability(Capability),
    Facility(Facility),
}

impl Required {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Capability(capability) => capability.as_str(),
            Self::Facility(facility) => facility.as_str(),
        }
    }

    fn is_in(self, report: &Report, harness: &UrlHarness) -> bool {
        match self {
            Self::Capability(capability) => {
                let support = report.capabilities.get(capability.as_str());
                support.is_some_and(|support| support != "absent")
            }
            Self::Facility(facility) => harness.facilities().contains(&facility),
        }
    }
}

fn required(word: &str) -> std::result::Result<Required, String> {
    let capabilities = Capability::ALL.iter().copied().map(Required::Capability);
    let all = capabilities.chain(Facility::ALL.iter().copied().map(Required::Facility));
    let all: Vec<Required> = all.collect();
    let found = all.iter().find(|known| known.as_str() == word);
    found.copied().ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(Required::as_str).collect();
        format!("what can be required is {}", known.join(", "))
    })
}

fn suite(word: &str) -> std::result::Result<Suite, String> {
    let found = Suite::ALL.iter().find(|suite| suite.as_str() == word);
    found.copied().ok_or_else(|| {
        let known: Vec<&str> = Suite::ALL.iter().map(|suite| suite.as_str()).collect();
        format!("the suites are {}", known.join(", "))
    })
}

fn list(plan: &Plan, json: bool, output: &mut Output) -> Result<()> {
    for case in plan.cases() {
        if json {
            output.json(&serde_json::json!({
                "id": case.id,
                "tier": case.tier,
                "capabilities": case.capabilities,
                "proves": case.proves,
            }))?;
        } else {
            output.line(format!("{}  {}", case.id, case.proves))?;
        }
    }
    Ok(())
}

impl From<Depth> for Tier {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Smoke => Self::Smoke,
            Depth::Standard => Self::Standard,
            Depth::Deep => Self::Deep,
        }
    }
}
