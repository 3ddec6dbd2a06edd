//! [`Client`]: the connections to one bucket, and what its vendor's dialect is.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::list::PaginatedListStore;
use object_store::signer::Signer;
use storage_core::Versions;

use crate::config::CloudConfig;

/// What is asked of a vendor's client.
pub(crate) trait Store: ObjectStore + PaginatedListStore + Signer {}

impl<S: ObjectStore + PaginatedListStore + Signer> Store for S {}

/// The same bucket through clients that differ in what they do unasked.
#[derive(Clone)]
pub(crate) struct Stores {
    /// Sends a request once: everything that changes something. A write that is sent again by itself meets its own effect, or undoes
    /// what another writer did in between.
    pub(crate) once: Arc<dyn Store>,
    /// Repeats what failed, a few times: whatever only reads.
    pub(crate) patient: Arc<dyn Store>,
    /// As `once`, and deletes many objects in one request where there is one for that.
    pub(crate) bulk: Arc<dyn Store>,
}

/// Where vendors differ.
#[derive(Debug, Clone)]
pub(crate) struct Dialect {
    /// What errors and declarations call it.
    pub(crate) backend: &'static str,
    /// Whether this is the vendor's own address.
    pub(crate) at_home: bool,
    /// The address, or the vendor's name: for messages.
    pub(crate) place: String,
    pub(crate) versions: Versions,
    /// Whether a version is a generation number rather than an `ETag`.
    pub(crate) generations: bool,
    /// Whether more names than elsewhere are better not sent as they are: see [`Layout`](crate::layout::Layout).
    pub(crate) careful_names: bool,
    /// Whether the last so many bytes can be asked for.
    pub(crate) suffix_ranges: bool,
    /// Whether the server copies, in one step.
    pub(crate) server_copy: bool,
    /// Whether it also copies an object onto itself, giving a new version.
    pub(crate) copies_onto_itself: bool,
    /// Whether the credentials can sign addresses.
    pub(crate) presigns: bool,
    pub(crate) max_presign: Duration,
    /// How many objects one request deletes, if any does.
    pub(crate) bulk_delete: Option<usize>,
}

/// The connections to one bucket. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) stores: Stores,
    pub(crate) dialect: Arc<Dialect>,
    pub(crate) request_timeout: Duration,
    pub(crate) part_bytes: usize,
    pub(crate) parallel: usize,
    pub(crate) conditional_upload_bytes: usize,
}

impl Client {
    pub(crate) fn new(dialect: Dialect, stores: Stores, config: &CloudConfig) -> Self {
        Self {
            stores,
            dialect: Arc::new(dialect),
            request_timeout: config.request_timeout,
            part_bytes: config.part_bytes,
            parallel: config.parallel,
            conditional_upload_bytes: config.conditional_upload_bytes,
        }
    }
}

impl std::fmt::Debug for Client {
    /// The vendor's clients would show their credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
