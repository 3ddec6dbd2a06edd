//! Object stores as a storage backend: S3, Google Cloud Storage and Azure Blob Storage.
