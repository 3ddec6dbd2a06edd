//! [`CloudConfig`]: what is said about a bucket whoever keeps it.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "s3")]
mod s3;
mod secret;

use std::sync::Arc;
use std::time::Duration;

use object_store::{ClientConfigKey, RetryConfig};
use storage_core::{Durability, Error, Result};
use tokio::sync::OnceCell;

#[cfg(feature = "azure")]
pub use self::azure::AzureConfig;
#[cfg(feature = "gcs")]
pub use self::gcs::GcsConfig;
#[cfg(feature = "s3")]
pub use self::s3::S3Config;
use crate::client::{Client, Dialect, Store};
use crate::probe::Findings;

/// S3 refuses smaller parts, but for the last.
const MIN_PART_BYTES: usize = 5 * 1024 * 1024;

/// How to open a bucket as a storage. Made from an [`S3Config`], a [`GcsConfig`] or an [`AzureConfig`]; every setter says its default.
///
/// Clones share what the [probe](crate::Cloud#what-the-server-is-found-to-do) found, so that a program that opens one bucket often
/// probes it once. A configuration made anew probes anew.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CloudConfig {
    vendor: Vendor,
    pub(crate) prefix: String,
    pub(crate) request_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) part_bytes: usize,
    pub(crate) parallel: usize,
    pub(crate) conditional_upload_bytes: usize,
    pub(crate) conditional_writes: ConditionalWrites,
    durability: Option<Durability>,
    pub(crate) findings: Arc<OnceCell<Findings>>,
}

/// Whether writes with a condition are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ConditionalWrites {
    /// If the server is found to decide conditions, also among writers that race: about seventy requests and 2 MiB when it is opened.
    #[default]
    Probe,
    /// Yes, on the operator's word. Where a server ignores conditions, acknowledged writes are lost.
    Trust,
    /// No: objects only, no documents. Also what opens a bucket that may only be read.
    Never,
}

#[derive(Debug, Clone)]
enum Vendor {
    #[cfg(feature = "azure")]
    Azure(AzureConfig),
    #[cfg(feature = "gcs")]
    Gcs(GcsConfig),
    #[cfg(feature = "s3")]
    S3(S3Config),
}

#[cfg(feature = "azure")]
impl From<AzureConfig> for CloudConfig {
    fn from(config: AzureConfig) -> Self {
        Self::new(Vendor::Azure(config))
    }
}

#[cfg(feature = "gcs")]
impl From<GcsConfig> for CloudConfig {
    fn from(config: GcsConfig) -> Self {
        Self::new(Vendor::Gcs(config))
    }
}

#[cfg(feature = "s3")]
impl From<S3Config> for CloudConfig {
    fn from(config: S3Config) -> Self {
        Self::new(Vendor::S3(config))
    }
}

impl CloudConfig {
    fn new(vendor: Vendor) -> Self {
        Self {
            vendor,
            prefix: String::new(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            part_bytes: 8 * 1024 * 1024,
            parallel: 16,
            conditional_upload_bytes: 64 * 1024 * 1024,
            conditional_writes: ConditionalWrites::Probe,
            durability: None,
            findings: Arc::default(),
        }
    }

    /// Keeps everything under this name in the bucket, such as `app/data`. Default: the whole bucket.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long one request may take, its body included, and how long a conditional write is settled. Default: 30 seconds.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long a connection may take to be made. Default: 5 seconds.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How large the parts of a streamed write and of a large read are. At least 5 MiB, S3's bound; an object has at most 10,000
    /// of them. Default: 8 MiB.
    #[must_use]
    pub fn part_bytes(mut self, bytes: usize) -> Self {
        self.part_bytes = bytes;
        self
    }

    /// How many requests one operation has under way at once. Default: 16. A streamed write holds up to so many parts in memory.
    #[must_use]
    pub fn parallel(mut self, requests: usize) -> Self {
        self.parallel = requests;
        self
    }

    /// The largest streamed write or copy with a condition, in bytes: it is held in memory, because no vendor decides a condition
    /// at the end of a multipart upload in a way the others do. Default: 64 MiB.
    #[must_use]
    pub fn conditional_upload_bytes(mut self, bytes: usize) -> Self {
        self.conditional_upload_bytes = bytes;
        self
    }

    /// Whether writes with a condition, and so documents and logs, are offered. Default: [`ConditionalWrites::Probe`].
    #[must_use]
    pub fn conditional_writes(mut self, offered: ConditionalWrites) -> Self {
        self.conditional_writes = offered;
        self
    }

    /// What an acknowledged write survives, on the operator's word. Default: [`Durability::Replicated`] at the vendor's own
    /// address, [`Durability::PowerLoss`] at any other, where only the operator knows.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    pub(crate) fn client(&self) -> Result<Client> {
        self.check()?;
        let (dialect, stores) = match &self.vendor {
            #[cfg(feature = "azure")]
            Vendor::Azure(config) => config.connect(self)?,
            #[cfg(feature = "gcs")]
            Vendor::Gcs(config) => config.connect(self)?,
            #[cfg(feature = "s3")]
            Vendor::S3(config) => config.connect(self)?,
        };
        Ok(Client::new(dialect, stores, self))
    }

    pub(crate) fn effective_durability(&self, dialect: &Dialect) -> Durability {
        self.durability.unwrap_or(if dialect.at_home {
            Durability::Replicated
        } else {
            Durability::PowerLoss
        })
    }

    fn check(&self) -> Result<()> {
        if self.part_bytes < MIN_PART_BYTES {
            return Err(Error::invalid_argument(format!(
                "part_bytes is {}, at least {MIN_PART_BYTES} (5 MiB) is needed",
                self.part_bytes
            )));
        }
        if self.parallel == 0 {
            return Err(Error::invalid_argument("parallel is 0, at least 1 is needed"));
        }
        if self.request_timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(Error::invalid_argument("a timeout is 0; give it some time"));
        }
        Ok(())
    }
}

/// What three vendors' builders are given in the same way.
pub(crate) fn connect_each(
    config: &CloudConfig,
    build: impl Fn(RetryConfig) -> Result<Arc<dyn Store>>,
) -> Result<(Arc<dyn Store>, Arc<dyn Store>)> {
    let never = RetryConfig {
        max_retries: 0,
        ..Default::default()
    };
    // Three short pauses outlast a restart of a connection or a moment of load; within a third of the usual request time.
    let patient = RetryConfig {
        max_retries: 3,
        retry_timeout: Duration::from_secs(10).min(config.request_timeout),
        ..Default::default()
    };
    Ok((build(never)?, build(patient)?))
}

/// How long a connection is kept for the next request. A server that closes it just then leaves a write in doubt, because it
/// is not sent again; so this is less than servers keep theirs: Node's five seconds are the shortest of those known.
const KEPT_IDLE: Duration = Duration::from_secs(4);

/// What every builder takes as text.
pub(crate) fn client_options(config: &CloudConfig) -> [(ClientConfigKey, String); 3] {
    let text = |duration: Duration| format!("{}ms", duration.as_millis());
    [
        (ClientConfigKey::Timeout, text(config.request_timeout)),
        (ClientConfigKey::ConnectTimeout, text(config.connect_timeout)),
        (ClientConfigKey::PoolIdleTimeout, text(KEPT_IDLE)),
    ]
}

/// What is wrong with a configuration, as the vendor's builder says it. It names options, never their values' secrets.
pub(crate) fn refused(error: &object_store::Error) -> Error {
    Error::invalid_argument(format!("the configuration cannot be used: {error}"))
}

/// `http` has to be allowed in so many words, or the first request fails with a riddle.
pub(crate) fn check_scheme(endpoint: Option<&str>, allow_http: bool) -> Result<()> {
    match endpoint {
        Some(endpoint) if endpoint.starts_with("http://") && !allow_http => Err(Error::invalid_argument(
            "the endpoint begins with http:// and allow_http is off: what is sent can be read on the way; allow it or use https",
        )),
        _ => Ok(()),
    }
}
