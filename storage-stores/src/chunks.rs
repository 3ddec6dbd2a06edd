//! Content that arrives in pieces.
