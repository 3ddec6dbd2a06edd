//! The stores, held to their suites on every backend that needs no server.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bucket;
mod deep;
mod directories;
mod stacks;

use directories::Directories;

/// Every suite on what one kind of harness opens.
macro_rules! suites_on {
    ($backend:ident: $harness:expr) => {
        mod $backend {
            #[allow(unused_imports, reason = "a harness may be named by its full path")]
            use super::*;

            conformance_tests::chunks_suite!($harness);
            conformance_tests::collections_suite!($harness);
            conformance_tests::kv_suite!($harness);
            conformance_tests::volumes_suite!($harness);
        }
    };
}

suites_on! { memory: conformance_tests::InMemory::new("memory", |memory: storage_core::Memory| std::sync::Arc::new(memory)) }
suites_on! { fs: Directories::new("fs", |directory| Box::pin(directories::fs(directory))) }
suites_on! { sqlite: Directories::new("sqlite", |directory| Box::pin(directories::sqlite(directory))) }
// The other stores do not ask how an object is deleted.
mod bucket_in_memory {
    conformance_tests::chunks_suite!(conformance_tests::InMemory::new("bucket", crate::bucket::bucket));
}
suites_on! { pair: Directories::new("fs+sqlite", |directory| Box::pin(directories::pair(directory))) }

/// The suites of the stores that search for no fields but their own.
macro_rules! sealed_suites_on {
    ($backend:ident: $harness:expr) => {
        mod $backend {
            use super::*;

            conformance_tests::chunks_suite!($harness);
            conformance_tests::kv_suite!($harness);
            conformance_tests::volumes_suite!($harness);
        }
    };
}

sealed_suites_on! {
    sealed_memory: conformance_tests::InMemory::new("metrics+encrypt+cache+memory", |memory: storage_core::Memory| {
        stacks::sealed(std::sync::Arc::new(memory))
    })
    .with_secret(String::from_utf8_lossy(&stacks::KEY))
}
sealed_suites_on! {
    sealed_fs: Directories::new("metrics+encrypt+cache+fs", |directory| {
        Box::pin(async { Ok(stacks::sealed(directories::quick_fs(directory).await?)) })
    })
}
