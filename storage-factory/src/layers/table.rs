//! Which layers there are and what options they take: one table from which reading, error messages and documents are made.

use crate::option::{UrlOption, UrlOptionKind as Kind};

/// A layer that can be chosen by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerOptions {
    /// Its name.
    pub name: &'static str,
    /// The feature of this crate it needs.
    pub feature: &'static str,
    /// Whether this program has it.
    pub compiled: bool,
    /// What it does, in one sentence without a full stop.
    pub meaning: &'static str,
    /// Its options. Any other is refused.
    pub options: &'static [UrlOption],
}

macro_rules! layer {
    ($name:literal, $feature:literal, $meaning:literal, [$($option:expr),* $(,)?]) => {
        LayerOptions {
            name: $name,
            feature: $feature,
            compiled: cfg!(feature = $feature),
            meaning: $meaning,
            options: const { &[$($option),*] },
        }
    };
}

const fn option(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> UrlOption {
    UrlOption::new(name, kind, default, meaning)
}

/// Every layer that can be chosen by name, from the application down to the medium: the order they must stand in.
pub const LAYERS: &[LayerOptions] = &[
    layer!(
        "trace",
        "layers",
        "a span of `tracing` around every call",
        [option(
            "keys",
            Kind::Flag,
            "false",
            "whether keys are in the spans"
        ),]
    ),
    layer!(
        "metrics",
        "metrics",
        "counts and times every call through the `metrics` facade",
        []
    ),
    layer!(
        "read-only",
        "layers",
        "refuses whatever would change something",
        []
    ),
    layer!(
        "audit",
        "audit",
        "records every change in a chained log",
        [
            option(
                "actor",
                Kind::Text("a name"),
                "storage",
                "who acts, where the program does not say it for each call"
            ),
            option(
                "key_file",
                Kind::Text("a path"),
                "none",
                "the file with the key the chain is made with, 64 hexadecimal digits"
            ),
            option("log", Kind::Text("a name"), "_storage.audit", "the log"),
            option("reads", Kind::Flag, "false", "whether reads are recorded too"),
        ]
    ),
    layer!(
        "compress",
        "compress",
        "compresses objects and entries of logs",
        [
            option(
                "codec",
                Kind::Choice(&["deflate", "gzip", "lz4", "zstd"]),
                "zstd",
                "how"
            ),
            option(
                "level",
                Kind::Count { at_least: 0 },
                "the codec's own",
                "how hard it tries"
            ),
            option(
                "threshold_bytes",
                Kind::Bytes,
                "the codec's own",
                "what is smaller stays as it is"
            ),
        ]
    ),
    layer!(
        "encrypt",
        "encrypt",
        "seals objects, documents and entries of logs; exactly one option says where the key is",
        [
            option(
                "key_command",
                Kind::Text("a command"),
                "none",
                "the program that prints the key, with its arguments; no shell is between"
            ),
            option(
                "key_env",
                Kind::Text("a name"),
                "none",
                "the variable of the environment with the key"
            ),
            option("key_file", Kind::Text("a path"), "none", "the file with the key"),
            option(
                "namespace",
                Kind::Text("a name"),
                "that of the layer `namespace`, if there is one",
                "what is sealed in one opens in no other"
            ),
            option(
                "passphrase_env",
                Kind::Text("a name"),
                "none",
                "the variable of the environment with a passphrase"
            ),
            option(
                "plain",
                Kind::Text("names of fields, with spaces between"),
                "none; those it searches for, where a store is opened from the environment",
                "what of documents stays readable, in every collection, so that it can be searched for"
            ),
        ]
    ),
    layer!("checksum", "checksum", "finds every flipped bit", []),
    layer!(
        "cache",
        "cache",
        "keeps what was read in memory",
        [
            option("bytes", Kind::Bytes, "64MiB", "the most bytes in memory"),
            option(
                "disk",
                Kind::Text("a URL"),
                "none",
                "a storage for this cache alone, where objects are kept too"
            ),
            option("disk_bytes", Kind::Bytes, "1GiB", "the most bytes there"),
            option(
                "entry_bytes",
                Kind::Bytes,
                "4MiB",
                "the largest object or document kept"
            ),
            option(
                "max_age_ms",
                Kind::Milliseconds,
                "0",
                "how long something is given without asking whether it changed"
            ),
        ]
    ),
    layer!(
        "quota",
        "layers",
        "refuses what would go past a limit",
        [
            option("bytes", Kind::Bytes, "none", "the most bytes"),
            option(
                "documents",
                Kind::Count { at_least: 0 },
                "none",
                "the most documents"
            ),
            option("objects", Kind::Count { at_least: 0 }, "none", "the most objects"),
        ]
    ),
    layer!(
        "namespace",
        "layers",
        "everything under a name of its own, behind walls",
        [option(
            "name",
            Kind::Text("a-z, 0-9, - and _"),
            "must be given",
            "its name"
        ),]
    ),
    layer!(
        "retry",
        "layers",
        "tries again what may be tried again",
        [
            option("attempts", Kind::Count { at_least: 1 }, "5", "attempts in all"),
            option(
                "deadline_ms",
                Kind::Milliseconds,
                "60000",
                "no attempt begins later than this"
            ),
            option(
                "first_pause_ms",
                Kind::Milliseconds,
                "50",
                "the longest pause before the second attempt; it doubles each time"
            ),
            option(
                "longest_pause_ms",
                Kind::Milliseconds,
                "5000",
                "no pause is longer"
            ),
            option(
                "repeat_overwrites",
                Kind::Flag,
                "false",
                "whether unconditional writes are repeated where it is not known whether they happened"
            ),
        ]
    ),
    layer!(
        "timeout",
        "layers",
        "gives every call its time",
        [
            option(
                "maintenance_ms",
                Kind::Milliseconds,
                "for ever",
                "building an index, sweeping"
            ),
            option("read_ms", Kind::Milliseconds, "30000", "reading one thing"),
            option(
                "scan_ms",
                Kind::Milliseconds,
                "60000",
                "a page of a listing or a query, counting"
            ),
            option("write_ms", Kind::Milliseconds, "60000", "changing something"),
        ]
    ),
];
