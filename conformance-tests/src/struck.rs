//! What the catalogue of the design names and this suite does not check, and why.

/// A case that was struck, by the name it had in the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Struck {
    /// Its name in the design.
    pub name: &'static str,
    /// Why it is not here.
    pub why: &'static str,
}

macro_rules! struck {
    ($($why:literal: $($name:literal)+;)+) => {
        &[$($(Struck { name: $name, why: $why },)+)+]
    };
}

/// Every case that was struck.
pub fn struck() -> &'static [Struck] {
    STRUCK
}

static STRUCK: &[Struck] = struck! {
    "objects have no metadata": "obj.metadata_replaced_not_merged" "obj.metadata_case_and_unicode";
    "objects do not expire": "ttl on objects";
    "there is no rename": "obj.rename_atomic_replace";
    "parts are a backend's own affair behind the streamed write, whose cases cover what can be seen":
        "obj.parts_out_of_order" "obj.multipart_abort_frees_parts" "obj.two_uploads_same_key_one_whole_winner (parts)";
    "there are no partial patches": "doc.patch_set_unset_inc_nested" "doc.patch_is_all_or_nothing"
        "doc.patch_overlapping_paths_invalid" "doc.inc_type_mismatch" "doc.inc_concurrent_sum";
    "there are no offsets; pages go on after a token": "query.offset_past_end";
    "a value is borrowed, so nobody can change it": "doc.input_not_mutated";
    "there is no projection": "doc.projection_keeps_key_and_version";
    "there are no interactive transactions": "tx.drop_without_commit_rolls_back" "tx.reads_own_writes" "tx.no_write_skew"
        "tx.repeatable_reads_no_read_skew" "tx.list_append_no_cycles" "tx.handle_unusable_after_end"
        "tx.abandoned_tx_releases_locks_within_bound" "tx.conflict_kind_is_retryable_and_not_applied";
    "it needs a fault injected between adapter and medium; the fault layer's own tests do that":
        "err.applied_no_is_true" "err.lost_response_is_unknown" "cond.retry_after_lost_ack_not_false_conflict"
        "tx.error_never_swallowed" "dur.disk_full_and_readonly_clean" "conc.pool_exhaustion_progresses (of a given pool)";
    "it needs a look at the medium itself; each backend's own tests do that":
        "name.traversal_contained (symbolic links)" "hostile.foreign_files_or_rows_in_place" "dur.bitflip_is_corrupt_not_wrong_bytes"
        "doc.native_client_can_read" "ttl.purge_reclaims_storage" "enc.no_plaintext_canary" "enc.swapped_ciphertext_detected";
    "it needs a second process or one that is killed; each backend's own crash tests do that":
        "cond.create_race_one_winner_two_processes" "conc.two_processes_mixed" "dur.kill9_acked_survive_unacked_whole"
        "dur.every_crash_point" "dur.power_loss_as_declared" "dur.crash_between_data_and_sidecar" "dur.recovery_is_idempotent"
        "dur.completion_signal_means_durable" "dur.server_restart_midload" "conc.executor_not_blocked";
    "it needs data written by an older or newer release; each backend keeps its own": "life.migrate_from_each_version"
        "life.migrate_stopped_after_each_step_resumes" "life.newer_schema_refused_untouched"
        "life.concurrent_open_migrates_once";
    "encryption is a layer, with tests of its own": "enc.wrong_key_refused" "enc.missing_key_on_encrypted_refused"
        "enc.key_on_plaintext_refused" "enc.rekey_interrupted_recovers";
    "a name is a Rust string, which is always valid UTF-8": "name.empty_nul_invalid_utf8_rejected (invalid UTF-8)";
};
