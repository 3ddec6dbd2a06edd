//! Servers for the tests: real ones, installed and started here, and careless ones of our own.
//!
//! `cargo xtask servers up` starts a server for each [`Kind`] and writes down where it answers; tests read that with
//! [`Servers::load`]. For each kind the first of these is taken:
//!
//! 1. the storage URL in the environment ([`Kind::variable`]); when nothing answers there, that is a failure;
//! 2. the real image in Docker, where a daemon answers;
//! 3. the programs of [`Native`], installed into a cache of the user's;
//! 4. nothing, and the reason is said: at the start, in the table at the end, and by [`Servers::of`] to the test that asks. For
//!    the kinds in `STORAGE_REQUIRE` that is a failure.
//!
//! Tests that kill their server start one of their own with [`Native::spawn`]; [`run_natives`] makes a test program of them. Servers
//! that are to be found out as careless are only there when asked for ([`Native::CARELESS`]).

mod address;
mod background;
mod bucket;
mod cache;
mod command;
mod docker;
pub mod emulator;
mod explicit;
mod identity;
mod install;
#[cfg(feature = "suite")]
mod killed;
mod kind;
mod lifecycle;
mod native;
#[cfg(feature = "places")]
mod places;
mod port;
mod probe;
mod process;
mod programs;
pub mod proxy;
mod reach;
mod server;
mod servers;
mod state;
#[cfg(feature = "suite")]
mod suite;
mod table;
mod tool;
#[cfg(feature = "suite")]
mod waivers;

#[cfg(feature = "suite")]
pub use self::killed::killed;
pub use self::kind::Kind;
pub use self::lifecycle::{down, is_up, logs, status, up};
pub use self::native::Native;
#[cfg(feature = "places")]
pub use self::places::Places;
pub use self::process::Process;
pub use self::programs::{absent_trial, run, run_careless, run_natives, trial};
pub use self::server::{How, Server};
pub use self::servers::{Missing, Servers};
#[cfg(feature = "suite")]
pub use self::suite::{on_demand, steady, suites, tier, up_to};
#[cfg(feature = "suite")]
pub use self::waivers::{object_waivers, waivers};

pub use libtest_mimic::Trial;

/// Any error: whoever started the servers only reads it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What everything here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
