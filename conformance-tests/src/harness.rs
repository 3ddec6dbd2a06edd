//! [`Harness`]: what an adapter's author writes so that the suite can reach the adapter.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use storage_core::{Result, StorageAdapter};

use crate::facility::{Facility, Failing, RawFiles};
use crate::faulty::Fault;
use crate::processes::Lane;

/// How the suite opens the adapter under test.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// What is under test, for reports.
    fn label(&self) -> Label;

    /// Opens one client of the data in this place, which is empty until something is written there. Opening the same place again
    /// gives a second, independent client of the same data: its own connection, pool or handle.
    ///
    /// # Errors
    /// Whatever the adapter says; the case is then a harness error.
    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>>;

    /// Removes everything in this place, and nothing outside of it. Every client of it is closed by then.
    ///
    /// # Errors
    /// What could not be removed.
    async fn wipe(&self, place: &Place) -> Result<()>;

    /// Cases known to fail, each with a reason. They still run: one that passes is an unexpected pass and fails the run.
    fn waivers(&self) -> &[Waiver] {
        &[]
    }

    /// Passwords and keys the adapter was opened with: no error and no `Debug` text may show them.
    fn secrets(&self) -> &[String] {
        &[]
    }

    /// The files in which a place is kept, where it is kept in files nobody else writes to: [`Facility::Raw`].
    fn raw(&self, _place: &Place) -> Option<RawFiles> {
        None
    }

    /// One more client of the place, on a medium that goes wrong at call `at` of this client: [`Facility::Failures`].
    ///
    /// # Errors
    /// Whatever the adapter says.
    async fn open_failing(&self, _place: &Place, _at: usize, _fault: Fault) -> Result<Option<Failing>> {
        Ok(None)
    }

    /// A test of this program that other processes run, by calling [`Lane::child`]: [`Facility::Processes`].
    fn lane(&self) -> Option<Lane> {
        None
    }

    /// What it offers beyond opening places. Cases that need anything else are reported as not available.
    fn facilities(&self) -> &[Facility] {
        &[]
    }

    /// How many times as long as usual a case may take before it is given up: more than 1 where every call goes to a slow server.
    fn patience(&self) -> u32 {
        1
    }
}

#[async_trait]
impl<H: Harness + ?Sized> Harness for Arc<H> {
    fn label(&self) -> Label {
        (**self).label()
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        (**self).open(place).await
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        (**self).wipe(place).await
    }

    fn waivers(&self) -> &[Waiver] {
        (**self).waivers()
    }

    fn secrets(&self) -> &[String] {
        (**self).secrets()
    }

    fn raw(&self, place: &Place) -> Option<RawFiles> {
        (**self).raw(place)
    }

    async fn open_failing(&self, place: &Place, at: usize, fault: Fault) -> Result<Option<Failing>> {
        (**self).open_failing(place, at, fault).await
    }

    fn lane(&self) -> Option<Lane> {
        (**self).lane()
    }

    fn facilities(&self) -> &[Facility] {
        (**self).facilities()
    }

    fn patience(&self) -> u32 {
        (**self).patience()
    }
}

/// What is under test.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Label {
    /// The adapter, such as `mongo` or `encrypted fs`.
    pub backend: String,
    /// The product and version underneath, such as `MongoDB 8.0 replica set`; empty where there is none.
    pub product: String,
}

impl Label {
    /// A label.
    pub fn new(backend: impl Into<String>, product: impl Into<String>) -> Self {
        Self {
            backend: backend.into(),
            product: product.into(),
        }
    }
}

/// A namespace the suite made for one case: a harness turns its text into a directory, a database or a prefix.
///
/// Its text is up to 32 bytes of `a-z`, `0-9` and `-`, begins with a letter, and no two cases share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(String);

impl Place {
    /// A place nobody has.
    pub(crate) fn fresh() -> Self {
        Self(format!("c{:016x}", storage_core::random_u128() >> 64))
    }

    /// A neighbour whose text begins with this one's.
    pub(crate) fn neighbour(&self, suffix: &str) -> Self {
        Self(format!("{}{suffix}", self.0))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A case known to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "authors write it as a literal")]
pub struct Waiver {
    /// The case's id.
    pub case: &'static str,
    /// Why it fails.
    pub reason: &'static str,
    /// Where it is followed up.
    pub issue: &'static str,
    /// From this day on, `YYYY-MM-DD`, it counts as a failure.
    pub expires: &'static str,
}
