//! The laws of layers are tested too: layers with one known fault each must be caught by the law that is named for it, for the reason it
//! gives, and the real layers by none.

#![cfg(all(
    feature = "audit",
    feature = "cache",
    feature = "checksum",
    feature = "compression",
    feature = "encryption"
))]
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

mod bent;
mod laws;
mod layers;

use std::sync::Arc;

use futures::future::BoxFuture;
use storage_core::{Memory, StorageAdapter};
use storage_layers::{Fault, FaultPlan};

/// A medium, and what goes wrong with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Medium {
    pub(crate) memory: Memory,
    pub(crate) plan: FaultPlan,
}

impl Medium {
    pub(crate) fn adapter(&self) -> Arc<dyn StorageAdapter> {
        Arc::new(Fault::new(self.memory.clone(), self.plan.clone()))
    }
}

/// Puts a layer, sound or not, over a medium.
pub(crate) type Open = fn(Arc<dyn StorageAdapter>) -> BoxFuture<'static, Arc<dyn StorageAdapter>>;

/// `law! { law: sound; Mutant, … }` makes a test of the real layer, which keeps the law, and one of each mutant, which breaks it.
macro_rules! law {
    ($($law:ident: $sound:ident; $($mutant:ident),+;)+) => {
        $(
            mod $law {
                #[tokio::test(start_paused = true)]
                async fn is_kept_by_the_real_layer() {
                    super::laws::$law(super::layers::$sound).await;
                }

                $(
                    #[allow(non_snake_case, reason = "the test has the mutant's name")]
                    #[tokio::test(start_paused = true)]
                    async fn $mutant() {
                        let broken = tokio::spawn(super::laws::$law(super::layers::$mutant::over)).await;
                        let Err(panic) = broken else {
                            panic!("{} survives {}", stringify!($mutant), stringify!($law));
                        };
                        let panic = panic.into_panic();
                        let said = panic.downcast_ref::<String>().cloned();
                        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                        let said = said.unwrap_or_default();
                        assert!(said.contains("LAW"), "{} died of something else: {said}", stringify!($mutant));
                    }
                )+
            }
        )+
    };
}

law! {
    a_value_opens_under_its_own_name_only: encrypted; EncryptForgetsTheKey;
    a_document_opens_under_its_own_id_only: encrypted; EncryptForgetsTheId;
    equal_values_are_not_sealed_alike: encrypted; EncryptSealsAlike;
    plain_bytes_are_not_taken_for_sealed_ones: encrypted; EncryptTakesPlainBytes;
    every_flipped_bit_is_found: checked; ChecksumSkipsTheEnd;
    a_bomb_is_refused: compressed; CompressTrustsTheMedium;
    ones_own_write_is_seen_at_once: cached; CacheServesStale;
    what_was_not_there_is_seen_once_it_is: cached; CacheRemembersAbsence;
    a_part_is_that_part: cached; CacheIgnoresTheRange;
    an_append_is_never_doubled: retried; RetryRepeatsTheUnknown;
    a_lost_create_is_not_taken_for_somebody_elses: retried; RetryTakesItsEchoForAnother;
    a_neighbour_is_not_listed: tenant; NamespaceListsTheNeighbour;
    a_neighbours_collections_do_not_show: tenant; NamespaceShowsCollections;
    writing_over_takes_no_more: limited; QuotaCountsTwice;
    what_is_deleted_is_given_back: limited; QuotaKeepsTheDeleted;
    nothing_is_changed: read_only; ReadOnlyLetsABatchThrough, ReadOnlyLetsAWriterThrough;
    what_failed_is_recorded: audited; AuditSkipsTheFailed;
    what_cannot_be_recorded_is_not_done: audited; AuditComesAfterwards;
    a_write_that_ran_out_may_have_happened: timed; TimeoutSaysNo;
}
