//! Faults of reading and writing objects.

use async_trait::async_trait;
use storage_core::*;

use crate::frame::Fault;

/// Reads a missing object as an empty one.
#[derive(Debug, Default)]
struct MissingReadsAsEmpty;

#[async_trait]
impl Fault for MissingReadsAsEmpty {
    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        let found = memory.read(area, key, request).await?;
        Ok(found.or_else(|| {
            let meta = ObjectMeta {
                size: 0,
                version: Version::random(),
                modified: None,
            };
            Some(Object {
                meta,
                range: 0..0,
                bytes: Bytes::new(),
            })
        }))
    }
}

mod killed {
    crate::kills! {
        MissingReadsAsEmpty: "objects.get-missing-is-none";
    }
}
