//! `gs:`

use storage_cloud::GcsConfig;

use super::Scheme;
use crate::option::{Address, UrlOption, UrlOptionKind as Kind};

const OPTIONS: [UrlOption; 4] = [
    UrlOption::new(
        "allow_http",
        Kind::Flag,
        "false",
        "whether the address may be plain http",
    ),
    UrlOption::new(
        "base_url",
        Kind::Text("an address"),
        "Google's",
        "the address of another server that speaks the XML API",
    ),
    UrlOption::new(
        "service_account",
        Kind::Text("a path"),
        "GOOGLE_SERVICE_ACCOUNT, or the machine's identity",
        "the file with the key of a service account",
    ),
    UrlOption::new(
        "skip_signature",
        Kind::Flag,
        "false",
        "whether to send requests without credentials, for public buckets",
    ),
];

pub(in crate::scheme) fn scheme() -> Scheme {
    super::scheme("gs", &OPTIONS, config)
}

fn config(address: &Address, bucket: &str) -> GcsConfig {
    let mut config = GcsConfig::new(bucket);
    if let Some(allow) = address.flag("allow_http") {
        config = config.allow_http(allow);
    }
    if let Some(url) = address.text("base_url") {
        config = config.base_url(url);
    }
    if let Some(path) = address.text("service_account") {
        config = config.service_account_path(path);
    }
    if let Some(anonymous) = address.flag("skip_signature") {
        config = config.anonymous(anonymous);
    }
    config
}
