//! MongoDB as a storage backend: native documents, the engine's own indexes, objects and logs.
