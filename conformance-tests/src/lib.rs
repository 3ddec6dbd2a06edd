//! The conformance suite of the storage library: the public tests every backend, layer and store runs.
//!
//! An adapter says in its [`Declaration`](storage_core::Declaration) what it can do. The suite holds it to every word, and to every
//! word that is missing: a case that needs something that is not declared is not skipped; in its place the suite checks that asking
//! for it is refused with `Unsupported` before any effect. The suite itself is tested against adapters with one known fault each.
//!
//! # How to run it against your backend
//!
//! Put this into `tests/conformance.rs`, with a [`Harness`] that opens your adapter. Every case becomes a test.
//!
//! ```
//! use std::{collections::HashMap, sync::Arc, sync::Mutex};
//! use conformance_tests::{Harness, Label, Place};
//! use storage_core::{Memory, Result, StorageAdapter};
//!
//! #[derive(Default)]
//! struct Mine(Mutex<HashMap<Place, Memory>>);
//!
//! #[async_trait::async_trait]
//! impl Harness for Mine {
//!     fn label(&self) -> Label {
//!         Label::new("mine", "")
//!     }
//!     async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
//!         Ok(Arc::new(self.0.lock().unwrap().entry(place.clone()).or_default().clone()))
//!     }
//!     async fn wipe(&self, place: &Place) -> Result<()> {
//!         self.0.lock().unwrap().remove(place);
//!         Ok(())
//!     }
//! }
//! conformance_tests::suite!(Mine::default());
//! ```
//!
//! A [`Place`] is a namespace the suite makes up: use its text as a directory, a database or a prefix. Opening one twice gives two
//! independent clients of the same data. What stands on a medium in memory needs no harness of its own: see [`InMemory`].
//!
//! A backend whose documents come from `Overlay` opens `Overlay::new(MyBackend)`, and the suite checks both.
//!
//! # Cases, tiers, reports
//!
//! [`Suite::cases`] gives every case with its id, tier and the sentence it proves; `CATALOGUE.md` is written from it. Deep cases are
//! ignored unless asked for with `--ignored`. `CONFORMANCE_SEED` sets what random choices begin from.
//!
//! Where it is known only at run time what there is to test, servers above all, the feature `trials` makes the same tests as values
//! for `libtest-mimic`, in a test target with `harness = false`.
//!
//! The stores have suites of their own, each behind the feature of its name, which run on the same harness: `chunks_suite!`,
//! `collections_suite!`, `kv_suite!`, `volumes_suite!`.
//!
//! A harness may offer more than places, a [`Facility`] each: media that fail (`failures!` makes tests of the cases that need them),
//! other processes, some of which are killed (`processes!`, see [`processes`]), and the files of a place (`raw!`). What it does not
//! offer is reported as not available and never as passed.
//!
//! [`model`] plays random operations on an adapter beside a model of the contract, compares every answer, and makes what fails short.
//! Its cases write such a sequence as JSON into `CONFORMANCE_FAILURES`, or where temporary files are; `CONFORMANCE_OPERATIONS` sets how
//! many operations they play.
//!
//! A program runs a [`Plan`] with [`run`] and gets a [`Report`], as text, JSON, JUnit's XML or Markdown; [`matrix`] puts several side
//! by side. [`expected!`](crate::expected!) compares what the suite asks with a list that is checked in, so that a case that is lost
//! shows. A failure that is known is given a
//! [`Waiver`] with a reason and a day it ends on; the case still runs, and fails the run once it passes.

#![deny(dead_code)]

mod abandon;
mod case;
mod cases;
mod catalogue;
mod clock;
mod context;
mod date;

mod digest;
mod exact;
mod expected;
mod facility;
mod faulty;
mod harness;
mod history;
mod in_memory;
pub mod model;
mod plan;
pub mod processes;
mod random;
mod reference;
mod register;
mod registry;
mod report;
mod runner;
mod settle;
#[cfg(any(
    feature = "chunks",
    feature = "collections",
    feature = "kv",
    feature = "volumes"
))]
mod stores;
mod struck;
mod suite;
#[cfg(feature = "trials")]
mod trials;
mod twin;

pub use self::case::{Case, Failure, Tier, Verdict};
pub use self::catalogue::catalogue;
pub use self::clock::TestClock;
pub use self::context::{Ctx, Points};
pub use self::expected::check_expected;
pub use self::facility::{Facility, Failing, RawFiles};
pub use self::faulty::{Fault, Faulty};
pub use self::harness::{Harness, Label, Place, Waiver};
pub use self::in_memory::InMemory;
pub use self::plan::Plan;
pub use self::random::Random;
pub use self::registry::case;
pub use self::report::{CaseReport, Level, Outcome, Profile, Report, SCHEMA, matrix};
pub use self::runner::{run, run_on_a_runtime, run_one, run_test};
pub use self::struck::{Struck, struck};
pub use self::suite::Suite;
#[cfg(feature = "trials")]
pub use self::trials::{absent, trials};
