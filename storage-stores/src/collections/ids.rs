//! [`Ids`]: ids that need no coordination and come in the order of time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use storage_core::{DocumentId, Result, Timestamp};
use uuid::{ContextV7, Uuid};

/// Makes UUIDs of version 7: 48 bits of milliseconds, 42 that count within one, 32 that are random.
#[derive(Debug, Default)]
pub(super) struct Ids {
    context: Mutex<ContextV7>,
}

impl Ids {
    /// An id greater than every earlier one from here, as long as the clock does not step back.
    pub(super) fn next(&self, now: Timestamp) -> Result<DocumentId> {
        // Before 1970 there is no version 7; such a clock is wrong anyway, and ids stay unique.
        let since_epoch = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0));
        let time = {
            let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
            uuid::Timestamp::from_unix(&*context, since_epoch.as_secs(), since_epoch.subsec_nanos())
        };
        DocumentId::new(Uuid::new_v7(time).hyphenated().to_string())
    }
}
