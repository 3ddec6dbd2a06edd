//! [`Backoff`]: a pause before something is sent again.

use std::time::Duration;

use storage_core::random_u128;

/// The longest first pause, about a round trip; every further one may be twice as long.
const FIRST: Duration = Duration::from_millis(20);

/// No pause is longer: a server that asks for patience gets a second of it.
const LONGEST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { ceiling: FIRST }
    }

    /// Waits a random time, so that writers that met part.
    pub(crate) async fn pause(&mut self) {
        let micros = random_u128() % (self.ceiling.as_micros() + 1);
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        tokio::time::sleep(Duration::from_micros(u64::try_from(micros).unwrap_or(0))).await;
    }
}
