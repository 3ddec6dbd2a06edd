//! `storage conformance`: the public suites against any URL.

mod harness;

use std::sync::Arc;

use clap::{Args, ValueEnum};
use conformance_tests::{CaseReport, Plan, Suite, Tier};

use self::harness::UrlHarness;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;

/// Every case gets a place of its own beside what the URL names: a directory in the directory, a file beside the file, a database
/// or prefix with a suffix. Only places that were found empty are used, and they are removed again, whatever becomes of their
/// cases. A run that is killed leaves some, with `conformance-` in their names. Exit 1 when a case fails.
#[derive(Debug, Args)]
pub(crate) struct Conformance {
    /// What to test, such as fs:./scratch or sqlite:./scratch/app.db
    #[arg(required_unless_present = "list")]
    storage: Option<String>,
    /// Print the cases instead of running them
    #[arg(long)]
    list: bool,
    /// The report as JSON
    #[arg(long)]
    json: bool,
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
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Depth {
    Smoke,
    Standard,
    Deep,
}

impl Conformance {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let mut plan = Plan::new()
            .suite(self.suite)
            .tier(self.tier.into())
            .jobs(self.jobs)
            .seed(self.seed);
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
        let progress = |case: &CaseReport| eprintln!("{case}");
        let report = Box::pin(conformance_tests::run(harness.clone(), plan, progress)).await;
        let cleaned = harness.clean_up(!report.is_success()).await;
        if self.json {
            output.line(report.to_json())?;
        } else {
            output.line(&report)?;
        }
        cleaned?;
        if report.is_success() {
            Ok(())
        } else {
            Err(Failure::Negative)
        }
    }
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
