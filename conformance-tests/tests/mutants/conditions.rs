//! Faults of conditional writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use storage_core::*;

use crate::frame::Fault;

/// Looks, gives way, and writes.
async fn check_then_write(
    memory: &Memory,
    area: Area,
    key: &Key,
    bytes: Bytes,
    request: WriteRequest,
) -> Result<Version> {
    request
        .condition
        .check(memory.stat(area, key).await?.as_ref().map(|meta| &meta.version))?;
    tokio::task::yield_now().await;
    memory.write(area, key, bytes, WriteRequest::default()).await
}

/// Decides first and writes then.
#[derive(Debug, Default)]
struct ChecksThenWrites;

#[async_trait]
impl Fault for ChecksThenWrites {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        check_then_write(memory, area, key, bytes, request).await
    }
}

/// Decides and writes under a lock that every client has of its own.
#[derive(Debug, Default)]
struct LocksWithinOneClient(Mutex<HashMap<usize, Arc<tokio::sync::Mutex<()>>>>);

#[async_trait]
impl Fault for LocksWithinOneClient {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let client = std::ptr::from_ref(memory) as usize;
        let lock = self.0.lock().unwrap().entry(client).or_default().clone();
        let _held = lock.lock().await;
        check_then_write(memory, area, key, bytes, request).await
    }
}

/// Creates over what is there.
#[derive(Debug, Default)]
struct IgnoresIfAbsent;

#[async_trait]
impl Fault for IgnoresIfAbsent {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        mut request: WriteRequest,
    ) -> Result<Version> {
        if request.condition == Condition::IfAbsent {
            request.condition = Condition::Always;
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Refuses a lost write, and gives the object a new version all the same.
#[derive(Debug, Default)]
struct LosingTouchesTheObject;

#[async_trait]
impl Fault for LosingTouchesTheObject {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let result = memory.write(area, key, bytes, request).await;
        if result.is_err()
            && let Some(old) = memory.read(area, key, ReadRequest::default()).await?
        {
            memory
                .write(area, key, old.bytes, WriteRequest::default())
                .await?;
        }
        result
    }
}

/// Calls every lost condition a failed precondition.
#[derive(Debug, Default)]
struct AlreadyExistsIsPreconditionFailed;

#[async_trait]
impl Fault for AlreadyExistsIsPreconditionFailed {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        memory
            .write(area, key, bytes, request)
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => Error::precondition_failed(None),
                _ => error,
            })
    }
}

/// Creates where a version was asked for and nothing is.
#[derive(Debug, Default)]
struct SwapOfNothingCreates;

#[async_trait]
impl Fault for SwapOfNothingCreates {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        mut request: WriteRequest,
    ) -> Result<Version> {
        if matches!(request.condition, Condition::IfVersion(_)) && memory.stat(area, key).await?.is_none() {
            request.condition = Condition::Always;
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Takes a version of the medium's own shape, such as an ETag, for any.
#[derive(Debug, Default)]
struct NativeVersionsAlwaysMatch;

#[async_trait]
impl Fault for NativeVersionsAlwaysMatch {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        mut request: WriteRequest,
    ) -> Result<Version> {
        if matches!(&request.condition, Condition::IfVersion(version) if version.as_u128().is_none())
            && memory.stat(area, key).await?.is_some()
        {
            request.condition = Condition::Always;
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Deletes whatever version is there.
#[derive(Debug, Default)]
struct DeleteIgnoresTheVersion;

#[async_trait]
impl Fault for DeleteIgnoresTheVersion {
    async fn delete(&self, memory: &Memory, area: Area, key: &Key, _request: DeleteRequest) -> Result<()> {
        memory.delete(area, key, DeleteRequest::default()).await
    }
}

/// Reads whatever version is there.
#[derive(Debug, Default)]
struct ReadIgnoresVersions;

#[async_trait]
impl Fault for ReadIgnoresVersions {
    async fn read(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        mut request: ReadRequest,
    ) -> Result<Option<Object>> {
        request.if_version = None;
        request.unless_version = None;
        memory.read(area, key, request).await
    }
}

/// Writes whether or not the guard holds.
#[derive(Debug, Default)]
struct IgnoresTheGuard;

#[async_trait]
impl Fault for IgnoresTheGuard {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        memory
            .write(area, key, bytes, WriteRequest::when(request.condition))
            .await
    }
}

crate::found! {
    IgnoresIfAbsent: 2,
    LosingTouchesTheObject: 2,
    AlreadyExistsIsPreconditionFailed: 2,
    SwapOfNothingCreates: 2,
    DeleteIgnoresTheVersion: 3,
    ReadIgnoresVersions: 2,
}

mod killed {
    crate::kills! {
        ChecksThenWrites: "conditional.create-race-one-winner-same-handle",
            "conditional.create-race-one-winner-two-handles", "conditional.swap-race-one-winner-two-handles",
            "conditional.cas-counter-no-lost-update", "concurrency.register-linearizable-per-key";
        LocksWithinOneClient: "conditional.create-race-one-winner-two-handles",
            "conditional.swap-race-one-winner-two-handles", "conditional.cas-counter-no-lost-update";
        IgnoresIfAbsent: "conditional.create-present-fails-and-changes-nothing",
            "conditional.create-race-one-winner-same-handle";
        LosingTouchesTheObject: "conditional.create-present-fails-and-changes-nothing",
            "conditional.swap-stale-fails-changes-nothing";
        AlreadyExistsIsPreconditionFailed: "errors.kind-exact-table",
            "conditional.create-present-fails-and-changes-nothing";
        SwapOfNothingCreates: "conditional.swap-missing-is-precondition";
        NativeVersionsAlwaysMatch: "conditional.forged-version-never-ok";
        DeleteIgnoresTheVersion: "conditional.delete-stale-keeps", "conditional.delete-missing-is-precondition",
            "conditional.delete-and-swap-race-one-winner";
        ReadIgnoresVersions: "conditional.get-if-changed", "objects.reader-survives-overwrite-or-fails-definitely";
        IgnoresTheGuard: "conditional.guard-decides-with-the-write";
    }
}
