//! Clients for a [`Server`]: what its URL and its credentials say, given to `object_store` and to HTTP.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tokio::time::timeout;

use crate::server::without_secrets;
use crate::{How, Kind, Result, Server};

/// A server that has not answered one small request for this long does not answer. Generous: the machine may be busy compiling.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Server {
    /// A client of `object_store` for the bucket or container in the URL, without retries.
    ///
    /// # Errors
    /// The server is not one of objects, or `object_store` does not accept what URL, credentials and environment say.
    pub fn object_store(&self) -> Result<Arc<dyn ObjectStore>> {
        let url = url::Url::parse(&self.url).map_err(|_| format!("{} is no URL", self.shown_url()))?;
        let bucket = url.host_str().ok_or("the URL names no bucket")?;
        // The environment's keys are not for a server of ours.
        let ours = self.how != How::Explicit;
        // What stands in the URL beats what stands in the environment.
        let mut settings: Settings = self
            .credentials
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.clone()))
            .collect();
        settings.extend(url.query_pairs().into_owned());
        let retry = RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        };
        Ok(match self.kind {
            Kind::S3 => {
                let builder = if ours {
                    AmazonS3Builder::new()
                } else {
                    AmazonS3Builder::from_env()
                };
                let builder = builder.with_bucket_name(bucket).with_retry(retry);
                Arc::new(configure(builder, settings, AmazonS3Builder::with_config).build()?)
            }
            Kind::Gcs => {
                let builder = if ours {
                    GoogleCloudStorageBuilder::new()
                } else {
                    GoogleCloudStorageBuilder::from_env()
                };
                let mut builder = builder.with_bucket_name(bucket).with_retry(retry);
                if settings
                    .get("skip_signature")
                    .is_some_and(|value| value == "true")
                {
                    // Writes ask for credentials even when nothing is to be signed, and would look for the machine's.
                    builder = builder.with_bearer_token("");
                }
                Arc::new(configure(builder, settings, GoogleCloudStorageBuilder::with_config).build()?)
            }
            Kind::Azure => {
                let builder = if ours {
                    MicrosoftAzureBuilder::new()
                } else {
                    MicrosoftAzureBuilder::from_env()
                };
                let builder = builder.with_container_name(bucket).with_retry(retry);
                Arc::new(configure(builder, settings, MicrosoftAzureBuilder::with_config).build()?)
            }
            Kind::Mongo => return Err(format!("{} serves documents", self.name).into()),
        })
    }

    /// Whether it can be used: the deployment answers a ping, the bucket or container can be listed.
    pub(crate) async fn check(&self) -> Result<()> {
        let checked = timeout(PATIENCE, async {
            if self.kind == Kind::Mongo {
                let client = mongo(&self.url).await?;
                let ping = mongodb::bson::doc! { "ping": 1 };
                client.database("admin").run_command(ping).await?;
            } else {
                self.object_store()?.list(None).try_next().await?;
            }
            Ok(())
        });
        checked
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()).into()))
    }
}

type Settings = BTreeMap<String, String>;

/// Gives the builder the settings it knows. The others are options of the storage's own, and the storage says when one is wrong.
fn configure<B, N: FromStr>(builder: B, settings: Settings, set: impl Fn(B, N, String) -> B) -> B {
    let known = settings
        .into_iter()
        .filter_map(|(name, value)| Some((name.parse().ok()?, value)));
    known.fold(builder, |builder, (name, value)| set(builder, name, value))
}

/// A client of the driver that gives up soon.
pub(crate) async fn mongo(url: &str) -> Result<mongodb::Client> {
    let options = mongodb::options::ClientOptions::parse(url).await;
    let mut options = options.map_err(|error| format!("{}: {error}", without_secrets(url)))?;
    options.server_selection_timeout = Some(Duration::from_secs(5));
    options.connect_timeout = Some(Duration::from_secs(5));
    Ok(mongodb::Client::with_options(options)?)
}

/// A client for requests that `object_store` does not make.
pub(crate) fn http() -> Result<HttpClient> {
    let options = ClientOptions::new()
        .with_allow_http(true)
        .with_timeout(Duration::from_secs(10))
        .with_connect_timeout(Duration::from_secs(5));
    Ok(ReqwestConnector::default().connect(&options)?)
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use crate::servers::tests::started;
    use crate::{Native, emulator};

    #[tokio::test]
    async fn an_emulation_is_written_to_without_the_credentials_of_the_machine() {
        let emulation = emulator::gcs().unwrap();
        let mut server = started(Native::GcsEmulation);
        let bucket = emulation.bucket();
        let base = emulation.url();
        server.url = format!("gs://{bucket}?base_url={base}&skip_signature=true&allow_http=true");
        let store = server.object_store().unwrap();
        let path = "thing".into();
        store.put(&path, "text".into()).await.unwrap();
        store.delete(&path).await.unwrap();
    }
}
