//! [`Backoff`]: a pause before an attempt that was lost to somebody else is repeated.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result, Retry};
use crate::random::random_u128;

/// With full jitter, two writers that meet at every attempt part after a few; a hundred writers of one document still get
/// through. After this many the medium is more likely broken than busy.
const MAX_ATTEMPTS: u32 = 500;

/// The first pauses; every further one may be twice as long.
const FIRST: Duration = Duration::from_millis(1);

/// No pause is longer: about two round trips to a far service.
const LONGEST: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { attempts: 0 }
    }

    /// Waits a random time before the next attempt; the first repetition follows at once.
    ///
    /// # Errors
    /// `Conflict` when it was tried often enough.
    pub(super) async fn pause(&mut self) -> Result<()> {
        self.attempts += 1;
        if self.attempts >= MAX_ATTEMPTS {
            return Err(Error::new(
                ErrorKind::Conflict,
                "others wrote the same thing at every attempt; try again when there is less going on",
            )
            .with_retry(Retry::Later)
            .with_context("attempts", self.attempts.to_string()));
        }
        if self.attempts > 1 {
            let ceiling = FIRST
                .saturating_mul(1 << (self.attempts - 2).min(10))
                .min(LONGEST);
            let micros = random_u128() % (ceiling.as_micros() + 1);
            tokio::time::sleep(Duration::from_micros(u64::try_from(micros).unwrap_or(0))).await;
        }
        Ok(())
    }
}
