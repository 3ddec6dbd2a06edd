//! Any [`opendal::Operator`] as a backend: Dropbox, Google Drive, OneDrive, WebDAV, SFTP and whatever else OpenDAL speaks to.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! use storage_core::{Overlay, Storage};
//! use storage_opendal::{OpenDal, OpenDalConfig};
//!
//! let operator = opendal::Operator::new(opendal::services::Memory::default()).expect("it needs nothing").finish();
//! let backend = OpenDal::open(OpenDalConfig::new(operator)).await?;
//! let storage = Storage::new(Overlay::new(backend));
//! storage.objects().write("notes/a.txt", "hello").await?;
//! assert_eq!(storage.objects().read("notes/a.txt").await?.as_deref(), Some(&b"hello"[..]));
//! # Ok(()) }
//! ```
//!
//! It is a crate of its own, beside `storage-cloud`, because it shares nothing with it: another client, other services, another tree of
//! dependencies. For S3, Google Cloud Storage and Azure take `storage-cloud`, which has documents and logs there.
//!
//! # What there is
//! Objects: whole and streamed writes, reads, lists. No service behind OpenDAL says in a way common to all which state of an object an answer
//! is about, so versions are hashes of contents, which are read to know them: a range, a stat and a listing with facts cost reading the
//! objects whole. There is no compare-and-swap, and so no documents and no logs; a replica of a store of volumes needs neither. Creating an
//! object only where none is is declared where eight writers who race are found to have one winner.
//!
//! # What is refused
//! An operator whose writes show before they are finished, such as OpenDAL's `fs` without `atomic_write_dir`: a crash would leave half an
//! object. That is tried when it is opened.
//!
//! # Names
//! A key is a path below the operator's root, as a person would write it, except that what not every service takes is escaped as `%xx`,
//! capital letters among it, because many services take `A` and `a` for one name. A file without a dot, and a directory with one, get a
//! trailing `%`, so that `a` can stand beside `a/b`. What has another name is nobody's: it is not listed and never touched.
//!
//! # Crashes
//! What a crash leaves of a streamed write is the service's to clean up, such as files in `atomic_write_dir`.

mod backend;
mod config;
mod error;
mod layout;
mod list;
mod probe;
mod writer;

pub use opendal;

pub use self::backend::OpenDal;
pub use self::config::OpenDalConfig;
