//! [`AzureConfig`]: a container in Azure Blob Storage.

use std::sync::Arc;
use std::time::Duration;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{ClientConfigKey, RetryConfig};
use storage_core::{Error, Result, Versions};

use super::secret::Secret;
use super::{CloudConfig, check_scheme, client_options, connect_each, refused};
use crate::client::{Dialect, Store, Stores};
use crate::wire::Connector;

/// The account every emulator has, and its key, which is public: learn.microsoft.com/azure/storage/common/storage-use-azurite.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A signature with an account's key may last as long as one likes; this keeps to what the other vendors allow.
const MAX_PRESIGN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A container in Azure Blob Storage.
///
/// What is not set is taken from the environment: `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`,
/// `AZURE_STORAGE_SAS_KEY`, `AZURE_STORAGE_CLIENT_ID` and the others `object_store` reads; then from the machine's identity. What
/// is set here wins.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AzureConfig {
    container: String,
    account: Option<String>,
    account_key: Option<Secret>,
    sas: Option<Secret>,
    endpoint: Option<String>,
    allow_http: Option<bool>,
    anonymous: bool,
}

impl AzureConfig {
    /// The container of this name.
    pub fn new(container: impl Into<String>) -> Self {
        Self {
            container: container.into(),
            account: None,
            account_key: None,
            sas: None,
            endpoint: None,
            allow_http: None,
            anonymous: false,
        }
    }

    /// A container of an emulator at this address, such as `http://127.0.0.1:10000`, with the account every emulator has.
    pub fn emulator(container: impl Into<String>, address: impl AsRef<str>) -> Self {
        let address = address.as_ref().trim_end_matches('/');
        Self::new(container)
            .account(EMULATOR_ACCOUNT)
            .account_key(EMULATOR_KEY)
            .endpoint(format!("{address}/{EMULATOR_ACCOUNT}"))
            .allow_http(true)
    }

    /// The name of the account.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// The key of the account.
    #[must_use]
    pub fn account_key(mut self, key: impl Into<String>) -> Self {
        self.account_key = Some(Secret(key.into()));
        self
    }

    /// A shared access signature instead of a key. It cannot sign, so there are no presigned addresses.
    #[must_use]
    pub fn sas(mut self, signature: impl Into<String>) -> Self {
        self.sas = Some(Secret(signature.into()));
        self
    }

    /// The address of another service than `https://<account>.blob.core.windows.net`.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Whether the endpoint may be plain `http`. Default: no.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = Some(allow);
        self
    }

    /// Whether to send requests unsigned, for public containers. There are no presigned addresses then. Default: no.
    #[must_use]
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    pub(super) fn connect(&self, config: &CloudConfig) -> Result<(Dialect, Stores)> {
        let builder = self.builder(config)?;
        let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
        let allow_http = builder.get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp));
        check_scheme(endpoint.as_deref(), allow_http.as_deref() == Some("true"))?;
        let emulated = builder.get_config_value(&AzureConfigKey::UseEmulator).as_deref() == Some("true");
        let shared = self.sas.is_some() || builder.get_config_value(&AzureConfigKey::SasKey).is_some();
        let connector = Connector::default();
        let (once, patient) = connect_each(config, |retry: RetryConfig| {
            let store = builder
                .clone()
                .with_retry(retry)
                .with_http_connector(connector.clone())
                .build()
                .map_err(|error| refused(&error))?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        })?;
        let dialect = Dialect {
            backend: "azure",
            at_home: endpoint.is_none() && !emulated,
            place: endpoint.unwrap_or_else(|| "Azure Blob Storage".to_owned()),
            // "The ETag value is updated whenever the blob is modified": learn.microsoft.com/azure/storage/blobs/concurrency-manage.
            versions: Versions::Unique,
            generations: false,
            careful_names: true,
            suffix_ranges: false,
            // Copy Blob may go on after it answered, and what is read until then is empty.
            server_copy: false,
            copies_onto_itself: false,
            presigns: !self.anonymous && (self.account_key.is_some() || !shared),
            max_presign: MAX_PRESIGN,
            // A batch takes so many.
            bulk_delete: Some(256),
        };
        let bulk = Arc::clone(&once);
        Ok((dialect, Stores { once, patient, bulk }))
    }

    fn builder(&self, config: &CloudConfig) -> Result<MicrosoftAzureBuilder> {
        if self.container.is_empty() {
            return Err(Error::invalid_argument("the container has no name; give one"));
        }
        let mut builder = MicrosoftAzureBuilder::from_env()
            .with_container_name(&self.container)
            .with_skip_signature(self.anonymous);
        for (key, value) in client_options(config) {
            builder = builder.with_config(AzureConfigKey::Client(key), value);
        }
        if let Some(account) = &self.account {
            builder = builder.with_account(account);
        }
        if let Some(key) = &self.account_key {
            builder = builder.with_access_key(&key.0);
        }
        if let Some(sas) = &self.sas {
            builder = builder.with_config(AzureConfigKey::SasKey, &sas.0);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        if let Some(allow) = self.allow_http {
            builder = builder.with_allow_http(allow);
        }
        Ok(builder)
    }
}
