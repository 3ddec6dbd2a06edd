//! Queries.

mod filter;
