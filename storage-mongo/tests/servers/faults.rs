//! A network between the library and the server that loses, delays and repeats: whatever is answered must be true.
//!
//! After each write under a fault one looks by a way without faults. Acknowledged: it is there. Refused as not applied: it is not, and does
//! not come later. Otherwise: the old or the new state, whole. The answer comes in bounded time, and the same handle goes on afterwards.

pub(crate) mod documents;
pub(crate) mod indexes;
pub(crate) mod logs;
pub(crate) mod objects;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use storage_core::{Applied, Area, Bytes, Error, Key, StorageBackend, WriteRequest};
use storage_mongo::Mongo;
use test_servers::proxy::{Commands, Mongo as Proxy, MongoFault};
use tokio::time::{sleep, timeout};
use tokio::{join, select};

use crate::place::Place;

/// What the handle behind the proxy waits for an answer. More than a loaded server takes, so that most writes meet no other fault.
const OPERATION: Duration = Duration::from_secs(6);
/// After this a request that was on its way has reached the server, and been done.
const LATE: Duration = Duration::from_secs(8);
/// What any operation takes at the very most: many times its exchanges, each as long as it may be.
const PATIENCE: Duration = Duration::from_secs(120);

/// Each fault, and whether it stays: a driver sends a write once more, and then meets it again.
const FAULTS: [(MongoFault, bool); 8] = [
    (MongoFault::Drop { applied: true }, false),
    (MongoFault::Drop { applied: true }, true),
    (MongoFault::Drop { applied: false }, false),
    (MongoFault::Drop { applied: false }, true),
    (MongoFault::Hang { applied: true }, true),
    (MongoFault::Hang { applied: false }, true),
    (MongoFault::DelayAnswer(LATE), false),
    (MongoFault::DelayRequest(LATE), false),
];

/// Two handles of one database: one behind a proxy, one beside it.
pub(crate) struct Weather {
    proxy: Proxy,
    /// Meets the faults.
    pub(crate) through: Mongo,
    /// Meets none.
    pub(crate) clear: Mongo,
}

impl Weather {
    pub(crate) async fn at(place: &Place) -> Self {
        let proxy = Proxy::to(&place.server.url).unwrap();
        let config = place.config_at(proxy.url()).operation_timeout(OPERATION);
        let begun = Instant::now();
        let through = loop {
            match Mongo::connect(config.clone()).await {
                Ok(mongo) => break mongo,
                // The probes of many tests at once may take a loaded server longer than the operations here may.
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
        };
        Self {
            through,
            clear: place.connect().await,
            proxy,
        }
    }

    /// Does something under a fault, and looks that the handle goes on afterwards.
    pub(crate) async fn under<T>(
        &self,
        commands: &Commands,
        (fault, stays): (MongoFault, bool),
        work: impl Future<Output = T>,
    ) -> T {
        let injected = if stays {
            self.proxy.always(commands.clone(), fault)
        } else {
            self.proxy.once(commands.clone(), fault)
        };
        let answer = timeout(PATIENCE, work).await;
        let fired = injected.fired();
        self.proxy.heal();
        assert!(fired > 0, "{fault:?} was met by nothing: {commands:?}");
        let answer = answer.unwrap_or_else(|_| panic!("waits for ever under {fault:?}"));
        self.recovers(&format!("{fault:?}")).await;
        answer
    }

    /// Does something under which nothing is answered until the network is cut, and looks that the handle goes on afterwards.
    pub(crate) async fn silent_then_cut<T>(
        &self,
        commands: Commands,
        applied: bool,
        work: impl Future<Output = T>,
    ) -> T {
        let silence = self.proxy.once(commands, MongoFault::Hang { applied });
        let cut = async {
            assert!(silence.met().await);
            self.proxy.cut();
        };
        let answer = timeout(PATIENCE, async { join!(work, cut).0 }).await;
        self.proxy.heal();
        self.recovers("the cut").await;
        answer.unwrap_or_else(|_| panic!("waits for ever over a network that is cut"))
    }

    /// Begins something and drops it as soon as a command has met silence.
    pub(crate) async fn abandoned<T>(
        &self,
        commands: Commands,
        applied: bool,
        work: impl Future<Output = T>,
    ) {
        let silence = self.proxy.once(commands.clone(), MongoFault::Hang { applied });
        select! {
            _ = work => panic!("it was done before it met silence: {commands:?}"),
            met = silence.met() => assert!(met),
        }
        self.proxy.heal();
    }

    /// Looks that the handle goes on.
    async fn recovers(&self, from: &str) {
        let recovered = async {
            let key = Key::new("recovered").unwrap();
            let write = || {
                let bytes = Bytes::from_static(b"yes");
                self.through
                    .write(Area::Objects, &key, bytes, WriteRequest::default())
            };
            while write().await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let recovered = timeout(PATIENCE, recovered).await;
        assert!(recovered.is_ok(), "the handle does not recover from {from}");
    }

    pub(crate) async fn close(self) {
        self.through.close().await.unwrap();
        self.clear.close().await.unwrap();
    }
}

/// A write as its laws see it: `S` is the state of what it changes.
pub(crate) trait Write {
    type State: PartialEq + Debug;

    /// Makes what is there before, and says it. Each round has a place of its own, so that what comes late meets no other.
    async fn prepare(&mut self, mongo: &Mongo, round: usize) -> Self::State;

    /// Writes; panics if what is acknowledged is not what was asked.
    async fn write(&self, mongo: &Mongo) -> Result<(), Error>;

    /// What is there if the write was done.
    fn after(&self) -> Self::State;

    /// What is there.
    async fn look(&self, mongo: &Mongo) -> Self::State;

    /// Changes the same by another handle, which only what a transaction left locked keeps waiting.
    async fn change_again(&self, _mongo: &Mongo) -> Result<(), Error> {
        Ok(())
    }

    /// Waits until nothing that is left of it is in the way of another write.
    async fn unlocked(&self, mongo: &Mongo, what: &str) {
        let begun = Instant::now();
        while self.change_again(mongo).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "it stays locked: {what}");
        }
    }
}

/// Checks a write under every fault on those of its commands.
pub(crate) async fn under_each_fault(place: &Place, commands: Commands, mut write: impl Write) {
    let weather = Weather::at(place).await;
    for (round, fault) in FAULTS.into_iter().enumerate() {
        let before = write.prepare(&weather.clear, round).await;
        let answer = weather
            .under(&commands, fault, write.write(&weather.through))
            .await;
        let what = format!("{answer:?} after {fault:?} on {commands:?}");
        if is_refused(&answer) {
            sleep(LATE).await;
        }
        let now = write.look(&weather.clear).await;
        judge(&answer, &before, &write.after(), &now, &what);
        let same = write.look(&weather.through).await;
        assert!(
            same == now || !is_known(&answer),
            "the handle sees something else: {what}"
        );
        write.unlocked(&weather.clear, &what).await;
    }
    weather.close().await;
}

/// Whether the answer leaves nothing open.
fn is_known(answer: &Result<(), Error>) -> bool {
    answer.is_ok() || is_refused(answer)
}

fn is_refused(answer: &Result<(), Error>) -> bool {
    answer.as_ref().is_err_and(|error| error.applied() == Applied::No)
}

/// Whether what was answered is so.
pub(crate) fn judge<S: PartialEq + Debug>(
    answer: &Result<(), Error>,
    before: &S,
    after: &S,
    now: &S,
    what: &str,
) {
    match answer {
        Ok(()) => assert_eq!(now, after, "acknowledged and not so: {what}"),
        Err(error) if error.applied() == Applied::No => assert_eq!(now, before, "refused and done: {what}"),
        Err(_) => assert!(
            now == before || now == after,
            "neither old nor new, {now:?}: {what}"
        ),
    }
}
