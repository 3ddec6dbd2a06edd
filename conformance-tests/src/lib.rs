//! The conformance suite of the storage library.

#![deny(dead_code)]

mod case;
mod cases;
mod clock;
mod context;
mod harness;
mod in_memory;
mod random;
mod registry;
mod runner;

pub use self::case::{Case, Failure, Tier, Verdict};
pub use self::clock::TestClock;
pub use self::context::Ctx;
pub use self::harness::{Harness, Label, Place, Waiver};
pub use self::in_memory::InMemory;
pub use self::random::Random;
pub use self::registry::{case, cases};
pub use self::runner::{run_one, run_test};
