//! [`Ctx`]: what a case gets to work with.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, join_all};
use storage_core::{Capability, Declaration, Result, Storage, StorageAdapter};

use crate::clock::TestClock;
use crate::facility::Failing;
use crate::faulty::{Fault, Faulty};
use crate::harness::{Harness, Place};
use crate::plan::Settings;
use crate::random::Random;

/// A place of its own, storage on it, and a clock.
pub struct Ctx {
    harness: Arc<dyn Harness>,
    place: Place,
    clock: Arc<TestClock>,
    settings: Settings,
    storage: Storage,
    opened: Mutex<Vec<Storage>>,
    places: Mutex<Vec<Place>>,
    advisories: Mutex<Vec<String>>,
}

impl Ctx {
    /// Opens storage in a fresh place.
    pub(crate) async fn open(harness: Arc<dyn Harness>, settings: Settings) -> Result<Self> {
        let (place, clock) = (Place::fresh(), Arc::new(TestClock::default()));
        let storage = Storage::with_clock(harness.open(&place).await?, clock.clone());
        Ok(Self {
            harness,
            clock,
            settings,
            opened: Mutex::new(vec![storage.clone()]),
            places: Mutex::new(vec![place.clone()]),
            advisories: Mutex::default(),
            place,
            storage,
        })
    }

    /// The first client of the place.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Another, independent client of the same place, with the same clock.
    ///
    /// # Errors
    /// What the harness says.
    pub async fn second(&self) -> Result<Storage> {
        self.open_at(&self.place, self.clock.clone()).await
    }

    /// Another client of the same place whose clock is its own.
    ///
    /// # Errors
    /// What the harness says.
    pub async fn second_with(&self, clock: Arc<TestClock>) -> Result<Storage> {
        self.open_at(&self.place, clock).await
    }

    /// Closes the first client and opens the place anew. What [`storage`](Self::storage) gives is closed from then on.
    ///
    /// # Errors
    /// What closing or the harness says.
    pub async fn reopen(&self) -> Result<Storage> {
        self.storage.close().await?;
        self.second().await
    }

    /// A client of another place, whose text is this place's with a suffix of `a-z`, `0-9` and `-`.
    ///
    /// # Errors
    /// What the harness says.
    pub async fn other_place(&self, suffix: &str) -> Result<Storage> {
        let place = self.place.neighbour(suffix);
        self.lock(&self.places).push(place.clone());
        self.open_at(&place, self.clock.clone()).await
    }

    /// A client of the same place for each call it makes: the first goes wrong at its first call, the next at its second, and so on,
    /// until one was given that never made so many.
    ///
    /// ```ignore
    /// let mut points = ctx.points(Fault::BeforeTheCall);
    /// while let Some(storage) = points.next().await? {
    ///     let outcome = what_is_tried(&storage).await;
    ///     // What must hold now, whatever the outcome, seen through ctx.storage().
    /// }
    /// ```
    pub fn points(&self, fault: Fault) -> Points<'_> {
        Points {
            ctx: self,
            at: 0,
            last: None,
            fails: Box::new(move |inner, at| Faulty::new(inner, at, fault)),
        }
    }

    /// The same, where right before the call somebody else does what `others` gives.
    pub fn overtakings(
        &self,
        others: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Points<'_> {
        let fails = move |inner, at| Faulty::overtaken(inner, at, others());
        Points {
            ctx: self,
            at: 0,
            last: None,
            fails: Box::new(fails),
        }
    }

    /// What the adapter declares.
    pub fn declaration(&self) -> &Declaration {
        self.storage.declaration()
    }

    /// Whether a capability is declared.
    pub fn has(&self, capability: Capability) -> bool {
        self.declaration().support(capability).is_present()
    }

    /// The clock of every client of this context.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The place.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Passwords and keys the adapter was opened with.
    pub fn secrets(&self) -> &[String] {
        self.harness.secrets()
    }

    /// Notes for the report what is worth knowing and no fault.
    pub fn advise(&self, text: impl Into<String>) {
        self.lock(&self.advisories).push(text.into());
    }

    pub(crate) fn take_advisories(&self) -> Vec<String> {
        std::mem::take(&mut *self.lock(&self.advisories))
    }

    /// One more client of the place, whose medium goes wrong at call `at`.
    pub(crate) async fn failing(&self, at: usize, fault: Fault) -> Result<Option<(Storage, Failing)>> {
        let failing = self.harness.open_failing(&self.place, at, fault).await?;
        Ok(failing.map(|failing| {
            let adapter = Arc::clone(failing.adapter());
            (Storage::with_clock(adapter, self.clock.clone()), failing)
        }))
    }

    pub(crate) fn harness(&self) -> &dyn Harness {
        &*self.harness
    }

    /// What random choices begin from.
    pub(crate) const fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// How many random operations to play, unless the case knows better.
    pub(crate) const fn operations(&self) -> Option<usize> {
        self.settings.operations
    }

    /// Numbers that are the same in every run with the same seed.
    pub fn random(&self) -> Random {
        Random::new(self.settings.seed)
    }

    async fn open_at(&self, place: &Place, clock: Arc<TestClock>) -> Result<Storage> {
        let storage = Storage::with_clock(self.harness.open(place).await?, clock);
        self.lock(&self.opened).push(storage.clone());
        Ok(storage)
    }

    /// Wipes one neighbour now, after closing its clients.
    pub(crate) async fn wipe_other(&self, suffix: &str, client: &Storage) -> Result<()> {
        client.close().await?;
        self.harness.wipe(&self.place.neighbour(suffix)).await
    }

    /// Closes every client and wipes every place, the others too where one refuses.
    pub(crate) async fn clean_up(&self) -> Result<()> {
        let opened = std::mem::take(&mut *self.lock(&self.opened));
        let closing = opened.iter().map(Storage::close);
        let mut result = join_all(closing).await.into_iter().collect();
        let places = std::mem::take(&mut *self.lock(&self.places));
        for place in places {
            result = Result::and(result, self.harness.wipe(&place).await);
        }
        result
    }

    fn lock<'a, T>(&self, list: &'a Mutex<Vec<T>>) -> std::sync::MutexGuard<'a, Vec<T>> {
        list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Clients of a place of which each goes wrong one call later; see [`Ctx::points`].
pub struct Points<'a> {
    ctx: &'a Ctx,
    at: usize,
    last: Option<Arc<Faulty>>,
    fails: Box<dyn Fn(Arc<dyn StorageAdapter>, usize) -> Faulty + Send + Sync + 'a>,
}

impl Points<'_> {
    /// The next client; `None` once the last one was through before anything happened.
    ///
    /// # Errors
    /// What the harness says.
    pub async fn next(&mut self) -> Result<Option<Storage>> {
        match self.last.take() {
            Some(last) if !last.was_reached() => return Ok(None),
            Some(_) => self.at += 1,
            None => {}
        }
        let inner = self.ctx.second().await?;
        let faulty = Arc::new((self.fails)(Arc::clone(inner.adapter()), self.at));
        self.last = Some(Arc::clone(&faulty));
        Ok(Some(Storage::with_clock(faulty, self.ctx.clock.clone())))
    }

    /// The call at which the client given last goes wrong, the first being 0. After the end, how many calls there were.
    pub const fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Debug for Points<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Points")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("place", &self.place)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}
