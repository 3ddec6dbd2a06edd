//! [`Lifetime`] and [`SetOptions`]: how long an entry lives, and how it is stored.

use std::time::Duration;

use storage_core::{Error, Result, Timestamp};

use super::entry::Life;

/// How long an entry lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Lifetime {
    /// As the [options of the store](super::KvOptions::ttl) say; for [`touch`](super::Kv::touch), as long as before.
    #[default]
    Default,
    /// For this long from now on.
    For(Duration),
    /// Until this point in time.
    Until(Timestamp),
    /// Without end.
    Forever,
    /// Without end, and neither evicted nor cleared unless that is forced.
    Permanent,
}

impl From<Duration> for Lifetime {
    fn from(ttl: Duration) -> Self {
        Self::For(ttl)
    }
}

/// How to store a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOptions {
    pub(super) lifetime: Lifetime,
    pub(super) contradicts: bool,
    pub(super) compress: Option<bool>,
    pub(super) encrypt: Option<bool>,
    pub(super) if_absent: bool,
}

impl SetOptions {
    /// As the options of the store say.
    pub fn new() -> Self {
        Self::default()
    }

    /// It lives for this long from now on, by this client's clock.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        self.lifetime(Lifetime::For(ttl))
    }

    /// It lives until this point in time. One that has passed is taken, and the entry has expired at once.
    #[must_use]
    pub fn expires_at(self, time: Timestamp) -> Self {
        self.lifetime(Lifetime::Until(time))
    }

    /// It never expires, is never evicted, and is cleared only by force.
    #[must_use]
    pub fn permanent(self) -> Self {
        self.lifetime(Lifetime::Permanent)
    }

    /// How long it lives.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.contradicts |= self.lifetime != Lifetime::Default && self.lifetime != lifetime;
        self.lifetime = lifetime;
        self
    }

    /// Whether to compress it, whatever its size; by default, from the [threshold](super::KvOptions::compression_threshold) on.
    #[must_use]
    pub const fn compress(mut self, compress: bool) -> Self {
        self.compress = Some(compress);
        self
    }

    /// Whether to encrypt it; by default as the [keys](super::Sealing) say.
    #[must_use]
    pub const fn encrypt(mut self, encrypt: bool) -> Self {
        self.encrypt = Some(encrypt);
        self
    }

    /// Store it only where no value is.
    #[must_use]
    pub const fn if_absent(mut self) -> Self {
        self.if_absent = true;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.contradicts {
            return Err(Error::invalid_argument(
                "give one of a time to live, a time of expiry, and permanence",
            ));
        }
        Ok(())
    }
}

impl Lifetime {
    pub(super) fn life(self, default: Option<Duration>, now: Timestamp) -> Result<Life> {
        let (expires_at, permanent) = match self {
            Self::Default => (default.map(|ttl| now.after(ttl)), false),
            Self::For(ttl) => (Some(now.after(ttl)), false),
            Self::Until(time) => (Some(time), false),
            Self::Forever => (None, false),
            Self::Permanent => (None, true),
        };
        Ok(Life {
            expires_at,
            permanent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused_and_repetitions_are_not() {
        let hour = Duration::from_secs(3600);
        assert!(SetOptions::new().ttl(hour).permanent().check().is_err());
        assert!(
            SetOptions::new()
                .ttl(hour)
                .expires_at(Timestamp::from_millis(0))
                .check()
                .is_err()
        );
        assert!(SetOptions::new().ttl(hour).ttl(hour).check().is_ok());
    }

    #[test]
    fn a_time_to_live_without_end_saturates() {
        let now = Timestamp::from_millis(5);
        let life = Lifetime::For(Duration::MAX).life(None, now).unwrap();
        assert_eq!(life.expires_at, Some(Timestamp::from_millis(i64::MAX)));
    }
}
