//! The cases, a file for each group.
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
mod names;
mod objects;
mod pages;
mod query;
mod reference;
mod sample;
mod unique;
mod uploads;

/// `$d` is a dollar sign, for the inner macro.
macro_rules! groups {
    (($d:tt) $($group:ident)+) => {
        /// Every group's cases.
        pub(crate) static GROUPS: &[&[crate::case::Case]] = &[$($group::CASES),+];

        /// Makes a test of every case of the suite: `conformance_tests::suite!(MyHarness::new());`.
        ///
        /// The argument is any expression that gives a `Harness`; it may `.await`, and it is evaluated once for
        /// each test. Put the call in a module of its own where one file tests several adapters.
        #[macro_export]
        macro_rules! suite {
            ($d harness:expr) => {
                $($d crate::$group!($d harness);)+
            };
        }
    };
}

groups! { ($)
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
    names
    objects
    pages
    query
    unique
    uploads
}
