//! What is served, by protocol.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// MongoDB's wire protocol.
    Mongo,
    /// The S3 API.
    S3,
    /// Google Cloud Storage's XML API.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Mongo, Self::S3, Self::Gcs, Self::Azure];

    /// The word for it in `STORAGE_REQUIRE` and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mongo => "mongo",
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
        }
    }

    /// The variable that names a server of one's own, by storage URL.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Mongo => "STORAGE_TEST_MONGODB_URL",
            Self::S3 => "STORAGE_TEST_S3_URL",
            Self::Gcs => "STORAGE_TEST_GCS_URL",
            Self::Azure => "STORAGE_TEST_AZURE_URL",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == word);
        found.ok_or_else(|| {
            format!("`{word}` is no kind of server; there are mongo, s3, gcs and azure").into()
        })
    }
}
