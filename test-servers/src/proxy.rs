//! Proxies that do to requests what networks and servers do on bad days.
//!
//! A proxy stands between a client and a server and passes everything on, until a fault is injected for the requests that are
//! selected. It works by requests, not by bytes, so that "the answer to this write is lost, but the write was done" can be said.
//!
//! ```
//! use test_servers::emulator::{self, S3Mode};
//! use test_servers::proxy::{Http, HttpFault, Requests};
//!
//! let server = emulator::s3(S3Mode::Honest)?;
//! let proxy = Http::to(&server.url())?;
//! let lost = proxy.once(Requests::all().method("PUT").path("/key"), HttpFault::Drop { applied: true });
//! // … a client puts `key` at proxy.url() …
//! assert_eq!(lost.fired(), 0);
//! # Ok::<(), test_servers::Error>(())
//! ```

mod door;
mod http;
mod message;
mod mongo;
mod plan;

pub use self::http::{Http, HttpFault, Requests};
pub use self::mongo::{Commands, Mongo, MongoFault};
pub use self::plan::Injected;
