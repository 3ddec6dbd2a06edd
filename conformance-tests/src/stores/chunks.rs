//! The cases of `storage_stores::chunks`.

mod chunk_again;
mod chunk_basics;
mod chunk_cleanup;
mod chunk_complete;
mod chunk_crash;
mod chunk_ids;
mod chunk_sessions;
mod chunk_total;
mod chunk_verify;
mod sample;

use crate::suite::groups;

groups! { ($) chunks_suite:
    chunk_again
    chunk_basics
    chunk_cleanup
    chunk_complete
    chunk_crash
    chunk_ids
    chunk_sessions
    chunk_total
    chunk_verify
}
