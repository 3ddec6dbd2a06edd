//! `s3:`

use storage_cloud::S3Config;

use super::Scheme;
use crate::option::{Address, UrlOption, UrlOptionKind as Kind};

const OPTIONS: [UrlOption; 5] = [
    UrlOption::new(
        "allow_http",
        Kind::Flag,
        "false",
        "whether the endpoint may be plain http",
    ),
    UrlOption::new(
        "endpoint",
        Kind::Text("an address, such as https://minio.example:9000"),
        "Amazon's, or AWS_ENDPOINT_URL",
        "the address of another S3 server",
    ),
    UrlOption::new(
        "region",
        Kind::Text("a name"),
        "AWS_REGION, or us-east-1",
        "the region of the bucket",
    ),
    UrlOption::new(
        "skip_signature",
        Kind::Flag,
        "false",
        "whether to send requests unsigned, for public buckets",
    ),
    UrlOption::new(
        "virtual_hosted_style",
        Kind::Flag,
        "false",
        "whether the bucket's name is part of the host's",
    ),
];

pub(in crate::scheme) fn scheme() -> Scheme {
    super::scheme("s3", &OPTIONS, config)
}

fn config(address: &Address, bucket: &str) -> S3Config {
    let mut config = S3Config::new(bucket);
    if let Some(allow) = address.flag("allow_http") {
        config = config.allow_http(allow);
    }
    if let Some(endpoint) = address.text("endpoint") {
        config = config.endpoint(endpoint);
    }
    if let Some(region) = address.text("region") {
        config = config.region(region);
    }
    if let Some(anonymous) = address.flag("skip_signature") {
        config = config.anonymous(anonymous);
    }
    if let Some(virtual_hosted) = address.flag("virtual_hosted_style") {
        config = config.virtual_hosted_style(virtual_hosted);
    }
    config
}
