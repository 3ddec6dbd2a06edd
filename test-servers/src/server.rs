//! One server that answers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::{Kind, Native};

/// Where a server came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum How {
    /// Named by an URL in the environment; not ours to start or stop.
    Explicit,
    /// The real image, in a container.
    Docker,
    /// A program that speaks the protocol, installed and started here.
    Native,
    /// Written in this crate. What passes on it has not been tested on the vendor's service.
    InRepo,
}

impl How {
    /// The word for it in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Docker => "docker",
            Self::Native => "native",
            Self::InRepo => "in-repo",
        }
    }
}

/// A server and how to reach it.
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Server {
    /// The protocol.
    pub kind: Kind,
    /// What it is called, as `SecantusDB`.
    pub name: String,
    /// Its version; of a server that is not ours, what it says of itself.
    pub version: String,
    /// What it says of itself over the protocol, as MongoDB's version or the HTTP header `Server`.
    pub says: String,
    /// Where it came from.
    pub how: How,
    /// The storage URL of the bucket, container or database that is there from the start. Options after `?` have the names that
    /// `object_store` and the `mongodb` driver give them; the keys of a server of ours are in `credentials`.
    pub url: String,
    /// What its vendor's own environment variables must say, as `AWS_ACCESS_KEY_ID`. Empty where they are set already.
    pub credentials: BTreeMap<String, String>,
    pub(crate) program: Option<Native>,
    pub(crate) process: Option<Identity>,
    pub(crate) container: Option<String>,
    /// The file it writes its log to.
    pub log: Option<PathBuf>,
    /// Where its data is; it ends with the server.
    pub data: Option<PathBuf>,
}

impl Server {
    /// Whether it is this product, in the version that is started here.
    pub fn is(&self, native: Native) -> bool {
        self.name == native.name() && self.version == native.version()
    }

    /// The value of an option of the URL, as `endpoint`.
    pub fn option(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        let mut options = url.query_pairs();
        options.find_map(|(option, value)| (option == name).then(|| value.into_owned()))
    }

    /// The bucket, container or database in the URL.
    pub fn bucket(&self) -> Option<String> {
        let url = url::Url::parse(&self.url).ok()?;
        match self.kind {
            Kind::Mongo => url.path_segments()?.next().map(str::to_owned),
            _ => url.host_str().map(str::to_owned),
        }
    }

    /// Whether it stands for its kind. One of [`Native::CARELESS`] does not.
    pub(crate) fn serves(&self, kind: Kind) -> bool {
        self.kind == kind && !self.is_careless()
    }

    /// Whether it is one of [`Native::CARELESS`].
    pub(crate) fn is_careless(&self) -> bool {
        self.program.is_some_and(Native::is_careless)
    }

    /// The URL without the password in it.
    pub fn shown_url(&self) -> String {
        without_secrets(&self.url)
    }
}

/// The URL as it may be printed. Only the place is kept of one that cannot be read.
pub(crate) fn without_secrets(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else {
        return "(an URL that cannot be read)".to_owned();
    };
    if !url.username().is_empty() || url.password().is_some() {
        // Fails only where an URL cannot have credentials, and then it has none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    let pieces = url.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = pieces
        .filter(|piece| SHOWN_OPTIONS.contains(&piece.split('=').next().unwrap_or_default()))
        .collect();
    let kept = kept.join("&");
    url.set_query((!kept.is_empty()).then_some(&kept));
    url.to_string()
}

/// Options that are never secret; the others are left out of what is printed.
const SHOWN_OPTIONS: [&str; 7] = [
    "allow_http",
    "base_url",
    "directConnection",
    "endpoint",
    "region",
    "replicaSet",
    "skip_signature",
];

/// Without keys and passwords.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("how", &self.how)
            .field("url", &self.shown_url())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_has_no_secrets() {
        let shown = [
            (
                "mongodb://ada:pw@host:1/app?directConnection=true",
                "mongodb://host:1/app?directConnection=true",
            ),
            (
                "s3://b/p?secret_access_key=pw&region=eu&token=pw",
                "s3://b/p?region=eu",
            ),
            (
                "s3://b?endpoint=http://127.0.0.1:1&region=eu",
                "s3://b?endpoint=http://127.0.0.1:1&region=eu",
            ),
            ("az://c?sas=pw", "az://c"),
            ("pw", "(an URL that cannot be read)"),
        ];
        for (url, expected) in shown {
            assert_eq!(without_secrets(url), expected);
        }
    }
}
