//! [`GcsConfig`]: a bucket in Google Cloud Storage.

use std::sync::Arc;
use std::time::Duration;

use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, RetryConfig, StaticCredentialProvider};
use storage_core::{Error, Result, Versions};

use super::secret::Secret;
use super::{CloudConfig, check_scheme, client_options, connect_each, refused};
use crate::client::{Dialect, Store, Stores};
use crate::wire::Connector;

/// Signature version 4 ends after seven days.
const MAX_PRESIGN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A bucket in Google Cloud Storage.
///
/// What is not set is taken from the environment: `GOOGLE_SERVICE_ACCOUNT`, `GOOGLE_SERVICE_ACCOUNT_KEY`,
/// `GOOGLE_APPLICATION_CREDENTIALS` and the others `object_store` reads; then from the machine's service account. What is set here
/// wins.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GcsConfig {
    bucket: String,
    service_account_path: Option<String>,
    service_account_key: Option<Secret>,
    base_url: Option<String>,
    allow_http: Option<bool>,
    anonymous: bool,
}

impl GcsConfig {
    /// The bucket of this name.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            service_account_path: None,
            service_account_key: None,
            base_url: None,
            allow_http: None,
            anonymous: false,
        }
    }

    /// The file with the key of a service account, in JSON.
    #[must_use]
    pub fn service_account_path(mut self, path: impl Into<String>) -> Self {
        self.service_account_path = Some(path.into());
        self
    }

    /// The key of a service account, in JSON.
    #[must_use]
    pub fn service_account_key(mut self, json: impl Into<String>) -> Self {
        self.service_account_key = Some(Secret(json.into()));
        self
    }

    /// The address of another server than Google's.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Whether the address may be plain `http`. Default: no.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = Some(allow);
        self
    }

    /// Whether to send requests without credentials, for public buckets and emulators. There are no presigned addresses then.
    /// Default: no.
    #[must_use]
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    pub(super) fn connect(&self, config: &CloudConfig) -> Result<(Dialect, Stores)> {
        let builder = self.builder(config)?;
        let base_url = builder.get_config_value(&GoogleConfigKey::BaseUrl);
        let allow_http = builder.get_config_value(&GoogleConfigKey::Client(ClientConfigKey::AllowHttp));
        check_scheme(base_url.as_deref(), allow_http.as_deref() == Some("true"))?;
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
            backend: "gcs",
            at_home: base_url.is_none(),
            place: base_url.unwrap_or_else(|| "Google Cloud Storage".to_owned()),
            versions: Versions::Unique,
            generations: true,
            careful_names: false,
            suffix_ranges: true,
            server_copy: true,
            copies_onto_itself: true,
            presigns: !self.anonymous,
            max_presign: MAX_PRESIGN,
            bulk_delete: None,
        };
        let bulk = Arc::clone(&once);
        Ok((dialect, Stores { once, patient, bulk }))
    }

    fn builder(&self, config: &CloudConfig) -> Result<GoogleCloudStorageBuilder> {
        if self.bucket.is_empty() {
            return Err(Error::invalid_argument("the bucket has no name; give one"));
        }
        let mut builder = GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(&self.bucket)
            .with_skip_signature(self.anonymous);
        for (key, value) in client_options(config) {
            builder = builder.with_config(GoogleConfigKey::Client(key), value);
        }
        if let Some(allow) = self.allow_http {
            builder = builder.with_config(
                GoogleConfigKey::Client(ClientConfigKey::AllowHttp),
                allow.to_string(),
            );
        }
        if self.anonymous {
            // Writes ask for credentials even when nothing is to be signed, and would look for the machine's.
            let nobody = GcpCredential {
                bearer: String::new(),
            };
            builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
        }
        if let Some(path) = &self.service_account_path {
            builder = builder.with_service_account_path(path);
        }
        if let Some(key) = &self.service_account_key {
            builder = builder.with_service_account_key(&key.0);
        }
        if let Some(url) = &self.base_url {
            builder = builder.with_base_url(url.trim_end_matches('/'));
        }
        Ok(builder)
    }
}
