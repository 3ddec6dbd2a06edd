//! From names and values to layers.

use std::sync::Arc;
use std::time::Duration;

use storage_core::{Result, StorageAdapter};
use storage_layers::{
    LayerKind, Namespace, Quota, QuotaLimits, QuotaOptions, ReadOnly, Retry, RetryOptions, Stack, Timeout,
    TimeoutOptions, Trace,
};

use super::list::refused;
use super::{Chosen, LayerList};
use crate::factory::Factory;
use crate::option::Values;

type Adapter = Arc<dyn StorageAdapter>;

pub(super) async fn over(factory: &Factory, adapter: Adapter, layers: Option<&LayerList>) -> Result<Adapter> {
    let chosen = layers.map(LayerList::chosen).transpose()?.unwrap_or_default();
    check_order(&chosen)?;
    let chosen: Vec<Chosen> = chosen
        .into_iter()
        .filter(|chosen| !factory.leaves_out(chosen.layer.name))
        .collect();
    #[cfg(feature = "encrypt")]
    let sealed = chosen.iter().any(|chosen| chosen.layer.name == "encrypt");
    #[cfg(feature = "encrypt")]
    if !sealed {
        encryption::refuse_sealed(&*adapter).await?;
    }
    let namespace = chosen.iter().find_map(|chosen| match chosen.layer.name {
        "namespace" => chosen.values.text("name").map(str::to_owned),
        _ => None,
    });
    let around = Around {
        factory,
        namespace: namespace.as_deref(),
    };
    let mut adapter = adapter;
    // The lowest first.
    for Chosen { layer, values } in chosen.into_iter().rev() {
        let below = Arc::clone(&adapter);
        let named = |error: storage_core::Error| {
            error
                .with_operation(format!("open the layer {}", layer.name))
                .with_context("layer", layer.name)
        };
        adapter = one(&around, layer.name, &values, below).await.map_err(named)?;
        #[cfg(feature = "encrypt")]
        if !sealed && layer.name == "namespace" {
            encryption::refuse_sealed(&*adapter).await?;
        }
    }
    Ok(adapter)
}

pub(super) fn check_order(chosen: &[Chosen]) -> Result<()> {
    let kind = |chosen: &Chosen| {
        LayerKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == chosen.layer.name)
    };
    let mut stack = Stack::new();
    for kind in chosen.iter().filter_map(kind) {
        stack = stack.with(kind, |adapter| adapter);
    }
    stack.check()
}

/// What a layer has to know beside its own options.
#[cfg_attr(
    not(all(feature = "cache", feature = "encrypt")),
    allow(dead_code, reason = "the layers that ask are not built")
)]
struct Around<'a> {
    factory: &'a Factory,
    namespace: Option<&'a str>,
}

async fn one(around: &Around<'_>, name: &str, values: &Values, below: Adapter) -> Result<Adapter> {
    let _ = around;
    Ok(match name {
        "trace" => Arc::new(Trace::new(below).with_keys(values.flag("keys").unwrap_or(false))),
        #[cfg(feature = "metrics")]
        "metrics" => Arc::new(storage_layers::Metrics::new(below)),
        "read-only" => Arc::new(ReadOnly::new(below)),
        #[cfg(feature = "audit")]
        "audit" => audit(values, below).await?,
        #[cfg(feature = "compress")]
        "compress" => compress(values, below)?,
        #[cfg(feature = "encrypt")]
        "encrypt" => encryption::encrypt(values, around, below).await?,
        #[cfg(feature = "checksum")]
        "checksum" => Arc::new(storage_layers::Checksum::new(below)),
        #[cfg(feature = "cache")]
        "cache" => cache(around.factory, values, below).await?,
        "quota" => quota(values, below).await?,
        "namespace" => {
            let name = values.text("name").ok_or_else(|| missing("namespace", "name"))?;
            Arc::new(Namespace::new(below, name)?)
        }
        "retry" => Arc::new(Retry::new(below, retry(values)?)),
        "timeout" => Arc::new(Timeout::new(below, timeout(values))),
        other => return Err(refused(format!("the layer {other} cannot be built here"))),
    })
}

fn missing(layer: &str, option: &str) -> storage_core::Error {
    refused(format!("{layer} needs its option {option:?}"))
}

async fn quota(values: &Values, below: Adapter) -> Result<Adapter> {
    let mut limits = QuotaLimits::default();
    limits.bytes = values.number("bytes");
    limits.documents = values.number("documents");
    limits.objects = values.number("objects");
    if limits == QuotaLimits::default() {
        return Err(refused(
            "quota needs at least one of bytes, documents and objects".to_owned(),
        ));
    }
    Ok(Arc::new(Quota::open(below, QuotaOptions::new(limits)).await?))
}

fn retry(values: &Values) -> Result<RetryOptions> {
    let mut options = RetryOptions::default();
    if let Some(attempts) = values.number("attempts") {
        let most = || refused("option \"attempts\" of retry is too large".to_owned());
        options.attempts = u32::try_from(attempts).map_err(|_| most())?;
    }
    set(&mut options.deadline, values, "deadline_ms");
    set(&mut options.first_pause, values, "first_pause_ms");
    set(&mut options.longest_pause, values, "longest_pause_ms");
    options.repeat_overwrites = values.flag("repeat_overwrites").unwrap_or(false);
    Ok(options)
}

fn timeout(values: &Values) -> TimeoutOptions {
    let mut options = TimeoutOptions::default();
    let parts = [
        ("read_ms", &mut options.read),
        ("scan_ms", &mut options.scan),
        ("write_ms", &mut options.write),
        ("maintenance_ms", &mut options.maintenance),
    ];
    for (name, part) in parts {
        if let Some(time) = values.duration(name) {
            *part = Some(time);
        }
    }
    options
}

fn set(time: &mut Duration, values: &Values, name: &str) {
    if let Some(given) = values.duration(name) {
        *time = given;
    }
}

#[cfg(feature = "audit")]
async fn audit(values: &Values, below: Adapter) -> Result<Adapter> {
    use storage_layers::{Audit, AuditKey, AuditOptions};
    let mut options = AuditOptions::new(values.text("actor").unwrap_or("storage"));
    if let Some(log) = values.text("log") {
        options.log = log.to_owned();
    }
    options.reads = values.flag("reads").unwrap_or(false);
    if let Some(path) = values.text("key_file") {
        options.key = Some(AuditKey::from_hex(&read_text(path)?)?);
    }
    Ok(Arc::new(Audit::open(below, options).await?))
}

#[cfg(feature = "audit")]
fn read_text(path: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        storage_core::Error::new(storage_core::ErrorKind::NotFound, "the key file cannot be read")
            .with_key(path)
            .with_source(error)
    })
}

#[cfg(feature = "compress")]
fn compress(values: &Values, below: Adapter) -> Result<Adapter> {
    use storage_layers::Compress;
    use storage_layers::compression::{Codec, Compression};
    let name = values.choice("codec").unwrap_or("zstd");
    let codec = Codec::ALL.iter().copied().find(|codec| codec.as_str() == name);
    let mut how = Compression::new(codec.ok_or_else(|| missing("compress", "codec"))?);
    if let Some(level) = values.number("level") {
        how = how.level(i32::try_from(level).unwrap_or(i32::MAX))?;
    }
    if let Some(bytes) = values.number("threshold_bytes") {
        how = how.threshold(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    Ok(Arc::new(Compress::new(below, how)))
}

#[cfg(feature = "cache")]
async fn cache(factory: &Factory, values: &Values, below: Adapter) -> Result<Adapter> {
    use storage_layers::{Cache, CacheOptions};
    /// What a disk holds unless it is said.
    const DISK_BYTES: u64 = 1 << 30;
    let mut options = CacheOptions::default();
    if let Some(bytes) = values.number("bytes") {
        options.memory_bytes = bytes;
    }
    if let Some(bytes) = values.number("entry_bytes") {
        options.entry_bytes = bytes;
    }
    set(&mut options.max_age, values, "max_age_ms");
    let cache = Cache::new(below, options);
    Ok(match values.text("disk") {
        None => Arc::new(cache),
        Some(url) => {
            let disk = Box::pin(factory.open_adapter(url)).await?;
            let bytes = values.number("disk_bytes").unwrap_or(DISK_BYTES);
            Arc::new(cache.with_disk(Arc::new(disk), bytes).await?)
        }
    })
}

#[cfg(feature = "encrypt")]
mod encryption {
    use std::collections::BTreeSet;

    use storage_core::{Error, ErrorKind, StorageBackend};
    use storage_layers::encryption::{KeyProvider, Keystore};
    use storage_layers::{Encrypt, EncryptOptions, Fields};

    use super::*;

    pub(super) async fn encrypt(values: &Values, around: &Around<'_>, below: Adapter) -> Result<Adapter> {
        let mut options = EncryptOptions::new(key(values)?);
        if let Some(namespace) = values.text("namespace").or(around.namespace) {
            options = options.namespace(namespace);
        }
        let plain = values.text("plain").unwrap_or_default().split_whitespace();
        let fields: BTreeSet<&str> = plain.chain(around.factory.searched().iter().copied()).collect();
        if !fields.is_empty() {
            options = options.every_collection(fields.into_iter().fold(Fields::new(), Fields::plain));
        }
        Ok(Arc::new(Encrypt::open(below, options).await?))
    }

    fn key(values: &Values) -> Result<KeyProvider> {
        let given: Vec<_> = ["key_command", "key_env", "key_file", "passphrase_env"]
            .into_iter()
            .filter_map(|name| Some((name, values.text(name)?)))
            .collect();
        let [(name, value)] = given.as_slice() else {
            return Err(refused(
                "encrypt needs exactly one of key_command, key_env, key_file and passphrase_env".to_owned(),
            ));
        };
        Ok(match *name {
            "key_command" => KeyProvider::command(value.split_whitespace()),
            "key_env" => KeyProvider::environment(*value),
            "key_file" => KeyProvider::file(*value),
            _ => {
                let unset = |error| {
                    Error::new(
                        ErrorKind::Unauthenticated,
                        format!("the variable {value} has no passphrase"),
                    )
                    .with_source(error)
                };
                KeyProvider::passphrase(std::env::var(value).map_err(unset)?)
            }
        })
    }

    /// What is sealed is not opened without a key: it would read as bytes nobody wrote, and take plain ones.
    pub(super) async fn refuse_sealed(medium: &(impl StorageBackend + ?Sized)) -> Result<()> {
        if Keystore::is_present(medium).await? {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "the data here is encrypted; say where the key is: STORAGE_LAYERS=encrypt(key_file=…), or ?layers= in the URL",
            ));
        }
        Ok(())
    }
}
