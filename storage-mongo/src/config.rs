//! [`MongoConfig`]: which database, and how it is reached.

mod demand;
mod secrets;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mongodb::options::ClientOptions;
use storage_core::{Error, Result};
use tokio::sync::OnceCell;

use self::demand::{check_database, demand};
use self::secrets::{redacted, refused};
use crate::deployment::Deployment;

/// Which database to use, and how. What the URI itself says wins over the defaults here.
///
/// Clones share what the server was found to be able to do, so that a program that opens one database often, or many on one server,
/// tries it once. A configuration made anew tries anew.
#[derive(Clone)]
#[non_exhaustive]
pub struct MongoConfig {
    uri: String,
    database: Option<String>,
    server_selection_timeout: Duration,
    connect_timeout: Duration,
    pub(crate) operation_timeout: Duration,
    max_pool_size: u32,
    min_pool_size: u32,
    max_idle_time: Option<Duration>,
    app_name: String,
    pub(crate) upload_age: Duration,
    pub(crate) deployment: Arc<OnceCell<Deployment>>,
}

impl MongoConfig {
    /// A database by its connection string: `mongodb://host:port/database` or `mongodb+srv://host/database`. The string must
    /// name the database, unless [`database`](Self::database) does.
    ///
    /// Every write waits for a majority and the journal, and reads see what a majority has; a string that asks for less
    /// (`w=1`, `journal=false`, `readPreference=secondary`, `readConcernLevel=local`) is refused when it is opened.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            database: None,
            // The driver's own default is 30 seconds, which keeps everybody waiting for the whole of an outage; elections take
            // a few seconds, and what fails here is marked as worth a retry.
            server_selection_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(30),
            // The driver's own default of 10 makes batches wait for connections.
            max_pool_size: 32,
            min_pool_size: 0,
            max_idle_time: None,
            app_name: "storage".to_owned(),
            upload_age: Duration::from_secs(24 * 60 * 60),
            deployment: Arc::default(),
        }
    }

    /// The database, instead of the one in the connection string.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// How long an operation waits for a server that can take it; 5 seconds by default. It then fails as `Unavailable`, not applied.
    #[must_use]
    pub const fn server_selection_timeout(mut self, timeout: Duration) -> Self {
        self.server_selection_timeout = timeout;
        self
    }

    /// How long opening one connection may take; 5 seconds by default.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one exchange with the server may take, waiting for a server and the driver's one repetition included; 30 seconds by
    /// default. It then fails with `Timeout`; a write is then perhaps applied. A write of a large object is many exchanges.
    #[must_use]
    pub const fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = timeout;
        self
    }

    /// The most connections to each server; 32 by default.
    #[must_use]
    pub const fn max_pool_size(mut self, connections: u32) -> Self {
        self.max_pool_size = connections;
        self
    }

    /// How many connections to each server are kept open while there is nothing to do; 0 by default.
    #[must_use]
    pub const fn min_pool_size(mut self, connections: u32) -> Self {
        self.min_pool_size = connections;
        self
    }

    /// How long a connection may rest before it is closed; by default for ever.
    #[must_use]
    pub const fn max_idle_time(mut self, time: Duration) -> Self {
        self.max_idle_time = Some(time);
        self
    }

    /// The name by which the server's log and its list of operations know this program; `storage` by default.
    #[must_use]
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = name.into();
        self
    }

    /// How long the write of a large object may rest before `sweep` takes it for one that a crash cut short; a day by default. A write
    /// that goes on says so at every quarter of this. Every program that uses the database should have the same.
    #[must_use]
    pub const fn upload_age(mut self, age: Duration) -> Self {
        self.upload_age = age;
        self
    }

    /// The driver's options, and the name of the database. Looks up the hosts of a `mongodb+srv` string.
    pub(crate) async fn resolve(&self) -> Result<(ClientOptions, String)> {
        self.check()?;
        let mut options = ClientOptions::parse(&self.uri)
            .await
            .map_err(|error| refused(&self.uri, &error))?;
        let database = self
            .database
            .clone()
            .or_else(|| options.default_database.clone())
            .ok_or_else(|| {
                Error::invalid_argument(
                    "the connection string names no database; write it behind the host, as in mongodb://localhost:27017/app",
                )
            })?;
        check_database(&database)?;
        demand(&mut options)?;
        options
            .server_selection_timeout
            .get_or_insert(self.server_selection_timeout);
        options.connect_timeout.get_or_insert(self.connect_timeout);
        options.max_pool_size.get_or_insert(self.max_pool_size);
        options.min_pool_size.get_or_insert(self.min_pool_size);
        options.max_idle_time = options.max_idle_time.or(self.max_idle_time);
        options.app_name.get_or_insert_with(|| self.app_name.clone());
        Ok((options, database))
    }

    /// Refuses what cannot be meant.
    fn check(&self) -> Result<()> {
        let timeouts = [
            ("server_selection_timeout", self.server_selection_timeout),
            ("connect_timeout", self.connect_timeout),
            ("operation_timeout", self.operation_timeout),
        ];
        if let Some((name, _)) = timeouts.iter().find(|(_, timeout)| timeout.is_zero()) {
            return Err(Error::invalid_argument(format!(
                "{name} is 0; nothing can be done in no time"
            )));
        }
        if self.max_pool_size == 0 {
            // For the driver 0 means no limit.
            return Err(Error::invalid_argument(
                "max_pool_size is 0; at least one connection has to be",
            ));
        }
        if self.min_pool_size > self.max_pool_size {
            return Err(Error::invalid_argument("min_pool_size is above max_pool_size"));
        }
        Ok(())
    }
}

impl fmt::Debug for MongoConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoConfig")
            .field("uri", &redacted(&self.uri))
            .field("database", &self.database)
            .field("server_selection_timeout", &self.server_selection_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("operation_timeout", &self.operation_timeout)
            .field("max_pool_size", &self.max_pool_size)
            .field("min_pool_size", &self.min_pool_size)
            .field("max_idle_time", &self.max_idle_time)
            .field("app_name", &self.app_name)
            .field("upload_age", &self.upload_age)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use mongodb::options::{Acknowledgment, ReadConcern};
    use storage_core::ErrorKind;

    use super::*;

    async fn resolve(uri: &str) -> Result<(ClientOptions, String)> {
        MongoConfig::new(uri).resolve().await
    }

    #[tokio::test]
    async fn the_string_wins_over_the_defaults_and_the_defaults_over_the_drivers() {
        let (options, database) =
            resolve("mongodb://a,b/app?maxPoolSize=7&connectTimeoutMS=1500&appName=mine")
                .await
                .unwrap();
        assert_eq!(database, "app");
        assert_eq!(options.max_pool_size, Some(7));
        assert_eq!(options.connect_timeout, Some(Duration::from_millis(1500)));
        assert_eq!(options.app_name.as_deref(), Some("mine"));
        assert_eq!(options.server_selection_timeout, Some(Duration::from_secs(5)));
        let concern = options.write_concern.unwrap();
        assert_eq!(
            (concern.w, concern.journal),
            (Some(Acknowledgment::Majority), Some(true))
        );
        assert_eq!(options.read_concern, Some(ReadConcern::majority()));
        let (_, database) = MongoConfig::new("mongodb://a/app")
            .database("other")
            .resolve()
            .await
            .unwrap();
        assert_eq!(database, "other");
    }

    #[tokio::test]
    async fn what_would_weaken_the_promises_or_cannot_be_meant_is_refused() {
        for (uri, kind, says) in [
            ("mongodb://a", ErrorKind::InvalidArgument, "names no database"),
            ("mongodb://a/app?w=1", ErrorKind::InvalidArgument, "majority"),
            ("mongodb://a/app?w=0", ErrorKind::InvalidArgument, ""),
            (
                "mongodb://a/app?journal=false",
                ErrorKind::InvalidArgument,
                "journal",
            ),
            (
                "mongodb://a/app?readPreference=secondary",
                ErrorKind::InvalidArgument,
                "primary",
            ),
            (
                "mongodb://a/app?readConcernLevel=local",
                ErrorKind::InvalidArgument,
                "readConcernLevel",
            ),
            ("mongodb://a/admin", ErrorKind::InvalidName, "admin"),
            ("mongodb://a/a.b", ErrorKind::InvalidName, "a.b"),
            ("sqlite://a/app", ErrorKind::InvalidArgument, ""),
            (
                "mongodb://a/app?nonsense=1",
                ErrorKind::InvalidArgument,
                "nonsense",
            ),
        ] {
            let error = resolve(uri).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{uri}: {error}");
            assert!(error.to_string().contains(says), "{uri}: {error}");
        }
        for config in [
            MongoConfig::new("mongodb://a/app").operation_timeout(Duration::ZERO),
            MongoConfig::new("mongodb://a/app").max_pool_size(0),
            MongoConfig::new("mongodb://a/app")
                .max_pool_size(2)
                .min_pool_size(3),
        ] {
            assert_eq!(
                config.resolve().await.unwrap_err().kind(),
                ErrorKind::InvalidArgument
            );
        }
    }

    #[tokio::test]
    async fn secrets_are_never_shown() {
        for uri in [
            "mongodb://ada:s3cret@a/app",
            "mongodb://ada:s3cret@a/",
            "mongodb://ada:s3:cret@a/app",
            "mongodb://ada:s3cret@a:port/app",
            "mongodb://ada:%s3cret@a/app",
            "mongodb://a/app?tlsCertificateKeyFilePassword=s3cret&nonsense=s3cret",
            "mongodb://a/app?authMechanismProperties=AWS_SESSION_TOKEN:s3cret",
            "ada:s3cret@a",
        ] {
            let config = MongoConfig::new(uri);
            let mut shown = format!("{config:?}");
            if let Err(error) = config.resolve().await {
                shown.push_str(&format!("{error} {error:?}"));
            }
            assert!(!shown.contains("cret"), "{uri}: {shown}");
        }
    }
}
