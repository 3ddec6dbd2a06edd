//! The cases of `storage_stores::kv`.

mod kv_audit;
mod kv_basics;
mod kv_cleanup;
mod kv_crash;
mod kv_expiry;
mod kv_limits;
mod kv_lock;
mod kv_memory;
mod kv_model;
mod kv_namespaces;
mod kv_seal;
mod sample;

use crate::suite::groups;

groups! { ($) kv_suite:
    kv_audit
    kv_basics
    kv_cleanup
    kv_crash
    kv_expiry
    kv_limits
    kv_lock
    kv_memory
    kv_model
    kv_namespaces
    kv_seal
}
