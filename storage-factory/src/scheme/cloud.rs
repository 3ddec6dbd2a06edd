//! `s3:`, `gs:` and `az:`: what they have in common.

#[cfg(feature = "azure")]
pub(super) mod azure;
#[cfg(feature = "gcs")]
pub(super) mod gcs;
#[cfg(feature = "s3")]
pub(super) mod s3;

use storage_cloud::{Cloud, CloudConfig, ConditionalWrites};
use storage_core::{Durability, Overlay, Result};

use super::{Place, Scheme};
use crate::option::{Address, UrlOption, UrlOptionKind as Kind};

/// The options every vendor's scheme takes.
const COMMON: [UrlOption; 7] = [
    UrlOption::new(
        "conditional_upload_bytes",
        Kind::Bytes,
        "67108864",
        "the largest streamed write or copy with a condition; it is held in memory",
    ),
    UrlOption::new(
        "conditional_writes",
        Kind::Choice(&["probe", "trust", "never"]),
        "probe",
        "whether writes with a condition, and so documents and logs, are offered: if the server is found to decide them, \
         on the operator's word, or not at all",
    ),
    UrlOption::new(
        "connect_timeout_ms",
        Kind::Milliseconds,
        "5000",
        "how long a connection may take to be made",
    ),
    UrlOption::new(
        "durability",
        Kind::Choice(&["replicated", "power-loss", "process-crash"]),
        "replicated; power-loss at another address than the vendor's",
        "what an acknowledged write survives, on the operator's word",
    ),
    UrlOption::new(
        "parallel",
        Kind::Count { at_least: 1 },
        "16",
        "how many requests one operation has under way at once",
    ),
    UrlOption::new(
        "part_bytes",
        Kind::Bytes,
        "8388608",
        "how large the parts of a streamed write and of a large read are, at least 5242880",
    ),
    UrlOption::new(
        "request_timeout_ms",
        Kind::Milliseconds,
        "30000",
        "how long one request may take",
    ),
];

/// The scheme of a vendor whose own options are these.
fn scheme<C>(
    name: &str,
    own: &[UrlOption],
    vendor: impl Fn(&Address, &str) -> C + Send + Sync + 'static,
) -> Scheme
where
    C: Into<CloudConfig>,
{
    let mut options = [own, &COMMON].concat();
    options.sort_by_key(|option| option.name);
    Scheme::new(name, move |address| open(config(&address, &vendor)))
        .place(Place::Bucket)
        .options(options)
}

async fn open(config: Result<CloudConfig>) -> Result<Overlay<Cloud>> {
    Ok(Overlay::new(Cloud::open(config?).await?))
}

fn config<C: Into<CloudConfig>>(
    address: &Address,
    vendor: impl Fn(&Address, &str) -> C,
) -> Result<CloudConfig> {
    let bucket = address.url().authority().unwrap_or_default();
    let mut config = vendor(address, bucket)
        .into()
        .prefix(address.path().trim_matches('/'));
    let size = |name: &str| {
        let number = address.number(name).map(usize::try_from).transpose();
        number.map_err(|_| address.refuse(&format!("{name} is too large")))
    };
    if let Some(bytes) = size("conditional_upload_bytes")? {
        config = config.conditional_upload_bytes(bytes);
    }
    if let Some(requests) = size("parallel")? {
        config = config.parallel(requests);
    }
    if let Some(bytes) = size("part_bytes")? {
        config = config.part_bytes(bytes);
    }
    if let Some(timeout) = address.duration("connect_timeout_ms") {
        config = config.connect_timeout(timeout);
    }
    if let Some(timeout) = address.duration("request_timeout_ms") {
        config = config.request_timeout(timeout);
    }
    config = match address.choice("conditional_writes") {
        Some("trust") => config.conditional_writes(ConditionalWrites::Trust),
        Some("never") => config.conditional_writes(ConditionalWrites::Never),
        _ => config,
    };
    Ok(match address.choice("durability") {
        Some("replicated") => config.durability(Durability::Replicated),
        Some("power-loss") => config.durability(Durability::PowerLoss),
        Some("process-crash") => config.durability(Durability::ProcessCrash),
        _ => config,
    })
}
