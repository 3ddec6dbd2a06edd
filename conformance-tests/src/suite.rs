//! [`Suite`]: what a set of cases is about.

use std::fmt;

use crate::case::Case;
use crate::cases;
#[cfg(any(
    feature = "chunks",
    feature = "collections",
    feature = "kv",
    feature = "volumes"
))]
use crate::stores;

/// What a set of cases is about: the contract, or a store on top of it.
///
/// A store's cases need nothing but an adapter under test, so a new backend proves the stores too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Suite {
    /// The contract of adapters.
    Adapter,
    /// Content in pieces: `storage_stores::chunks`.
    #[cfg(feature = "chunks")]
    Chunks,
    /// Typed entities: `storage_stores::collections`.
    #[cfg(feature = "collections")]
    Collections,
    /// Values under keys: `storage_stores::kv`.
    #[cfg(feature = "kv")]
    Kv,
    /// Blocks, signed events and volumes: `storage_stores::volumes`.
    #[cfg(feature = "volumes")]
    Volumes,
}

impl Suite {
    /// Every suite there is, the contract first.
    pub const ALL: &[Self] = &[
        Self::Adapter,
        #[cfg(feature = "chunks")]
        Self::Chunks,
        #[cfg(feature = "collections")]
        Self::Collections,
        #[cfg(feature = "kv")]
        Self::Kv,
        #[cfg(feature = "volumes")]
        Self::Volumes,
    ];

    /// Its name in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adapter => "adapter",
            #[cfg(feature = "chunks")]
            Self::Chunks => "chunks",
            #[cfg(feature = "collections")]
            Self::Collections => "collections",
            #[cfg(feature = "kv")]
            Self::Kv => "kv",
            #[cfg(feature = "volumes")]
            Self::Volumes => "volumes",
        }
    }

    /// Its cases, group by group.
    pub fn cases(self) -> impl Iterator<Item = &'static Case> {
        let groups = match self {
            Self::Adapter => cases::GROUPS,
            #[cfg(feature = "chunks")]
            Self::Chunks => stores::chunks::GROUPS,
            #[cfg(feature = "collections")]
            Self::Collections => stores::collections::GROUPS,
            #[cfg(feature = "kv")]
            Self::Kv => stores::kv::GROUPS,
            #[cfg(feature = "volumes")]
            Self::Volumes => stores::volumes::GROUPS,
        };
        groups.iter().copied().flatten()
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Makes one suite of groups of cases, and a macro that makes a test of each: `groups! { ($) suite: first second }`. `$d` is a dollar
/// sign, for the inner macro.
macro_rules! groups {
    (($d:tt) $suite:ident: $($group:ident)* $(; of facilities: $($facility:ident)*)?) => {
        /// Every group's cases.
        pub(crate) static GROUPS: &[&[$crate::case::Case]] = &[$($group::CASES,)* $($($facility::CASES),*)?];

        /// Makes a test of every case of a suite: `conformance_tests::suite!(MyHarness::new());`.
        ///
        /// The argument is any expression that gives a `Harness`; it may `.await`, and it is evaluated once for
        /// each test. Put the call in a module of its own where one file tests several adapters.
        #[macro_export]
        macro_rules! $suite {
            ($d harness:expr) => {
                $($d crate::$group!($d harness);)*
            };
        }
    };
}

pub(crate) use groups;
