//! The schemes this library knows of, so that an error can say what is missing.

use storage_core::{Error, ErrorKind};

use crate::url::redact;

/// A scheme, what it stands for, and the feature of this crate it belongs to.
struct Known {
    schemes: &'static [&'static str],
    medium: &'static str,
    feature: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        schemes: &["fs", "file"],
        medium: "files",
        feature: "fs",
    },
    Known {
        schemes: &["sqlite"],
        medium: "SQLite",
        feature: "sqlite",
    },
    Known {
        schemes: &["mongodb", "mongodb+srv"],
        medium: "MongoDB",
        feature: "mongo",
    },
    Known {
        schemes: &["s3"],
        medium: "S3",
        feature: "s3",
    },
    Known {
        schemes: &["gs"],
        medium: "Google Cloud Storage",
        feature: "gcs",
    },
    Known {
        schemes: &["az"],
        medium: "Azure Blob Storage",
        feature: "azure",
    },
];

/// Why a scheme cannot be opened. `registered` are the names that can.
pub(crate) fn missing<'a>(text: &str, scheme: &str, registered: impl Iterator<Item = &'a str>) -> Error {
    let mut registered: Vec<_> = registered.map(|name| format!("{name}:")).collect();
    registered.sort_unstable();
    let registered = registered.join(", ");
    let error = match KNOWN.iter().find(|known| known.schemes.contains(&scheme)) {
        Some(Known { medium, feature, .. }) => Error::new(
            ErrorKind::Unsupported,
            format!(
                "{medium} needs the feature `{feature}` of storage-factory, which this program was built without; it has {registered}"
            ),
        )
        .with_context("feature", *feature),
        None => Error::invalid_argument(format!("there is no scheme {scheme:?}; this program has {registered}")),
    };
    error.with_key(redact(text))
}
