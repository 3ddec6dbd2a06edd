//! Faults of what is declared, and of what an adapter tells about itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use storage_core::*;

use crate::frame::{Fault, SECRET};

/// Declares what it does not do.
#[derive(Debug, Default)]
struct OverDeclares;

#[async_trait]
impl Fault for OverDeclares {
    fn declare(&self, declaration: &mut Declaration) {
        declaration.objects.presign = Support::Native;
    }
}

/// Does not declare create-if-absent, and writes when asked for it.
#[derive(Debug, Default)]
struct IgnoresWhatItDoesNotDeclare;

#[async_trait]
impl Fault for IgnoresWhatItDoesNotDeclare {
    fn declare(&self, declaration: &mut Declaration) {
        declaration.objects.create_if_absent = Support::Absent;
    }

    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        _request: WriteRequest,
    ) -> Result<Version> {
        memory.write(area, key, bytes, WriteRequest::default()).await
    }
}

/// Panics when asked for what it does not declare.
#[derive(Debug, Default)]
struct PanicsWhenItHasNot;

#[async_trait]
impl Fault for PanicsWhenItHasNot {
    fn declare(&self, declaration: &mut Declaration) {
        declaration.objects.copy = Support::Absent;
    }

    async fn copy(
        &self,
        _memory: &Memory,
        _area: Area,
        _from: &Key,
        _to: &Key,
        _request: WriteRequest,
    ) -> Result<Option<Version>> {
        panic!("not implemented")
    }
}

/// Declares something else each time it is opened.
#[derive(Debug, Default)]
struct ChangesItsMind(AtomicUsize);

#[async_trait]
impl Fault for ChangesItsMind {
    fn declare(&self, declaration: &mut Declaration) {
        declaration.objects.max_key_bytes += self.0.fetch_add(1, Ordering::SeqCst) as u64;
    }
}

/// Declares unique indexes without indexes.
#[derive(Debug, Default)]
struct DeclaresIncoherently;

#[async_trait]
impl Fault for DeclaresIncoherently {
    fn declare(&self, declaration: &mut Declaration) {
        if let Some(documents) = &mut declaration.documents {
            documents.indexes = Support::Absent;
        }
    }
}

/// Declares longer keys than it takes.
#[derive(Debug, Default)]
struct TakesLessThanItDeclares;

#[async_trait]
impl Fault for TakesLessThanItDeclares {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        if key.as_str().len() > 1000 {
            return Err(Error::new(ErrorKind::Io, "file name too long"));
        }
        memory.write(area, key, bytes, request).await
    }
}

/// Shows its password when it is printed.
#[derive(Default)]
struct ShowsItsPassword;

impl fmt::Debug for ShowsItsPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url: mongodb://user:{SECRET}@host")
    }
}

#[async_trait]
impl Fault for ShowsItsPassword {}

/// Keeps its password in the source of an error.
#[derive(Debug, Default)]
struct FailsWithItsPassword;

#[async_trait]
impl Fault for FailsWithItsPassword {
    async fn write(
        &self,
        memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        let result = memory.write(area, key, bytes, request).await;
        result
            .map_err(|error| error.with_source(std::io::Error::other(format!("GET https://x?sig={SECRET}"))))
    }
}

/// Shows its place to its neighbours, all of them.
#[derive(Debug, Default)]
struct SharesOnePlace;

static SHARED: std::sync::LazyLock<Arc<Memory>> = std::sync::LazyLock::new(Arc::default);

#[async_trait]
impl Fault for SharesOnePlace {
    async fn write(
        &self,
        _memory: &Memory,
        area: Area,
        key: &Key,
        bytes: Bytes,
        request: WriteRequest,
    ) -> Result<Version> {
        SHARED.write(area, key, bytes, request).await
    }

    async fn read(
        &self,
        _memory: &Memory,
        area: Area,
        key: &Key,
        request: ReadRequest,
    ) -> Result<Option<Object>> {
        SHARED.read(area, key, request).await
    }
}

/// Forgets with its last client what it was given.
#[derive(Debug, Default)]
struct ForgetsOnClose;

#[async_trait]
impl Fault for ForgetsOnClose {
    async fn close(&self, memory: &Memory) -> Result<()> {
        for entry in memory.list(Area::Objects, ListRequest::new("")).await?.entries {
            memory
                .delete(Area::Objects, &Key::new(entry.name())?, DeleteRequest::default())
                .await?;
        }
        Ok(())
    }
}

crate::found! {
    ForgetsOnClose: 2,
    IgnoresWhatItDoesNotDeclare: 2,
}

mod killed {
    crate::kills! {
        OverDeclares: "objects.presign-gives-an-address";
        IgnoresWhatItDoesNotDeclare: "conditional.create-absent-ok";
        PanicsWhenItHasNot: "objects.copy-onto-self";
        ChangesItsMind: "declaration.is-stable";
        DeclaresIncoherently: "declaration.is-coherent";
        TakesLessThanItDeclares: "limits.object-key-at-and-over", "names.long-segments";
        ShowsItsPassword: "errors.no-secret-in-debug-display";
        FailsWithItsPassword: "errors.no-secret-in-debug-display";
        SharesOnePlace: "harness.places-are-isolated";
        ForgetsOnClose: "lifecycle.reopen-sees-everything", "lifecycle.close-is-idempotent-and-shared",
            "concurrency.close-while-busy";
    }
}
