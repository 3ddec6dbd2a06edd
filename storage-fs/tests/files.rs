//! What the file backend promises beyond the common contract, against real directories.

#![allow(clippy::unwrap_used, reason = "the lint spares tests, not what tests share")]

mod files {
    pub(crate) mod support;

    mod concurrency;
    mod confinement;
    mod golden;
    mod handles;
    mod listing;
    mod logs;
    mod root;
    mod staging;
    mod tree;
    mod versions;
}
