//! [`Overlay`]: documents, indexes and logs over any backend with conditional writes and ordered lists.

mod backoff;
mod catalog;
mod claims;
mod engine;
mod entries;
mod layout;
mod medium;
mod record;
mod write;
