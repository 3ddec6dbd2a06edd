//! What a store says about itself, in `volumes.json`: its format, hash, fan-out and grace. Checked whenever it is opened.

use std::time::Duration;

use storage_core::{Capability, Condition, Error, ErrorKind, Result, Storage, WriteOptions};

use super::hash::HashAlgorithm;
use super::names::Names;
use super::options::VolumeOptions;

/// The newest format this program writes and reads.
const VERSION: u64 = 1;

/// Blocks are spread over at most so many levels: 65,536 directories.
const MAX_FAN_OUT: u8 = 2;

const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a store is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) hash: HashAlgorithm,
    pub(super) fan_out: u8,
    pub(super) grace: Duration,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            hash: HashAlgorithm::default(),
            fan_out: 0,
            grace: GRACE,
        }
    }
}

/// As it is stored. What a later version adds within this format may be there too.
#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    format: u64,
    hash: String,
    fan_out: u8,
    grace_seconds: u64,
}

impl Format {
    /// What the options ask for, with the defaults where they are silent.
    pub(super) fn asked(options: &VolumeOptions) -> Result<Self> {
        let default = Self::default();
        let asked = Self {
            hash: options.hash.unwrap_or(default.hash),
            fan_out: options.fan_out.unwrap_or(default.fan_out),
            grace: options.grace.unwrap_or(default.grace),
        };
        if asked.fan_out > MAX_FAN_OUT {
            return Err(Error::limit_exceeded(
                "the number of levels blocks are spread over",
                MAX_FAN_OUT.into(),
                asked.fan_out.into(),
            ));
        }
        if asked.grace < Duration::from_secs(1) || asked.grace.subsec_nanos() != 0 {
            return Err(Error::invalid_argument(
                "the grace is whole seconds, at least one",
            ));
        }
        Ok(asked)
    }

    /// Refuses a store that is not what the options say.
    pub(super) fn check(&self, options: &VolumeOptions, key: &str) -> Result<()> {
        let differs = |what: &str, stored: String, asked: String| {
            Error::invalid_argument(format!(
                "this store has {what} {stored}, not {asked}, and keeps it; open it without saying which, or make another store in \
                 another directory and copy the contents there"
            ))
            .with_key(key)
        };
        match (options.hash, options.fan_out, options.grace) {
            (Some(hash), ..) if hash != self.hash => {
                Err(differs("the hash", self.hash.to_string(), hash.to_string()))
            }
            (_, Some(levels), _) if levels != self.fan_out => Err(differs(
                "the fan-out",
                self.fan_out.to_string(),
                levels.to_string(),
            )),
            (.., Some(grace)) if grace != self.grace => Err(differs(
                "the grace",
                format!("{:?}", self.grace),
                format!("{grace:?}"),
            )),
            _ => Ok(()),
        }
    }

    /// What the store at this place says about itself; `None` where there is no store.
    pub(super) async fn read(storage: &Storage, names: &Names) -> Result<Option<Self>> {
        let key = names.format();
        let found = storage.objects().read(&key).await?;
        found.map(|bytes| Self::parse(&bytes, &key)).transpose()
    }

    fn parse(bytes: &[u8], key: &str) -> Result<Self> {
        let corrupt = |why: String| Error::corrupt(key, format!("what the store says about itself {why}"));
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| corrupt(format!("is no JSON: {error}")))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(VERSION) => {}
            Some(version) if version > VERSION => {
                return Err(Error::new(
                    ErrorKind::FormatTooNew,
                    format!("the store has format {version}, this program knows {VERSION}; upgrade it"),
                )
                .with_key(key));
            }
            _ => return Err(corrupt("has no format that ever was".to_owned())),
        }
        let record: Record =
            serde_json::from_value(value).map_err(|error| corrupt(format!("cannot be: {error}")))?;
        let hash = record.hash.parse();
        let hash = hash.map_err(|error: Error| corrupt(format!("cannot be: {}", error.message())))?;
        let format = Self {
            hash,
            fan_out: record.fan_out,
            grace: Duration::from_secs(record.grace_seconds),
        };
        if format.fan_out > MAX_FAN_OUT || format.grace.is_zero() {
            return Err(corrupt("has a fan-out or a grace that cannot be".to_owned()));
        }
        Ok(format)
    }

    /// Makes a store of this format, unless somebody else is faster; what it then is.
    pub(super) async fn create(self, storage: &Storage, names: &Names, sole_creator: bool) -> Result<Self> {
        let key = names.format();
        let can_create = storage
            .declaration()
            .support(Capability::CreateIfAbsent)
            .is_present();
        if !can_create && !sole_creator {
            let missing = storage.declaration().unsupported(Capability::CreateIfAbsent);
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a store cannot be made here safely, because two who do so at once would not notice; if nobody else does, say so with \
                 `sole_creator`",
            )
            .with_source(missing)
            .with_key(key));
        }
        let condition = if can_create {
            Condition::IfAbsent
        } else {
            Condition::Always
        };
        let options = WriteOptions::new().condition(condition);
        match storage.objects().write_with(&key, self.text(), options).await {
            Ok(_) => Ok(self),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Self::read(storage, names).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn text(self) -> String {
        let Self { hash, fan_out, grace } = self;
        format!(
            "{{\"format\":{VERSION},\"hash\":\"{hash}\",\"fan_out\":{fan_out},\"grace_seconds\":{}}}\n",
            grace.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_rubbish_is_not() {
        let format = Format {
            hash: HashAlgorithm::Blake3,
            fan_out: 2,
            grace: Duration::from_secs(5),
        };
        assert_eq!(Format::parse(format.text().as_bytes(), "k").unwrap(), format);
        for (text, kind) in [
            ("", ErrorKind::Corrupt),
            ("[]", ErrorKind::Corrupt),
            (r#"{"format":0}"#, ErrorKind::Corrupt),
            (r#"{"format":1}"#, ErrorKind::Corrupt),
            (r#"{"format":2}"#, ErrorKind::FormatTooNew),
            (
                r#"{"format":1,"hash":"md5","fan_out":0,"grace_seconds":1}"#,
                ErrorKind::Corrupt,
            ),
            (
                r#"{"format":1,"hash":"sha256","fan_out":3,"grace_seconds":1}"#,
                ErrorKind::Corrupt,
            ),
        ] {
            assert_eq!(
                Format::parse(text.as_bytes(), "k").unwrap_err().kind(),
                kind,
                "{text}"
            );
        }
    }
}
