//! [`Stack`]: layers in an order that makes sense.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use storage_core::{Error, Result, StorageAdapter};

mod order;

pub use self::order::{LayerKind, RULES, Rule};

type Adapter = Arc<dyn StorageAdapter>;
type Wrap = Box<dyn FnOnce(Adapter) -> BoxFuture<'static, Result<Adapter>> + Send>;

/// Layers, named from the application down to the medium: what is written goes through the first one first.
///
/// The order that is right, from the top: trace, metrics, read-only, audit, compress, encrypt, checksum, cache, quota, namespace, retry,
/// timeout, fault. Not every pair matters; those that do are [`RULES`], each with its reason, and a stack that breaks one is refused with
/// the reason and the right order. Trace and metrics may stand anywhere, also twice.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
/// use std::sync::Arc;
/// use storage_core::{Memory, Storage};
/// use storage_layers::{LayerKind, Retry, RetryOptions, Stack, Timeout, TimeoutOptions};
///
/// let stack = Stack::new()
///     .with(LayerKind::Retry, |adapter| Retry::new(adapter, RetryOptions::default()))
///     .with(LayerKind::Timeout, |adapter| Timeout::new(adapter, TimeoutOptions::default()));
/// let storage = Storage::from_arc(stack.over(Arc::new(Memory::new())).await?);
/// storage.objects().write("a", "1").await?;
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct Stack {
    layers: Vec<(LayerKind, Wrap)>,
}

impl Stack {
    /// No layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, below those there are.
    #[must_use]
    pub fn with<L: StorageAdapter>(
        self,
        kind: LayerKind,
        wrap: impl FnOnce(Arc<dyn StorageAdapter>) -> L + Send + 'static,
    ) -> Self {
        self.opening(kind, |adapter| {
            Box::pin(async move { Ok(Arc::new(wrap(adapter)) as Adapter) })
        })
    }

    /// One more, below those there are, which reads or writes something when it is opened.
    #[must_use]
    pub fn opening(
        mut self,
        kind: LayerKind,
        open: impl FnOnce(Arc<dyn StorageAdapter>) -> BoxFuture<'static, Result<Arc<dyn StorageAdapter>>>
        + Send
        + 'static,
    ) -> Self {
        self.layers.push((kind, Box::new(open)));
        self
    }

    /// What there is, from the top.
    pub fn kinds(&self) -> impl Iterator<Item = LayerKind> {
        self.layers.iter().map(|(kind, _)| *kind)
    }

    /// Whether the order is right.
    ///
    /// # Errors
    /// `InvalidArgument` saying which two layers stand the wrong way round, why, and what is right.
    pub fn check(&self) -> Result<()> {
        let kinds: Vec<_> = self.kinds().collect();
        order::check(&kinds)
    }

    /// Puts the layers over an adapter, the lowest first. Where one cannot be opened, what is below it is closed again.
    ///
    /// # Errors
    /// As [`check`](Self::check); those of the layers.
    pub async fn over(self, adapter: Arc<dyn StorageAdapter>) -> Result<Arc<dyn StorageAdapter>> {
        let mut adapter = adapter;
        let opened = match self.check() {
            Err(error) => Err(error),
            Ok(()) => {
                let mut opened = Ok(());
                for (kind, wrap) in self.layers.into_iter().rev() {
                    match wrap(Arc::clone(&adapter)).await {
                        Ok(above) => adapter = above,
                        Err(error) => {
                            opened = Err(named(error, kind));
                            break;
                        }
                    }
                }
                opened
            }
        };
        match opened {
            Ok(()) => Ok(adapter),
            Err(error) => {
                if let Err(closing) = adapter.close().await {
                    tracing::warn!(error = %closing, "what was opened below a layer could not be closed again");
                }
                Err(error)
            }
        }
    }
}

fn named(error: Error, kind: LayerKind) -> Error {
    error
        .with_operation(format!("open the layer {kind}"))
        .with_context("layer", kind.as_str())
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}
