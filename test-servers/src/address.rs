//! Where a server of ours is reached and with which keys: the same for a process and for a container of its kind.

use std::collections::BTreeMap;

use crate::Kind;

/// The bucket, container or database that is there from the start.
pub(crate) const BUCKET: &str = "storage-test";

/// The region that our servers of S3 are in.
pub(crate) const S3_REGION: &str = "us-east-1";

/// The keys that our servers of S3 are given.
pub(crate) const S3_KEY: &str = "storage-test";
pub(crate) const S3_SECRET: &str = "storage-test-secret";

/// The account that Azurite has from the start, and its key, which its documentation publishes.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The storage URL of what is there from the start.
pub(crate) fn url(kind: Kind, host: &str, port: u16) -> String {
    match kind {
        // Directly: a replica set of one may name its member as it sees itself.
        Kind::Mongo => format!("mongodb://{host}:{port}/{BUCKET}?directConnection=true"),
        Kind::S3 => {
            format!("s3://{BUCKET}?endpoint=http://{host}:{port}&region={S3_REGION}&allow_http=true")
        }
        Kind::Gcs => {
            format!("gs://{BUCKET}?base_url=http://{host}:{port}&skip_signature=true&allow_http=true")
        }
        Kind::Azure => {
            format!("az://{BUCKET}?endpoint=http://{host}:{port}/{AZURITE_ACCOUNT}&allow_http=true")
        }
    }
}

/// The keys, by the names of the vendors' variables.
pub(crate) fn credentials(kind: Kind) -> BTreeMap<String, String> {
    match kind {
        Kind::S3 => s3_credentials(S3_KEY, S3_SECRET),
        Kind::Azure => owned([
            ("AZURE_STORAGE_ACCOUNT_NAME", AZURITE_ACCOUNT),
            ("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY),
        ]),
        Kind::Mongo | Kind::Gcs => BTreeMap::new(),
    }
}

/// These keys of S3, by the names of Amazon's variables.
pub(crate) fn s3_credentials(key: &str, secret: &str) -> BTreeMap<String, String> {
    owned([("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)])
}

fn owned<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
