//! [`settled`]: what a second client may be asked, given when the adapter says it sees a write.

use storage_core::Consistency;

use crate::context::Ctx;

/// Waits until another client must see what was written: not at all where the adapter is linearizable, else its declared bound.
pub(crate) async fn settled(ctx: &Ctx) {
    if let Consistency::Eventual { bound } = ctx.declaration().objects.consistency {
        tokio::time::sleep(bound).await;
    }
}
