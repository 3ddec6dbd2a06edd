//! [`KvSettings`]: the options that have names, in a file or in the environment.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use storage_core::{Error, Result};
use storage_layers::encryption::KeyProvider;

use super::options::{Eviction, KvOptions};
use super::sealing::Sealing;

/// What stands before the name of a setting in the environment.
const PREFIX: &str = "KV_";

/// The options that have names, as they stand in a file: `storage-path`, `storage-size-limit` and the others. Deserialized from TOML, JSON
/// or any other format; an unknown name is an error that lists those there are.
///
/// | name | variable | value |
/// |---|---|---|
/// | `storage-path` | `KV_STORAGE_PATH` | a directory; `storage_factory::kv_from_env` opens it |
/// | `storage-size-limit` | `KV_STORAGE_SIZE_LIMIT` | bytes, as `1048576` or `1 GiB`; see [`KvOptions::size_limit`] |
/// | `storage-compression` | `KV_STORAGE_COMPRESSION` | `none`, `gzip`, `deflate`, `lz4`, `zstd`, with a level as `zstd:9` |
/// | `storage-encryption` | `KV_STORAGE_ENCRYPTION` | `none`, or where the key is: `env:NAME`, `file:PATH`, `passphrase-env:NAME`, `passphrase-file:PATH` |
/// | `cache-size-limit` | `KV_CACHE_SIZE_LIMIT` | bytes; see [`KvOptions::memory_limit`] |
/// | `cache-ttl` | `KV_CACHE_TTL` | seconds, as `600`, or `10m`; `ms`, `s`, `m`, `h`, `d`; see [`KvOptions::ttl`] |
/// | `cache-eviction-policy` | `KV_CACHE_EVICTION_POLICY` | `none`, `lru`, `lfu`, `size`, `ttl` |
/// | `cache-compression-threshold` | `KV_CACHE_COMPRESSION_THRESHOLD` | bytes; see [`KvOptions::compression_threshold`] |
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct KvSettings {
    /// The directory.
    pub storage_path: Option<Setting>,
    /// The most bytes of the namespace.
    pub storage_size_limit: Option<Setting>,
    /// How values are compressed.
    pub storage_compression: Option<Setting>,
    /// Where the key is that values are encrypted with.
    pub storage_encryption: Option<Setting>,
    /// The most bytes of memory.
    pub cache_size_limit: Option<Setting>,
    /// How long values live.
    pub cache_ttl: Option<Setting>,
    /// Which entries go when room is needed.
    pub cache_eviction_policy: Option<Setting>,
    /// From which size on values are compressed.
    pub cache_compression_threshold: Option<Setting>,
}

/// The value of a setting, and what it is called where it stands.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub struct Setting {
    text: String,
    /// The variable it is from; the name in a file where `None`.
    variable: Option<String>,
}

/// A value as files have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl From<Written> for Setting {
    fn from(written: Written) -> Self {
        match written {
            Written::Number(number) => number.to_string().into(),
            Written::Text(text) => text.into(),
        }
    }
}

impl<T: Into<String>> From<T> for Setting {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            variable: None,
        }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl KvSettings {
    /// The names there are, as they stand in files.
    pub const NAMES: &[&str] = &[
        "storage-path",
        "storage-size-limit",
        "storage-compression",
        "storage-encryption",
        "cache-size-limit",
        "cache-ttl",
        "cache-eviction-policy",
        "cache-compression-threshold",
    ];

    /// What the variables of this process say that begin with `KV_`.
    ///
    /// # Errors
    /// `InvalidArgument` naming a variable that is none of these, empty, or not UTF-8.
    pub fn from_env() -> Result<Self> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            Some((name, value))
        });
        let mut known = Vec::new();
        for (name, value) in variables {
            let Ok(value) = value.into_string() else {
                return Err(refused(format!("{name} is not UTF-8")));
            };
            known.push((name, value));
        }
        Self::from_variables(known)
    }

    /// The same, from these variables; those that do not begin with `KV_` are not looked at.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut settings = Self::default();
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            let name = name.to_lowercase().replace('_', "-");
            let Some(slot) = settings.slot(&name).filter(|_| variable == variable_of(&name)) else {
                let known: Vec<String> = Self::NAMES.iter().map(|name| variable_of(name)).collect();
                return Err(refused(format!(
                    "{variable} is not a setting; there are {}",
                    known.join(", ")
                )));
            };
            if value.is_empty() {
                return Err(refused(format!(
                    "{variable} is set but empty; unset it or give it a value"
                )));
            }
            *slot = Some(Setting {
                text: value,
                variable: Some(variable),
            });
        }
        Ok(settings)
    }

    /// These options with what the settings say. The path is for whoever opens the storage.
    ///
    /// # Errors
    /// `InvalidArgument` naming the setting, or its variable, and the value.
    pub fn apply(&self, options: KvOptions) -> Result<KvOptions> {
        let mut options = options;
        if let Some(limit) = read(&self.storage_size_limit, "storage-size-limit", bytes)? {
            options = options.size_limit(limit);
        }
        if let Some((codec, level)) = read(&self.storage_compression, "storage-compression", compression)? {
            options = options.compression(codec);
            options.level = level;
        }
        if let Some(sealing) = read(&self.storage_encryption, "storage-encryption", sealing)? {
            options.sealing = sealing;
        }
        if let Some(limit) = read(&self.cache_size_limit, "cache-size-limit", bytes)? {
            options = options.memory_limit(limit);
        }
        if let Some(ttl) = read(&self.cache_ttl, "cache-ttl", duration)? {
            options = options.ttl(ttl);
        }
        if let Some(policy) = read(&self.cache_eviction_policy, "cache-eviction-policy", policy)? {
            options.eviction = policy;
        }
        if let Some(threshold) = read(
            &self.cache_compression_threshold,
            "cache-compression-threshold",
            bytes,
        )? {
            options = options.compression_threshold(threshold);
        }
        Ok(options)
    }

    /// The directory, where one was said.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty one.
    pub fn path(&self) -> Result<Option<String>> {
        read(&self.storage_path, "storage-path", |text| {
            if text.is_empty() {
                return Err("a directory that is not empty".to_owned());
            }
            Ok(text.to_owned())
        })
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<Setting>> {
        Some(match name {
            "storage-path" => &mut self.storage_path,
            "storage-size-limit" => &mut self.storage_size_limit,
            "storage-compression" => &mut self.storage_compression,
            "storage-encryption" => &mut self.storage_encryption,
            "cache-size-limit" => &mut self.cache_size_limit,
            "cache-ttl" => &mut self.cache_ttl,
            "cache-eviction-policy" => &mut self.cache_eviction_policy,
            "cache-compression-threshold" => &mut self.cache_compression_threshold,
            _ => return None,
        })
    }
}

fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase().replace('-', "_"))
}

/// Reads a value; `parse` says what it should have been.
fn read<T>(
    setting: &Option<Setting>,
    name: &str,
    parse: impl FnOnce(&str) -> std::result::Result<T, String>,
) -> Result<Option<T>> {
    let Some(setting) = setting else { return Ok(None) };
    let parsed = parse(&setting.text).map_err(|expected| {
        let called = setting.variable.as_deref().unwrap_or(name);
        refused(format!("{called} is {:?}; it must be {expected}", setting.text))
    });
    parsed.map(Some)
}

fn bytes(text: &str) -> std::result::Result<u64, String> {
    let (number, unit) = split(text);
    let unit = match unit {
        "" | "B" => Some(1_u64),
        "KB" => Some(1_000),
        "KiB" => Some(1 << 10),
        "MB" => Some(1_000_000),
        "MiB" => Some(1 << 20),
        "GB" => Some(1_000_000_000),
        "GiB" => Some(1 << 30),
        "TB" => Some(1_000_000_000_000),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    let number = number.parse::<u64>().ok().zip(unit);
    number
        .and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| "a number of bytes, such as 1048576, 512 KiB or 1 GiB".to_owned())
}

fn duration(text: &str) -> std::result::Result<Duration, String> {
    let (number, unit) = split(text);
    let unit = match unit {
        "ms" => Some(1_u64),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number = number.parse::<u64>().ok().zip(unit);
    let millis = number.and_then(|(number, unit)| number.checked_mul(unit));
    millis
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| "a time greater than 0, such as 600 for seconds, 500ms, 10m, 12h or 7d".to_owned())
}

/// Digits, and what follows them.
fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

fn compression(text: &str) -> std::result::Result<(storage_layers::compression::Codec, Option<i32>), String> {
    let expected = || "none, gzip, deflate, lz4 or zstd, with a level as in zstd:9".to_owned();
    let (codec, level) = match text.split_once(':') {
        Some((codec, level)) => (codec, Some(level.parse().map_err(|_| expected())?)),
        None => (text, None),
    };
    let codec: storage_layers::compression::Codec = codec.parse().map_err(|_| expected())?;
    if let Some(level) = level {
        let known = storage_layers::compression::Compression::new(codec).level(level);
        known.map_err(|error| error.message().to_owned())?;
    }
    Ok((codec, level))
}

fn sealing(text: &str) -> std::result::Result<Option<Sealing>, String> {
    let expected = || {
        "none, or where the key is: env:NAME, file:PATH, passphrase-env:NAME or passphrase-file:PATH"
            .to_owned()
    };
    if text == "none" {
        return Ok(None);
    }
    let (form, place) = text
        .split_once(':')
        .filter(|(_, place)| !place.is_empty())
        .ok_or_else(expected)?;
    let provider = match form {
        "env" => KeyProvider::environment(place),
        "file" => KeyProvider::file(place),
        "passphrase-env" => KeyProvider::passphrase(
            std::env::var(place).map_err(|_| format!("a variable that is set; {place} is not"))?,
        ),
        "passphrase-file" => {
            let text = std::fs::read_to_string(place)
                .map_err(|_| format!("a file that can be read; {place} cannot"))?;
            KeyProvider::passphrase(text.trim_end_matches(['\r', '\n']))
        }
        _ => return Err(expected()),
    };
    Ok(Some(Sealing::all(provider)))
}

fn policy(text: &str) -> std::result::Result<Option<Eviction>, String> {
    if text == "none" {
        return Ok(None);
    }
    let known = Eviction::ALL
        .iter()
        .copied()
        .find(|policy| policy.as_str() == text);
    known
        .map(Some)
        .ok_or_else(|| "none, lru, lfu, size or ttl".to_owned())
}

fn refused(message: String) -> Error {
    Error::invalid_argument(message).with_operation("read settings of the key-value store")
}

#[cfg(test)]
mod tests;
