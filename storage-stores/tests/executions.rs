//! Laws of the executions store.
