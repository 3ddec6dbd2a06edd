//! What the file backend promises beyond the common contract, against real directories.

mod files {
    pub(crate) mod support;

    mod concurrency;
    mod confinement;
    mod listing;
    mod logs;
    mod root;
    mod staging;
    mod tree;
    mod versions;
}
