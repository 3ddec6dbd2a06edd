//! `--if-absent` and `--if-version`.

use clap::Args;
use storage_core::{Condition, Version};

/// When a write may happen.
#[derive(Debug, Args)]
pub(crate) struct WriteCondition {
    /// Only where nothing is there yet (else exit 4)
    #[arg(long)]
    if_absent: bool,
    /// Only where this is the current version (else exit 4)
    #[arg(long, value_name = "VERSION", conflicts_with = "if_absent")]
    if_version: Option<Version>,
}

impl WriteCondition {
    pub(crate) fn condition(self) -> Condition {
        match self.if_version {
            Some(version) => Condition::IfVersion(version),
            None if self.if_absent => Condition::IfAbsent,
            None => Condition::Always,
        }
    }
}
