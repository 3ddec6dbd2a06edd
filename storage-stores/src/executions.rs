//! Programs, the running state of their executions, and what they printed: for interpreters, agents and workflow runners that must
//! survive a restart.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> storage_core::Result<()> {
//! # let storage = storage_core::Storage::new(storage_core::Memory::new());
//! use storage_core::bson::bson;
//! use storage_stores::executions::{Execution, ExecutionState, ExecutionStorage, Program};
//!
//! let source = r#"function main() { return CC("Say hello"); }"#;
//! let program = Program::new("hello-world", "Hello World", source, bson!([{ "op": "CC" }]));
//! storage.save_program(&program).await?;
//!
//! let mut execution = Execution::new("exec-123", "hello-world");
//! execution.state = ExecutionState::Running;
//! storage.save_execution(&execution).await?;
//! storage.append_output("exec-123", ["Starting execution..."]).await?;
//! storage.set_current_execution_id(Some("exec-123")).await?;
//!
//! // After a restart:
//! let id = storage.current_execution_id().await?.expect("it was set");
//! assert_eq!(storage.get_execution(&id).await?, Some(execution));
//! assert_eq!(storage.get_output(&id).await?, ["Starting execution..."]);
//! # Ok(()) }
//! ```
//!
//! [`ExecutionStorage`] puts these methods on every [`Storage`](storage_core::Storage); [`Executions`] is the same with
//! [options](ExecutionOptions).
//!
//! # What is stored
//!
//! | where | what |
//! |---|---|
//! | collection `programs` | a document per program, under its id |
//! | collection `executions` | a document per execution, under its id; indexes `by_state`, `by_program` and `by_created` once somebody lists that way |
//! | collection `metadata`, document `current` | `currentExecutionId` |
//! | log `outputs/<id>` | one entry per line an execution printed, byte for byte |
//! | lease `executions/<id>` | who runs it |
//!
//! Documents have the names of fields that JavaScript gives them (`programId`, `returnValue`, …), times are dates, and fields this
//! library does not know are kept. Every save replaces a document whole and atomically.
//!
//! Ids are data: `../../evil` and `a/b` name executions like any other. They may be as long as documents, logs and leases of the
//! backend all allow, and longer ones are `LimitExceeded` before anything happens.

mod current;
mod delete;
mod execution;
mod extension;
mod fields;
mod fork;
mod list;
mod options;
mod output;
mod program;
mod retention;
mod save;
mod state;
mod store;

/// The fields of its documents that this store searches for. A layer that seals documents leaves them readable: see
/// `storage_layers::Fields::plain`.
pub const SEARCHED_FIELDS: &[&str] = &["created", "programId", "state"];

pub use self::execution::Execution;
pub use self::extension::ExecutionStorage;
pub use self::list::{ExecutionPage, ExecutionQuery, Listing};
pub use self::options::ExecutionOptions;
pub use self::output::{FollowOutput, OutputLine, OutputPage};
pub use self::program::Program;
pub use self::retention::{RetentionPolicy, RetentionReport};
pub use self::state::ExecutionState;
pub use self::store::Executions;
