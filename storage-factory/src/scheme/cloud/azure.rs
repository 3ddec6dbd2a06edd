//! `az:`

use storage_cloud::AzureConfig;

use super::Scheme;
use crate::option::{Address, UrlOption, UrlOptionKind as Kind};

const OPTIONS: [UrlOption; 4] = [
    UrlOption::new(
        "account",
        Kind::Text("a name"),
        "AZURE_STORAGE_ACCOUNT_NAME",
        "the storage account the container is in",
    ),
    UrlOption::new(
        "allow_http",
        Kind::Flag,
        "false",
        "whether the endpoint may be plain http",
    ),
    UrlOption::new(
        "endpoint",
        Kind::Text("an address"),
        "the account's own, or AZURE_STORAGE_ENDPOINT",
        "the address of another blob service, such as an emulator's",
    ),
    UrlOption::new(
        "skip_signature",
        Kind::Flag,
        "false",
        "whether to send requests unsigned, for public containers",
    ),
];

pub(in crate::scheme) fn scheme() -> Scheme {
    super::scheme("az", &OPTIONS, config)
}

fn config(address: &Address, container: &str) -> AzureConfig {
    let mut config = AzureConfig::new(container);
    if let Some(account) = address.text("account") {
        config = config.account(account);
    }
    if let Some(allow) = address.flag("allow_http") {
        config = config.allow_http(allow);
    }
    if let Some(endpoint) = address.text("endpoint") {
        config = config.endpoint(endpoint);
    }
    if let Some(anonymous) = address.flag("skip_signature") {
        config = config.anonymous(anonymous);
    }
    config
}
