//! The conformance suite of the storage library.

#![deny(dead_code)]

mod case;
mod cases;
mod clock;
mod context;
mod date;
mod digest;
mod harness;
mod in_memory;
mod plan;
pub mod processes;
mod random;
mod registry;
mod report;
mod runner;
mod twin;

pub use self::case::{Case, Failure, Tier, Verdict};
pub use self::clock::TestClock;
pub use self::context::Ctx;
pub use self::harness::{Harness, Label, Place, Waiver};
pub use self::in_memory::InMemory;
pub use self::plan::Plan;
pub use self::random::Random;
pub use self::registry::{case, cases};
pub use self::report::{CaseReport, Outcome, Report, SCHEMA};
pub use self::runner::{run, run_one, run_test};
