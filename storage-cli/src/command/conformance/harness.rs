//! [`UrlHarness`]: a place of its own for every case, beside what a URL names.

mod contract;
mod local;
#[cfg(feature = "mongo")]
mod mongo;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use conformance_tests::processes::Lane;
use conformance_tests::{Facility, Harness, Label, Place, RawFiles};
use futures::StreamExt;
use storage_core::{Capability, Error, ErrorKind, Result, StorageAdapter};
use storage_factory::{Factory, Place as Names, StorageUrl};

/// What says of a bucket whether the server decides conditions: it is found out once and not at each of hundreds of openings.
const CONDITIONS: &str = "conditional_writes";

/// What several processes on this machine may have open at once, in files that are looked at.
const ON_THIS_MACHINE: [&str; 2] = ["fs", "sqlite"];

/// Of how many places at once the remains are removed.
const PARALLEL: usize = 8;

/// How long the removal of one place may take at the end of a run. A server that has gone is not waited for at every place.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens places through the factory. What it did not find empty it neither uses nor removes; what it used it removes.
#[derive(Debug)]
pub(super) struct UrlHarness {
    factory: Factory,
    url: StorageUrl,
    names: Names,
    /// Whether the server was found to decide conditions.
    decides: OnceLock<bool>,
    /// The places that were found empty.
    places: Mutex<BTreeMap<String, Used>>,
    /// Directories that were made for them.
    directories: Mutex<Vec<PathBuf>>,
    #[cfg(feature = "mongo")]
    databases: mongo::Databases,
}

/// A place of this run.
#[derive(Debug, Default)]
struct Used {
    /// The only adapter, where a place cannot be opened twice.
    shared: Option<Arc<dyn StorageAdapter>>,
    wiped: bool,
}

impl UrlHarness {
    pub(super) fn new(factory: Factory, url: &str) -> Result<Self> {
        let url = factory.parse(url)?;
        let names = factory
            .scheme(url.scheme())
            .map_or(Names::Any, storage_factory::Scheme::place_kind);
        if names == Names::File && url.path() == ":memory:" {
            return Err(Error::invalid_argument(
                "a database in memory cannot be opened twice, which the suite has to; name a file",
            )
            .with_operation("test storage")
            .with_key(url.to_string()));
        }
        Ok(Self {
            factory,
            url,
            names,
            decides: OnceLock::new(),
            places: Mutex::default(),
            directories: Mutex::default(),
            #[cfg(feature = "mongo")]
            databases: mongo::Databases::default(),
        })
    }

    /// Removes what is left of the places of the run. Where a case did not pass, `all` looks at every place again: what the case
    /// had under way when it was given up may have arrived after its place was wiped.
    ///
    /// # Errors
    /// The first failure, naming all places that are left.
    pub(super) async fn clean_up(&self, all: bool) -> Result<()> {
        let mut left = Vec::new();
        for (place, used) in self.places().iter() {
            if all || !used.wiped {
                left.push(place.clone());
            }
        }
        let removed = futures::stream::iter(left)
            .map(|place| async move {
                let removed = tokio::time::timeout(PATIENCE, self.remove(&place)).await;
                let late = |_| Err(Error::new(ErrorKind::Timeout, "it took longer than a minute"));
                (self.url(&place), removed.unwrap_or_else(late))
            })
            .buffer_unordered(PARALLEL);
        let failed: Vec<_> = removed
            .filter_map(|(url, removed)| async { Some((url, removed.err()?)) })
            .collect()
            .await;
        local::remove_empty(&self.directories.lock().unwrap_or_else(PoisonError::into_inner));
        let urls: Vec<_> = failed.iter().map(|(url, _)| url.to_string()).collect();
        match failed.into_iter().next() {
            None => Ok(()),
            Some((_, error)) => Err(error
                .with_operation("remove what the run made")
                .with_context("left behind", urls.join(" "))),
        }
    }

    /// The URL of a place. Its name says what it is, for the day a run was killed.
    fn url(&self, place: &str) -> StorageUrl {
        let (path, place) = (self.url.path(), format!("conformance-{place}"));
        let within = |path: &str| format!("{}/{place}", path.trim_end_matches('/'));
        match self.names {
            Names::Nothing => self.url.clone(),
            Names::Directory => self.url.with_path(&within(path)),
            // A suffix would be one of the bucket's name.
            Names::Bucket if path.trim_matches('/').is_empty() => self.url.with_path(&within(path)),
            // The extension is what people know a file by.
            Names::File => match path
                .rsplit_once('.')
                .filter(|(_, extension)| !extension.contains('/'))
            {
                Some((stem, extension)) => self.url.with_path(&format!("{stem}-{place}.{extension}")),
                None => self.url.with_path(&format!("{path}-{place}")),
            },
            _ => self
                .url
                .with_path(&format!("{}-{place}", path.trim_end_matches('/'))),
        }
    }

    /// The URL with what is to be taken for found out about conditions, unless it says so itself or knows no such thing.
    fn settled(&self, url: &StorageUrl, conditions: &str) -> Result<StorageUrl> {
        let scheme = self.factory.scheme(url.scheme());
        let known = scheme.is_some_and(|scheme| {
            scheme
                .option_table()
                .iter()
                .any(|option| option.name == CONDITIONS)
        });
        if !known || url.options().any(|(name, _)| name == CONDITIONS) {
            return Ok(url.clone());
        }
        let text = url.with_secrets();
        let separator = if text.contains('?') { '&' } else { '?' };
        self.factory
            .parse(&format!("{text}{separator}{CONDITIONS}={conditions}"))
    }

    fn is_on_this_machine(&self) -> bool {
        let scheme = self.factory.scheme(self.url.scheme());
        scheme.is_some_and(|scheme| ON_THIS_MACHINE.contains(&scheme.name()))
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Used>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a place where something is. Leaves nothing there.
    async fn check_empty(&self, url: &StorageUrl) -> Result<()> {
        let full = match self.names {
            Names::Nothing => false,
            Names::Directory | Names::File => local::is_full(self.names, url),
            #[cfg(feature = "mongo")]
            Names::Database if mongo::is_for(url) => self.databases.is_full(&self.factory, url).await?,
            _ => contract::is_full(&self.factory, &self.settled(url, "never")?).await?,
        };
        if full {
            let message = "something is there already; the suite only uses places that are empty";
            return Err(Error::new(ErrorKind::AlreadyExists, message).with_key(url.to_string()));
        }
        if matches!(self.names, Names::Directory | Names::File) {
            let made = local::make_parent(url)?;
            let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
            directories.extend(made);
        }
        Ok(())
    }

    /// Removes all there is in a place of this run.
    async fn remove(&self, place: &str) -> Result<()> {
        let url = self.url(place);
        match self.names {
            Names::Nothing => Ok(()),
            Names::Directory | Names::File => local::remove(self.names, &url),
            #[cfg(feature = "mongo")]
            Names::Database if mongo::is_for(&url) => self.databases.remove(&self.factory, &url).await,
            _ => contract::empty(&self.factory, &self.settled(&url, "never")?).await,
        }
    }
}

#[async_trait]
impl Harness for UrlHarness {
    fn label(&self) -> Label {
        Label::new(self.url.scheme(), "")
    }

    async fn open(&self, place: &Place) -> Result<Arc<dyn StorageAdapter>> {
        let mut url = self.url(place.as_str());
        if !self.places().contains_key(place.as_str()) {
            self.check_empty(&url).await?;
        }
        // From here on it is this run's, whatever becomes of the opening.
        let shared = {
            let mut places = self.places();
            let used = places.entry(place.as_str().to_owned()).or_default();
            used.wiped = false;
            used.shared.clone()
        };
        if let Some(shared) = shared {
            return Ok(shared);
        }
        if self.decides.get() == Some(&true) {
            url = self.settled(&url, "trust")?;
        }
        let adapter = self.factory.open_adapter(url.with_secrets()).await?;
        self.decides.get_or_init(|| {
            let declared = adapter.declaration().support(Capability::CompareAndSwap);
            declared.is_present()
        });
        // What has only one place is empty with every opening, so its clients must share the first.
        if self.names == Names::Nothing {
            let mut places = self.places();
            let used = places.entry(place.as_str().to_owned()).or_default();
            used.shared = Some(Arc::clone(&adapter));
        }
        Ok(adapter)
    }

    fn raw(&self, place: &Place) -> Option<RawFiles> {
        self.is_on_this_machine()
            .then(|| local::raw(self.names, &self.url(place.as_str())))
    }

    /// Processes of this program, in directories beside the places.
    fn lane(&self) -> Option<Lane> {
        if !self.is_on_this_machine() {
            return None;
        }
        // Where the disk refuses that, it does so again where a process is to work, and says why.
        if let Ok(made) = local::make_parent(&self.url("")) {
            let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
            directories.extend(made);
        }
        let (factory, url, names) = (self.factory.clone(), self.url.clone(), self.names);
        // Among the arguments of this process the URL stands as well.
        let arguments = ["conformance", "process", self.url.with_secrets()];
        let lane = Lane::command(arguments, move |directory| {
            let (factory, url) = (factory.clone(), local::within(names, &url, &directory));
            Box::pin(async move { factory.open_adapter(url.with_secrets()).await })
        });
        Some(lane.within(local::parent(&self.url(""))))
    }

    fn facilities(&self) -> &[Facility] {
        if self.is_on_this_machine() {
            &[Facility::Processes, Facility::Raw]
        } else {
            &[]
        }
    }

    async fn wipe(&self, place: &Place) -> Result<()> {
        if !self.places().contains_key(place.as_str()) {
            return Ok(());
        }
        self.remove(place.as_str()).await?;
        if let Some(used) = self.places().get_mut(place.as_str()) {
            *used = Used {
                shared: None,
                wiped: true,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
