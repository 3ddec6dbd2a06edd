//! The `storage` command as a person or a script runs it.
#![cfg(all(feature = "fs", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

mod command {
    mod audit;
    mod backup;
    mod conformance;
    mod documents;
    mod executions;
    mod fsck;
    #[cfg(feature = "encryption")]
    mod keys;
    mod kv;
    mod logs;
    mod migrate;
    mod objects;
    mod sessions;
    mod settings;
    mod shell;
    mod tour;
    mod volumes;
}
