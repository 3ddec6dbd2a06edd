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
    "parts are a backend's own affair behind the streamed write, whose cases cover what can be seen": "obj.parts_out_of_order"
        "obj.two_uploads_same_key_one_whole_winner (parts)";
    "there are no partial patches": "doc.patch_set_unset_inc_nested" "doc.patch_is_all_or_nothing"
        "doc.patch_overlapping_paths_invalid" "doc.inc_type_mismatch" "doc.inc_concurrent_sum";
    "there are no offsets; pages go on after a token": "query.offset_past_end";
    "a value is borrowed, so nobody can change it": "doc.input_not_mutated";
    "there is no projection": "doc.projection_keeps_key_and_version";
    "there are no interactive transactions": "tx.drop_without_commit_rolls_back" "tx.reads_own_writes" "tx.no_write_skew"
        "tx.repeatable_reads_no_read_skew" "tx.list_append_no_cycles" "tx.handle_unusable_after_end"
        "tx.abandoned_tx_releases_locks_within_bound" "tx.conflict_kind_is_retryable_and_not_applied";
    "no backend may repeat a conditional write by itself; of the layer that does, `storage-layers/tests/laws/retry.rs::a_lost_create_is_never_taken_for_somebody_elses`":
        "cond.retry_after_lost_ack_not_false_conflict";
    "no harness can fill a disk; behind files every call fails once and for good, a full disk among them: `storage-fs/src/simulation.rs::a_full_disk_never_makes_an_answer_untrue`":
        "dur.disk_full_and_readonly_clean";
    "a backend's pool is its own affair and no option of the contract; `concurrency.many-at-once-progress` asks for 200 calls at once":
        "conc.pool_exhaustion_progresses (of a given pool)";
    "only files have links: `storage-fs/tests/files/confinement.rs::a_link_in_the_root_is_never_followed`":
        "name.traversal_contained (symbolic links)";
    "what is somebody else's is said by each medium: with files and in MongoDB it is data on purpose, `storage-fs/tests/files/confinement.rs::foreign_things_are_ignored_in_listings_and_files_with_fitting_names_are_objects`, `storage-mongo/tests/servers/foreign.rs::a_foreign_document_is_a_document`":
        "hostile.foreign_files_or_rows_in_place";
    "no backend declares checksums; of the layer that has them, `storage-layers/src/checksum/format.rs::a_flipped_bit_in_any_chunk_and_in_any_hash_is_detected`":
        "dur.bitflip_is_corrupt_not_wrong_bytes";
    "it needs the medium's own client: `storage-mongo/tests/servers/foreign.rs::a_foreign_document_is_a_document`":
        "doc.native_client_can_read";
    "a stall of the executor cannot be told from a busy machine, and a law that fails by chance is none; what blocks runs on threads of its own, and `concurrency.two-runtimes` runs on one thread":
        "conc.executor_not_blocked";
    "it needs a disk that forgets what was not synced; files have one, `storage-fs/src/simulation.rs::what_is_acknowledged_survives_loss_of_power_after_any_three_operations`, and SQLite's own is not ours to test":
        "dur.every_crash_point" "dur.power_loss_as_declared";
    "a second opening after each kill is part of `processes.kill-9-loses-nothing-acknowledged`; a crash during recovery needs the simulated disk, `storage-fs/src/simulation.rs::what_a_killed_process_did_not_sync_does_not_take_down_anything_the_next_one_does`":
        "dur.recovery_is_idempotent (a crash during recovery)";
    "it needs the server's process: `test-servers/src/killed.rs`, part of every run against real servers":
        "dur.server_restart_midload";
    "there is one format of each backend so far, so there is nothing to migrate from; what the first version wrote is kept, and has to be read: `storage-fs/tests/files/golden.rs::what_the_first_version_wrote_is_read`, `storage-sqlite/tests/golden.rs::what_the_first_version_wrote_is_read`, and of layers and stores `storage-layers/tests/golden.rs::keystores_and_what_is_sealed_under_them_open_forever`, `storage-stores/tests/kv/golden.rs::what_the_first_version_wrote_is_read`, `storage-stores/tests/volumes/golden.rs::stores_of_this_version_open_for_ever`": "life.migrate_from_each_version"
        "life.migrate_stopped_after_each_step_resumes" "life.concurrent_open_migrates_once";
    "each format has its own mark: `storage-fs/tests/files/root.rs::a_newer_format_is_refused_untouched`, `storage-sqlite/tests/file.rs::a_newer_format_is_refused_untouched`, `storage-mongo/tests/servers/objects.rs::a_database_of_a_newer_format_is_refused_untouched`":
        "life.newer_schema_refused_untouched";
    "encryption is a layer: `storage-layers/tests/encrypt/medium.rs::the_wrong_key_no_key_and_plain_data_are_errors_of_their_own`":
        "enc.wrong_key_refused" "enc.missing_key_on_encrypted_refused" "enc.key_on_plaintext_refused";
    "encryption is a layer: `storage-layers/tests/encrypt/medium.rs::neither_plaintext_nor_key_is_found_on_the_disk`":
        "enc.no_plaintext_canary";
    "encryption is a layer: `storage-layers/tests/encrypt/medium.rs::what_is_sealed_opens_in_its_own_place_only`": "enc.swapped_ciphertext_detected";
    "encryption is a layer: `storage-layers/tests/encrypt/rotation.rs::work_that_was_cut_short_anywhere_goes_on`": "enc.rekey_interrupted_recovers";
    "a name is a Rust string, which is always valid UTF-8": "name.empty_nul_invalid_utf8_rejected (invalid UTF-8)";
};
