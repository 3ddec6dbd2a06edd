//! Which layer stands over which, and why.

use std::fmt;

use storage_core::{Error, Result};

/// A kind of layer, from the top of a stack to the bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LayerKind {
    /// `Trace`
    Trace,
    /// `Metrics`
    Metrics,
    /// `ReadOnly`
    ReadOnly,
    /// `Audit`
    Audit,
    /// `Compress`
    Compress,
    /// `Encrypt`
    Encrypt,
    /// `Checksum`
    Checksum,
    /// `Cache`
    Cache,
    /// `Quota`
    Quota,
    /// `Namespace`
    Namespace,
    /// `Retry`
    Retry,
    /// `Timeout`
    Timeout,
    /// `Fault`
    Fault,
    /// One that is not of this library: it may stand anywhere.
    Other,
}

impl LayerKind {
    /// Every kind of this library, from the top down.
    pub const ALL: &[Self] = &[
        Self::Trace,
        Self::Metrics,
        Self::ReadOnly,
        Self::Audit,
        Self::Compress,
        Self::Encrypt,
        Self::Checksum,
        Self::Cache,
        Self::Quota,
        Self::Namespace,
        Self::Retry,
        Self::Timeout,
        Self::Fault,
    ];

    /// Its name in text, such as `read-only`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Metrics => "metrics",
            Self::ReadOnly => "read-only",
            Self::Audit => "audit",
            Self::Compress => "compress",
            Self::Encrypt => "encrypt",
            Self::Checksum => "checksum",
            Self::Cache => "cache",
            Self::Quota => "quota",
            Self::Namespace => "namespace",
            Self::Retry => "retry",
            Self::Timeout => "timeout",
            Self::Fault => "fault",
            Self::Other => "other",
        }
    }

    /// Whether it may be there more than once.
    const fn repeats(self) -> bool {
        matches!(
            self,
            Self::Trace | Self::Metrics | Self::Namespace | Self::Fault | Self::Other
        )
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One layer belongs over another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Nearer to the application.
    pub over: LayerKind,
    /// Nearer to the medium.
    pub under: LayerKind,
    /// Why, as the end of a sentence that begins "because".
    pub reason: &'static str,
}

const fn rule(over: LayerKind, under: LayerKind, reason: &'static str) -> Rule {
    Rule { over, under, reason }
}

/// Every pair whose order matters.
pub const RULES: &[Rule] = &[
    rule(
        LayerKind::ReadOnly,
        LayerKind::Audit,
        "what is refused changes nothing and needs no record",
    ),
    rule(
        LayerKind::ReadOnly,
        LayerKind::Quota,
        "a quota writes its own record",
    ),
    rule(
        LayerKind::Audit,
        LayerKind::Compress,
        "the log has one record for one call, under the names and for the bytes that were given",
    ),
    rule(
        LayerKind::Audit,
        LayerKind::Encrypt,
        "the log itself is then sealed too",
    ),
    rule(
        LayerKind::Audit,
        LayerKind::Cache,
        "a read that is answered from memory is a read too",
    ),
    rule(
        LayerKind::Audit,
        LayerKind::Retry,
        "one call is one record, however often it is tried",
    ),
    rule(
        LayerKind::Compress,
        LayerKind::Encrypt,
        "sealed bytes do not shrink",
    ),
    rule(
        LayerKind::Compress,
        LayerKind::Checksum,
        "bytes are checked as they lie on the medium, before anything takes them apart",
    ),
    rule(
        LayerKind::Compress,
        LayerKind::Cache,
        "a cache then holds more in the same memory",
    ),
    rule(
        LayerKind::Compress,
        LayerKind::Quota,
        "a quota counts what takes room",
    ),
    rule(
        LayerKind::Compress,
        LayerKind::Retry,
        "what is tried again must be the same bytes, and is compressed once",
    ),
    rule(
        LayerKind::Encrypt,
        LayerKind::Checksum,
        "bytes are then checked as they lie on the medium, also without the key",
    ),
    rule(
        LayerKind::Encrypt,
        LayerKind::Cache,
        "no plain text then lies in the cache, above all on its disk",
    ),
    rule(
        LayerKind::Encrypt,
        LayerKind::Quota,
        "a quota counts what takes room",
    ),
    rule(
        LayerKind::Encrypt,
        LayerKind::Retry,
        "what is tried again must be the same bytes: sealed anew it is something else to the medium",
    ),
    rule(
        LayerKind::Checksum,
        LayerKind::Cache,
        "what comes from the cache is then checked too",
    ),
    rule(
        LayerKind::Checksum,
        LayerKind::Quota,
        "a quota counts what takes room",
    ),
    rule(
        LayerKind::Checksum,
        LayerKind::Retry,
        "damage is not a failure that passes",
    ),
    rule(
        LayerKind::Cache,
        LayerKind::Quota,
        "a quota must see what is there now, not what was",
    ),
    rule(
        LayerKind::Cache,
        LayerKind::Retry,
        "what is at hand needs no second attempt",
    ),
    rule(
        LayerKind::Quota,
        LayerKind::Namespace,
        "it is then the namespace's own quota, and the record inside it",
    ),
    rule(
        LayerKind::Quota,
        LayerKind::Retry,
        "room is taken once for a call, however often it is tried",
    ),
    rule(
        LayerKind::Retry,
        LayerKind::Timeout,
        "each attempt then has its own time; a bound over all of them is the retry's deadline",
    ),
    rule(
        LayerKind::Retry,
        LayerKind::Fault,
        "a fault stands for the medium, whose failures are tried again",
    ),
    rule(
        LayerKind::Timeout,
        LayerKind::Fault,
        "a fault stands for the medium, which may be slow",
    ),
];

pub(super) fn check(kinds: &[LayerKind]) -> Result<()> {
    let list = |kinds: &[LayerKind]| {
        kinds
            .iter()
            .map(|kind| kind.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (at, kind) in kinds.iter().enumerate() {
        if !kind.repeats() && kinds[..at].contains(kind) {
            return Err(refused(format!(
                "the layer {kind} is there twice; once is enough"
            )));
        }
        for above in &kinds[..at] {
            let broken = RULES
                .iter()
                .find(|rule| rule.over == *kind && rule.under == *above);
            if let Some(Rule { over, under, reason }) = broken {
                return Err(refused(format!(
                    "{over} belongs over {under}, because {reason}; from the application down to the medium the order is {}",
                    list(&right(kinds))
                ))
                .with_context("layers", list(kinds)));
            }
        }
    }
    Ok(())
}

/// The same layers in the right order. What is not of this library goes to the bottom.
fn right(kinds: &[LayerKind]) -> Vec<LayerKind> {
    let mut right = kinds.to_vec();
    right.sort();
    right
}

fn refused(message: String) -> Error {
    Error::invalid_argument(message).with_operation("stack layers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_order_breaks_no_rule() {
        check(LayerKind::ALL).unwrap();
        for Rule { over, under, .. } in RULES {
            assert!(over < under, "{over} over {under}");
        }
    }

    #[test]
    fn each_rule_is_kept_by_one_order_and_broken_by_the_other() {
        for Rule { over, under, reason } in RULES {
            check(&[*over, *under]).unwrap();
            let refusal = check(&[*under, LayerKind::Other, *over]).unwrap_err().to_string();
            for part in [reason.to_string(), format!("{over}, {under}")] {
                assert!(refusal.contains(&part), "{refusal}");
            }
        }
    }

    #[test]
    fn encrypt_before_compress_is_refused_with_the_right_order() {
        let wrong = [LayerKind::Encrypt, LayerKind::Compress, LayerKind::Cache];
        let refusal = check(&wrong).unwrap_err().to_string();
        assert!(refusal.contains("sealed bytes do not shrink"), "{refusal}");
        assert!(refusal.contains("compress, encrypt, cache"), "{refusal}");
    }

    #[test]
    fn what_is_there_twice_is_refused_but_for_what_looks_on() {
        check(&[LayerKind::Metrics, LayerKind::Cache, LayerKind::Metrics]).unwrap();
        let refusal = check(&[LayerKind::Retry, LayerKind::Retry]).unwrap_err();
        assert!(refusal.to_string().contains("twice"), "{refusal}");
    }
}
