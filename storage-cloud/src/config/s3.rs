//! [`S3Config`]: a bucket in Amazon S3 or behind a server that speaks its protocol.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientConfigKey, RetryConfig};
use storage_core::{Error, Result, Versions};

use super::secret::Secret;
use super::{CloudConfig, check_scheme, client_options, connect_each, refused};
use crate::client::{Dialect, Store, Stores};
use crate::wire::Connector;

/// Signature version 4 ends after seven days.
const MAX_PRESIGN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A bucket in Amazon S3 or behind a server that speaks its protocol.
///
/// What is not set is taken from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`,
/// `AWS_ENDPOINT`, `AWS_ALLOW_HTTP` and the others `object_store` reads; then from the machine's role. What is set here wins.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct S3Config {
    bucket: String,
    region: Option<String>,
    endpoint: Option<String>,
    allow_http: Option<bool>,
    access_key_id: Option<Secret>,
    secret_access_key: Option<Secret>,
    session_token: Option<Secret>,
    virtual_hosted_style: Option<bool>,
    anonymous: bool,
    unsigned_payload: bool,
}

impl S3Config {
    /// The bucket of this name.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            region: None,
            endpoint: None,
            allow_http: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            virtual_hosted_style: None,
            anonymous: false,
            unsigned_payload: false,
        }
    }

    /// The region. Default: the environment's, else `us-east-1`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The address of another server than Amazon's, such as `https://minio.example:9000`. With [virtual hosted
    /// style](Self::virtual_hosted_style) it includes the bucket's name.
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

    /// The id and the secret of an access key.
    #[must_use]
    pub fn access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.access_key_id = Some(Secret(id.into()));
        self.secret_access_key = Some(Secret(secret.into()));
        self
    }

    /// The session token of temporary credentials.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(Secret(token.into()));
        self
    }

    /// Whether the bucket is named in the host rather than in the path. Default: no.
    #[must_use]
    pub fn virtual_hosted_style(mut self, virtual_hosted: bool) -> Self {
        self.virtual_hosted_style = Some(virtual_hosted);
        self
    }

    /// Whether to send requests unsigned, for public buckets. There are no presigned addresses then. Default: no.
    #[must_use]
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Whether to leave bodies out of the signature, which saves a pass over them; over `https` only TLS protects them then.
    /// Default: no.
    #[must_use]
    pub fn unsigned_payload(mut self, unsigned: bool) -> Self {
        self.unsigned_payload = unsigned;
        self
    }

    pub(super) fn connect(&self, config: &CloudConfig) -> Result<(Dialect, Stores)> {
        let builder = self.builder(config)?;
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        let allow_http = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        check_scheme(endpoint.as_deref(), allow_http.as_deref() == Some("true"))?;
        let connector = Connector::default();
        let build = |bulk: bool, retry: RetryConfig| {
            let store = builder
                .clone()
                .with_retry(retry)
                .with_disable_bulk_delete(!bulk)
                .with_http_connector(connector.clone())
                .build()
                .map_err(|error| refused(&error))?;
            Ok(Arc::new(store) as Arc<dyn Store>)
        };
        let (once, patient) = connect_each(config, |retry| build(false, retry))?;
        let (bulk, _) = connect_each(config, |retry| build(true, retry))?;
        let dialect = Dialect {
            backend: "s3",
            at_home: endpoint.is_none(),
            place: endpoint.unwrap_or_else(|| "Amazon S3".to_owned()),
            versions: Versions::ContentHash,
            generations: false,
            careful_names: false,
            suffix_ranges: true,
            server_copy: true,
            copies_onto_itself: false,
            presigns: !self.anonymous,
            max_presign: MAX_PRESIGN,
            // DeleteObjects takes so many.
            bulk_delete: Some(1000),
        };
        Ok((dialect, Stores { once, patient, bulk }))
    }

    fn builder(&self, config: &CloudConfig) -> Result<AmazonS3Builder> {
        if self.bucket.is_empty() {
            return Err(Error::invalid_argument("the bucket has no name; give one"));
        }
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&self.bucket)
            .with_skip_signature(self.anonymous)
            .with_unsigned_payload(self.unsigned_payload);
        for (key, value) in client_options(config) {
            builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        if let Some(allow) = self.allow_http {
            builder = builder.with_allow_http(allow);
        }
        if let (Some(id), Some(secret)) = (&self.access_key_id, &self.secret_access_key) {
            builder = builder
                .with_access_key_id(&id.0)
                .with_secret_access_key(&secret.0);
        }
        if let Some(token) = &self.session_token {
            builder = builder.with_token(&token.0);
        }
        if let Some(virtual_hosted) = self.virtual_hosted_style {
            builder = builder.with_virtual_hosted_style_request(virtual_hosted);
        }
        Ok(builder)
    }
}
