//! [`Faulty`]: a backend whose nth call goes wrong in one way, and whose calls others come between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use storage_core::{
    Applied, Area, Declaration, DeleteRequest, Error, ErrorKind, Key, ListPage, ListRequest, MemoryBackend,
    Object, ObjectMeta, ReadRequest, Result, StorageBackend, Support, Version, WriteRequest,
};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused, and says so.
    Refused,
    /// It is carried out, and nobody says so.
    AnswerLost,
    /// It is not carried out, and nobody says so.
    RequestLost,
    /// It seems lost, and is carried out when the operation is long over.
    Delayed,
    /// It is refused, and so is every later one: the process lost its medium.
    Gone,
    /// It is carried out and shown, and does not last: the disk could not sync it, takes no more, and has lost it when it is read
    /// anew.
    Unkept,
    /// It never answers, not carried out: the operation is dropped there.
    HangsBefore,
    /// It never answers, carried out.
    HangsAfter,
}

impl Fault {
    pub(crate) const ALL: [Self; 8] = [
        Self::Refused,
        Self::AnswerLost,
        Self::RequestLost,
        Self::Delayed,
        Self::Gone,
        Self::Unkept,
        Self::HangsBefore,
        Self::HangsAfter,
    ];
}

#[derive(Debug, Clone)]
enum Late {
    Write(Area, Key, Bytes, WriteRequest),
    Delete(Area, Key, DeleteRequest),
    /// What was there before is there again.
    Lose(Area, Key, Option<Bytes>),
}

impl Late {
    /// What would be lost if this were carried out and not kept.
    async fn lost(&self, inner: &MemoryBackend) -> Self {
        let (Self::Write(area, key, ..) | Self::Delete(area, key, _) | Self::Lose(area, key, _)) = self;
        let before = inner.read(*area, key, ReadRequest::default()).await.unwrap();
        Self::Lose(*area, key.clone(), before.map(|object| object.bytes))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    inner: MemoryBackend,
    declaration: Arc<Declaration>,
    fault: Option<(u64, Fault)>,
    calls: Arc<AtomicU64>,
    late: Arc<Mutex<Vec<Late>>>,
    /// Draws how often a call gives way to others first; zero for never.
    shake: Arc<AtomicU64>,
}

impl Faulty {
    pub(crate) fn sound(inner: MemoryBackend) -> Self {
        let declaration = Arc::new(inner.declaration().clone());
        Self {
            inner,
            declaration,
            fault: None,
            calls: Arc::default(),
            late: Arc::default(),
            shake: Arc::default(),
        }
    }

    /// The `nth` call, from 1, goes wrong.
    pub(crate) fn at(inner: MemoryBackend, nth: u64, fault: Fault) -> Self {
        Self {
            fault: Some((nth, fault)),
            ..Self::sound(inner)
        }
    }

    /// Others come between any two calls, as the seed says.
    pub(crate) fn shaken(inner: MemoryBackend, seed: u64) -> Self {
        let faulty = Self::sound(inner);
        faulty.shake.store(seed | 1, Ordering::Relaxed);
        faulty
    }

    /// As a backend without conditional writes.
    pub(crate) fn without_conditions(mut self) -> Self {
        let mut declaration = (*self.declaration).clone();
        declaration.objects.create_if_absent = Support::Absent;
        declaration.objects.compare_and_swap = Support::Absent;
        self.declaration = Arc::new(declaration);
        self
    }

    /// As a backend that cannot delete by version.
    pub(crate) fn without_delete_if(mut self) -> Self {
        let mut declaration = (*self.declaration).clone();
        declaration.objects.delete_if = Support::Absent;
        self.declaration = Arc::new(declaration);
        self
    }

    /// Whether the fault came to pass.
    pub(crate) fn struck(&self) -> bool {
        self.fault
            .is_some_and(|(nth, _)| self.calls.load(Ordering::Relaxed) >= nth)
    }

    /// Carries out what was delayed, and loses what was not kept.
    pub(crate) async fn land(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        for late in late {
            // It may find that others were faster.
            match late {
                Late::Write(area, key, bytes, request) => {
                    drop(self.inner.write(area, &key, bytes, request).await)
                }
                Late::Delete(area, key, request) => drop(self.inner.delete(area, &key, request).await),
                Late::Lose(area, key, Some(bytes)) => {
                    drop(self.inner.write(area, &key, bytes, WriteRequest::default()).await)
                }
                Late::Lose(area, key, None) => {
                    drop(self.inner.delete(area, &key, DeleteRequest::default()).await)
                }
            }
        }
    }

    async fn call<T: Send>(
        &self,
        operation: impl Future<Output = Result<T>> + Send,
        late: Option<Late>,
    ) -> Result<T> {
        self.give_way().await;
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let fault = match self.fault {
            Some((nth, fault)) if call == nth || (call > nth && fault == Fault::Gone) => fault,
            Some((_, Fault::Unkept)) if !self.late.lock().unwrap().is_empty() => Fault::Unkept,
            _ => return operation.await,
        };
        let changes = late.is_some();
        let broken = |applied: Applied| {
            let applied = if changes { applied } else { Applied::No };
            Err(Error::new(ErrorKind::Io, "a fault was planned here").with_applied(applied))
        };
        match fault {
            Fault::Refused | Fault::Gone => broken(Applied::No),
            Fault::AnswerLost => {
                drop(operation.await);
                broken(Applied::Unknown)
            }
            Fault::RequestLost => broken(Applied::Unknown),
            Fault::Delayed => {
                self.late.lock().unwrap().extend(late);
                broken(Applied::Unknown)
            }
            Fault::Unkept => match late {
                None => operation.await,
                Some(_) if !self.late.lock().unwrap().is_empty() => broken(Applied::No),
                Some(late) => {
                    let lost = late.lost(&self.inner).await;
                    let done = operation.await.is_ok();
                    self.late.lock().unwrap().extend(done.then_some(lost));
                    broken(Applied::Unknown)
                }
            },
            Fault::HangsBefore => std::future::pending().await,
            Fault::HangsAfter => {
                drop(operation.await);
                std::future::pending().await
            }
        }
    }

    async fn give_way(&self) {
        let mut state = self.shake.load(Ordering::Relaxed);
        if state == 0 {
            return;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.shake.store(state, Ordering::Relaxed);
        for _ in 0..state % 4 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl StorageBackend for Faulty {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    async fn read(&self, area: Area, key: &Key, request: ReadRequest) -> Result<Option<Object>> {
        self.call(self.inner.read(area, key, request), None).await
    }

    async fn write(&self, area: Area, key: &Key, bytes: Bytes, request: WriteRequest) -> Result<Version> {
        let late = Late::Write(area, key.clone(), bytes.clone(), request.clone());
        self.call(self.inner.write(area, key, bytes, request), Some(late))
            .await
    }

    async fn stat(&self, area: Area, key: &Key) -> Result<Option<ObjectMeta>> {
        self.call(self.inner.stat(area, key), None).await
    }

    async fn delete(&self, area: Area, key: &Key, request: DeleteRequest) -> Result<()> {
        if request.if_version.is_some() && !self.declaration.objects.delete_if.is_present() {
            return Err(Error::unsupported("delete-if"));
        }
        let late = Late::Delete(area, key.clone(), request.clone());
        self.call(self.inner.delete(area, key, request), Some(late)).await
    }

    async fn list(&self, area: Area, mut request: ListRequest) -> Result<ListPage> {
        // Short pages, as a backend may give them.
        request.limit = request.limit.min(3);
        self.call(self.inner.list(area, request), None).await
    }
}
