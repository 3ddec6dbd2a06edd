//! [`KvOptions`]: how a store behaves.

use std::time::Duration;

use storage_layers::compression::Codec;

use super::access::Access;
use super::sealing::Sealing;

/// How a [`Kv`](super::Kv) behaves. [`KvSettings`](super::KvSettings) reads the options that have names from a file or the environment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KvOptions {
    pub(super) namespace: String,
    pub(super) access: Access,
    pub(super) size_limit: Option<u64>,
    pub(super) codec: Codec,
    pub(super) level: Option<i32>,
    pub(super) compression_threshold: u64,
    pub(super) sealing: Option<Sealing>,
    pub(super) data_keys: bool,
    pub(super) memory_limit: u64,
    pub(super) staleness: Duration,
    pub(super) ttl: Option<Duration>,
    pub(super) eviction: Option<Eviction>,
    pub(super) write_back: Option<Duration>,
    pub(super) inline_limit: u64,
    pub(super) backups: usize,
    pub(super) lock_timeout: Duration,
    pub(super) cleanup_interval: Duration,
    pub(super) upload_age: Duration,
    pub(super) actor: Option<String>,
}

/// Which entry goes first when room is needed. Expired ones always go before any other; permanent and held ones never go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Eviction {
    /// The one that was used least often; of those the one not used for longest.
    Lfu,
    /// The one not used for longest.
    Lru,
    /// The largest.
    Size,
    /// The one that expires first; those that never expire stay.
    Ttl,
}

impl Eviction {
    /// Every policy.
    pub const ALL: &[Self] = &[Self::Lfu, Self::Lru, Self::Size, Self::Ttl];

    /// Its name in settings, such as `lru`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lfu => "lfu",
            Self::Lru => "lru",
            Self::Size => "size",
            Self::Ttl => "ttl",
        }
    }
}

impl Default for KvOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl KvOptions {
    /// The defaults, each named at its setter.
    pub fn new() -> Self {
        Self {
            namespace: "default".into(),
            access: Access::ReadWrite,
            size_limit: None,
            codec: Codec::None,
            level: None,
            compression_threshold: 1024,
            sealing: None,
            data_keys: false,
            memory_limit: 64 * 1024 * 1024,
            staleness: Duration::from_secs(1),
            ttl: None,
            eviction: None,
            write_back: None,
            inline_limit: 8 * 1024,
            backups: 0,
            lock_timeout: Duration::from_secs(10),
            cleanup_interval: Duration::from_secs(3600),
            upload_age: Duration::from_secs(24 * 3600),
            actor: None,
        }
    }

    /// Which namespace; `default` by default. Each has its own entries, limit, key and audit trail, and a handle reaches one only.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// What the handle may do; everything by default.
    #[must_use]
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The most bytes of the namespace: values as they are stored, with their backups, and keys. Unlimited by default.
    ///
    /// A write that would exceed it makes room where there is an [`eviction`](Self::eviction) policy, and is `LimitExceeded` before any
    /// effect where there is none. It holds across processes; see [`Kv`](super::Kv) for the room another process may have set aside.
    /// Handles of one namespace should have one limit: one without a limit sets aside 16 MiB, which counts for the others until it is closed.
    #[must_use]
    pub const fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = Some(bytes);
        self
    }

    /// How values are compressed that are larger than the [threshold](Self::compression_threshold); not at all by default. A value that
    /// does not get smaller is stored as it is.
    #[must_use]
    pub const fn compression(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// How hard to compress: 1 to 9 for gzip and deflate, 1 to 22 for zstd; the codec's usual level by default. A level the codec does not
    /// have is refused when the store is opened.
    #[must_use]
    pub const fn compression_level(mut self, level: i32) -> Self {
        self.level = Some(level);
        self
    }

    /// Values of at least so many bytes are compressed, unless [`SetOptions::compress`](super::SetOptions::compress) says otherwise; 1,024
    /// by default.
    #[must_use]
    pub const fn compression_threshold(mut self, bytes: u64) -> Self {
        self.compression_threshold = bytes;
        self
    }

    /// The keys values are encrypted with, and which values; none by default. Keys of entries, sizes and times are not encrypted.
    #[must_use]
    pub fn encryption(mut self, sealing: Sealing) -> Self {
        self.sealing = Some(sealing);
        self
    }

    /// Whether each encrypted entry has a key of its own, kept apart from it, which deleting the entry destroys; `false` by default.
    /// Each write then costs one more. See [`Kv::delete`](super::Kv::delete) for what that promises.
    #[must_use]
    pub const fn data_keys(mut self, data_keys: bool) -> Self {
        self.data_keys = data_keys;
        self
    }

    /// The most bytes of memory that values read and written take; 64 MiB by default, and none are kept with 0.
    #[must_use]
    pub const fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// How long a value in memory is given without looking whether another process wrote; 1 second by default.
    #[must_use]
    pub const fn staleness(mut self, bound: Duration) -> Self {
        self.staleness = bound;
        self
    }

    /// How long a value lives for which [`SetOptions`](super::SetOptions) say nothing; forever by default.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Which entries go when room is needed; none by default.
    #[must_use]
    pub const fn eviction(mut self, policy: Eviction) -> Self {
        self.eviction = Some(policy);
        self
    }

    /// **Acknowledges writes before they are stored**, and stores them after at most this long. Not so by default: what is acknowledged is
    /// as durable as the backend says.
    ///
    /// What was acknowledged within this time before a crash is lost. [`flush`](super::Kv::flush) and [`close`](super::Kv::close) return
    /// when everything is stored, and say what could not be.
    #[must_use]
    pub const fn write_back(mut self, after: Duration) -> Self {
        self.write_back = Some(after);
        self
    }

    /// Values that take at most so many bytes are in the entry's document, larger ones in an object; 8,192 by default.
    #[must_use]
    pub const fn inline_limit(mut self, bytes: u64) -> Self {
        self.inline_limit = bytes;
        self
    }

    /// How many former values of an entry are kept when it is overwritten; none by default. They count for the size limit.
    #[must_use]
    pub const fn backups(mut self, values: usize) -> Self {
        self.backups = values;
        self
    }

    /// How long [`lock`](super::Kv::lock) waits; 10 seconds by default.
    #[must_use]
    pub const fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// How long the store waits between two cleanups of its own; an hour by default, and never when it is zero.
    #[must_use]
    pub const fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.cleanup_interval = interval;
        self
    }

    /// How long the write of an object may take before a [cleanup](super::Kv::cleanup) takes it for one that a crash cut short; 24 hours
    /// by default. A writer that is slower begins anew.
    #[must_use]
    pub const fn upload_age(mut self, age: Duration) -> Self {
        self.upload_age = age;
        self
    }

    /// Keeps an audit trail of every access, with this as who. None is kept by default.
    #[must_use]
    pub fn audit(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }
}
