//! When a time that a disk gave to a change will not be given to another one.

use std::time::{SystemTime, UNIX_EPOCH};

/// How many seconds a change must be behind the clock. Disks take their times from a clock that moves every few milliseconds, some keep
/// whole seconds, and two at the coarsest.
const SECONDS: i64 = 2;

/// The clock, in seconds since 1970; `None` where it is before.
pub(crate) fn now() -> Option<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(now.as_secs()).ok()
}

/// Whether every change from now on gets a later time than this one, which is in seconds since 1970.
pub(crate) fn is_settled(changed: i64, now: Option<i64>) -> bool {
    now.is_some_and(|now| changed < now - SECONDS)
}
