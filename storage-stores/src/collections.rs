//! Typed entities.
