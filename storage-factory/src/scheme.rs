//! [`Scheme`]: what the beginning of a URL selects, and the schemes of this library.

#[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
mod cloud;
#[cfg(feature = "fs")]
mod fs;
mod known;
mod memory;
#[cfg(feature = "mongo")]
mod mongo;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use storage_core::{Result, StorageAdapter};

pub(crate) use self::known::missing;
use crate::option::{Address, UrlOption};
use crate::url::StorageUrl;

type Open = dyn Fn(Address) -> BoxFuture<'static, Result<Arc<dyn StorageAdapter>>> + Send + Sync;

/// One way to open a storage: the names that select it, what its URLs look like, and the function that opens them.
#[derive(Clone)]
pub struct Scheme {
    names: Vec<String>,
    backend: String,
    place: Place,
    options: Vec<UrlOption>,
    other_options: Option<&'static str>,
    open: Arc<Open>,
}

/// What stands behind the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// Anything; the scheme itself decides.
    Any,
    /// A bucket or container, and a prefix in it.
    Bucket,
    /// A database on a server.
    Database,
    /// The path of a directory on this machine.
    Directory,
    /// The path of a file on this machine.
    File,
    /// Nothing: there is only one place.
    Nothing,
}

impl Scheme {
    /// A scheme that takes any path and no options.
    pub fn new<F, Opening, A>(name: impl Into<String>, open: F) -> Self
    where
        F: Fn(Address) -> Opening + Send + Sync + 'static,
        Opening: Future<Output = Result<A>> + Send + 'static,
        A: StorageAdapter,
    {
        let name = name.into().to_ascii_lowercase();
        let open: Arc<Open> = Arc::new(move |address| {
            let opening = open(address);
            Box::pin(async move {
                let adapter: Arc<dyn StorageAdapter> = Arc::new(opening.await?);
                Ok(adapter)
            })
        });
        Self {
            backend: name.clone(),
            names: vec![name],
            place: Place::Any,
            options: Vec::new(),
            other_options: None,
            open,
        }
    }

    /// Another name for the same.
    #[must_use]
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into().to_ascii_lowercase());
        self
    }

    /// What its URLs must name; anything by default.
    #[must_use]
    pub const fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The options its URLs may have. Any other is refused.
    #[must_use]
    pub fn options(mut self, options: impl IntoIterator<Item = UrlOption>) -> Self {
        self.options = options.into_iter().collect();
        self
    }

    /// Options that are not in the table go to a driver, which knows them: whose they are, such as `MongoDB's`.
    #[must_use]
    pub const fn other_options(mut self, whose: &'static str) -> Self {
        self.other_options = Some(whose);
        self
    }

    /// Its names, the usual one first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Its usual name.
    pub fn name(&self) -> &str {
        &self.backend
    }

    /// What its URLs must name.
    pub const fn place_kind(&self) -> Place {
        self.place
    }

    /// The options its URLs may have.
    pub fn option_table(&self) -> &[UrlOption] {
        &self.options
    }

    /// Whose the options are that are not in the table; `None` where any other is refused.
    pub const fn other_options_of(&self) -> Option<&'static str> {
        self.other_options
    }

    /// A URL as one writes it, such as `fs:./data`.
    pub fn example(&self) -> String {
        let name = &self.backend;
        match self.place {
            Place::Any => format!("{name}://…"),
            Place::Bucket => format!("{name}://bucket/prefix"),
            Place::Database => format!("{name}://host/database"),
            Place::Directory => format!("{name}:./data"),
            Place::File => format!("{name}:./app.db"),
            Place::Nothing => format!("{name}:"),
        }
    }

    /// Opens a URL of this scheme.
    pub(crate) async fn open(&self, url: StorageUrl) -> Result<Arc<dyn StorageAdapter>> {
        let address = Address::read(url, &self.options, self.other_options)?;
        self.check_place(&address)?;
        let shown = address.url().to_string();
        (self.open)(address)
            .await
            .map_err(|error| error.with_backend(self.backend.clone()).with_key(shown))
    }

    fn check_place(&self, address: &Address) -> Result<()> {
        let (url, path) = (address.url(), address.path());
        let name = &self.backend;
        match (self.place, url.authority()) {
            (Place::Any, _) => return Ok(()),
            (Place::Bucket, Some(bucket)) if bucket.contains(['@', ':']) => {
                return Err(address.refuse(
                    "a bucket has neither user nor port; credentials are read from the environment",
                ));
            }
            (Place::Bucket | Place::Database, None) => {
                return Err(address.refuse(&format!(
                    "it names no {}, as in {}",
                    self.noun(),
                    self.example()
                )));
            }
            (Place::Bucket | Place::Database, Some(_)) | (_, None) => {}
            (Place::Nothing, Some(_)) => {
                return Err(address.refuse(&format!("nothing comes after {name}:")));
            }
            (_, Some(_)) => {
                return Err(address.refuse(&format!(
                    "it names a host; a path is written {name}:relative/path or {name}:///absolute/path"
                )));
            }
        }
        match self.place {
            Place::Database if path.trim_start_matches('/').is_empty() => {
                Err(address.refuse(&format!("it names no database, as in {}", self.example())))
            }
            Place::Directory if path.is_empty() => {
                Err(address.refuse(&format!("it names no directory, as in {}", self.example())))
            }
            Place::File if path.is_empty() => {
                Err(address.refuse(&format!("it names no file, as in {}", self.example())))
            }
            Place::File if path.ends_with('/') => {
                Err(address.refuse("it names a directory where a file is needed"))
            }
            Place::Nothing if !path.is_empty() => {
                Err(address.refuse("nothing comes after the scheme but options"))
            }
            _ => Ok(()),
        }
    }
}

impl Scheme {
    /// What must stand behind `//`.
    const fn noun(&self) -> &'static str {
        match self.place {
            Place::Bucket => "bucket",
            _ => "host",
        }
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheme")
            .field("names", &self.names)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Every scheme whose feature is on.
pub(crate) fn compiled() -> Vec<Scheme> {
    vec![
        #[cfg(feature = "azure")]
        cloud::azure::scheme(),
        #[cfg(feature = "fs")]
        fs::scheme(),
        #[cfg(feature = "gcs")]
        cloud::gcs::scheme(),
        memory::scheme(),
        #[cfg(feature = "mongo")]
        mongo::scheme(),
        #[cfg(feature = "s3")]
        cloud::s3::scheme(),
        #[cfg(feature = "sqlite")]
        sqlite::scheme(),
    ]
}
