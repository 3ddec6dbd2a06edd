//! Object stores in memory that speak XML over HTTP: an emulation of Google Cloud Storage, and of S3 with and without care.
//!
//! No registry has a server for the dialect in which clients speak to Google Cloud Storage, and no honest server can show what
//! happens on a careless one. Nobody is asked for credentials, and everything is gone with the server.
//!
//! ```
//! use test_servers::emulator::{self, S3Mode};
//!
//! let server = emulator::s3(S3Mode::IgnoresConditions)?;
//! assert!(server.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(server.bucket(), "storage-test");
//! # Ok::<(), std::io::Error>(())
//! ```

mod answer;
mod dialect;
mod listing;
mod objects;
mod reading;
mod request;
mod service;
mod writing;

use std::io;
use std::str::FromStr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use self::dialect::Dialect;
use self::objects::Objects;
use crate::background::Background;

/// The bucket every emulator begins with.
const BUCKET: &str = "storage-test";

/// How an emulation of S3 treats the conditions of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum S3Mode {
    /// As S3 does: checked and written in one step.
    Honest,
    /// Answers 200 whatever stands there, as servers do that do not know the headers.
    IgnoresConditions,
    /// Checks, waits a tenth of a second, and then writes: right for one client, wrong for two.
    Races,
}

impl S3Mode {
    /// `honest`, `ignores-conditions` or `races`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::IgnoresConditions => "ignores-conditions",
            Self::Races => "races",
        }
    }
}

impl FromStr for S3Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Honest, Self::IgnoresConditions, Self::Races]
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| format!("`{name}` is none of honest, ignores-conditions and races"))
    }
}

/// An S3 on a free port.
///
/// # Errors
/// No thread, or no port.
pub fn s3(mode: S3Mode) -> io::Result<Running> {
    s3_on(mode, 0)
}

/// An S3 on a port of the loopback interface; 0 is any.
///
/// # Errors
/// No thread, or the port is taken.
pub fn s3_on(mode: S3Mode, port: u16) -> io::Result<Running> {
    Running::start(Dialect::S3(mode), port)
}

/// A Google Cloud Storage on a free port.
///
/// # Errors
/// No thread, or no port.
pub fn gcs() -> io::Result<Running> {
    gcs_on(0)
}

/// A Google Cloud Storage on a port of the loopback interface; 0 is any.
///
/// # Errors
/// No thread, or the port is taken.
pub fn gcs_on(port: u16) -> io::Result<Running> {
    Running::start(Dialect::Gcs, port)
}

/// An emulator at work; ended when dropped.
#[derive(Debug)]
pub struct Running {
    dialect: Dialect,
    background: Background,
}

impl Running {
    fn start(dialect: Dialect, port: u16) -> io::Result<Self> {
        let objects = Arc::new(Objects::with_bucket(BUCKET));
        let background = Background::start(dialect.label(), port, move |listener| {
            serve(listener, dialect, objects)
        })?;
        Ok(Self { dialect, background })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end: the endpoint, or the base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.background.address())
    }

    /// The bucket that is there from the start; more are made by `PUT /BUCKET`.
    pub const fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// What it calls itself in the header `Server`.
    pub const fn label(&self) -> &'static str {
        self.dialect.label()
    }

    /// The service account key with which a client of Google Cloud Storage comes here and asks nobody for a token.
    pub fn service_account_key(&self) -> String {
        serde_json::json!({
            "gcs_base_url": self.url(),
            "disable_oauth": true,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        })
        .to_string()
    }

    /// Serves until the process is ended.
    pub fn wait(self) {
        self.background.wait();
    }
}

/// Accepts connections for ever.
async fn serve(listener: TcpListener, dialect: Dialect, objects: Arc<Objects>) {
    loop {
        // A connection that failed before it was accepted is its client's affair.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let objects = Arc::clone(&objects);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let objects = Arc::clone(&objects);
                async move { service::answer(dialect, &objects, request).await }
            });
            // A client that goes away in the middle is no failure of the server.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
