//! [`OpenDalConfig`]: an operator, and what is promised for it.

use std::time::Duration;

use opendal::Operator;
use storage_core::{Consistency, Durability};

/// An operator, and what its service promises, which nobody can find out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenDalConfig {
    pub(crate) operator: Operator,
    pub(crate) durability: Option<Durability>,
    pub(crate) consistency: Option<Consistency>,
}

impl OpenDalConfig {
    /// This operator, with nothing promised beyond what is known of its service.
    ///
    /// Layers of OpenDAL that repeat requests must not be on it: whoever retries has to know what may have been applied.
    pub const fn new(operator: Operator) -> Self {
        Self {
            operator,
            durability: None,
            consistency: None,
        }
    }

    /// What an acknowledged write survives, on your word. By default `ProcessCrash`, and `Memory` for the service in memory.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// When others see a write, on your word. By default at once for the services on this machine (`fs`, `memory`), and within a minute
    /// elsewhere.
    #[must_use]
    pub const fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = Some(consistency);
        self
    }

    pub(crate) fn effective_durability(&self) -> Durability {
        self.durability.unwrap_or(match self.operator.info().scheme() {
            "memory" => Durability::Memory,
            _ => Durability::ProcessCrash,
        })
    }

    pub(crate) fn effective_consistency(&self) -> Consistency {
        self.consistency.unwrap_or(match self.operator.info().scheme() {
            "fs" | "memory" => Consistency::Linearizable,
            _ => Consistency::Eventual {
                bound: Duration::from_secs(60),
            },
        })
    }
}
