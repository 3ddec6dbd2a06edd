//! Any backend of ours as an [`object_store::ObjectStore`], for programs that are written against that crate: the other direction of
//! `storage-cloud`. It is a crate of its own, so that it needs no vendor's client and `storage-cloud` none of this.
//!
//! It passes `object_store`'s own public integration functions, on memory, the overlay, files and SQLite: see `tests/integration.rs`. Those
//! for `MultipartStore` and `PaginatedListStore` cannot be run: these traits are about servers' upload ids and page tokens, which our
//! contract has no word for. Those for signed URLs and responses of HTTP are about HTTP.

mod as_object_store;

pub use object_store;

pub use self::as_object_store::AsObjectStore;
