//! The cases of the contract, a file for each group.
//!
//! A new group is one `mod` line and one name in `groups!`, both in alphabetical order.

mod batch;
mod bulk;
mod concurrency;
mod conditional;
mod declaration;
mod document_conditions;
mod document_names;
mod document_values;
mod documents;
mod errors;
mod expiry;
mod failures;
mod fence;
mod harness;
mod index;
mod index_build;
mod lease;
mod lifecycle;
mod limits;
mod listing;
mod log;
mod log_follow;
mod model;
mod names;
mod objects;
mod pages;
mod processes;
mod query;
mod raw;
pub(crate) mod sample;
mod unique;
mod uploads;
mod watch;

use crate::suite::groups;

groups! { ($) suite:
    batch
    bulk
    concurrency
    conditional
    declaration
    document_conditions
    document_names
    document_values
    documents
    errors
    expiry
    fence
    harness
    index
    index_build
    lease
    lifecycle
    limits
    listing
    log
    log_follow
    model
    names
    objects
    pages
    query
    unique
    uploads
    watch
    ; of facilities:
    failures
    processes
    raw
}
