//! [`ExecutionStorage`]: the store on every [`Storage`].

use std::time::Duration;

use storage_core::{Appended, Fence, LeaseRequest, Result, Storage, Version};

use super::execution::Execution;
use super::list::{ExecutionPage, ExecutionQuery, Listing};
use super::options::ExecutionOptions;
use super::output::{FollowOutput, OutputPage, entries};
use super::program::Program;
use super::retention::{RetentionPolicy, RetentionReport};
use super::store::Executions;

/// Programs, executions and their output, on every [`Storage`] at once. Each method is that of [`Executions`] with the default
/// options; errors are described there.
pub trait ExecutionStorage {
    /// The store with these options.
    fn executions_with(&self, options: ExecutionOptions) -> Executions;

    /// The store with the default options.
    fn executions(&self) -> Executions {
        self.executions_with(ExecutionOptions::new())
    }

    /// A request for the lease of an execution, so that one runner at a time works on it.
    fn execution_lease(&self, id: &str, ttl: Duration) -> LeaseRequest;

    /// Every line of output from a number on, each once, waiting for more until the output is closed.
    fn follow_output(&self, id: &str, from: u64) -> FollowOutput;

    /// Saves a program whole, replacing what was there, and gives its version.
    ///
    /// # Errors
    /// As [`Executions::save_program`].
    fn save_program(&self, program: &Program) -> impl Future<Output = Result<Version>> + Send;

    /// A program; `None` when there is none.
    ///
    /// # Errors
    /// As [`Executions::get_program`].
    fn get_program(&self, id: &str) -> impl Future<Output = Result<Option<Program>>> + Send;

    /// Every program, in the UTF-8 byte order of ids.
    ///
    /// # Errors
    /// As [`Executions::list_programs`].
    fn list_programs(&self) -> impl Future<Output = Result<Listing<Program>>> + Send;

    /// Deletes a program; `true` if it was there. Its executions stay.
    ///
    /// # Errors
    /// As [`Executions::delete_program`].
    fn delete_program(&self, id: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Saves an execution whole, replacing what was there, and gives its version.
    ///
    /// # Errors
    /// As [`Executions::save_execution`].
    fn save_execution(&self, execution: &Execution) -> impl Future<Output = Result<Version>> + Send;

    /// Saves a new execution; `AlreadyExists` where there is one.
    ///
    /// # Errors
    /// As [`Executions::create_execution`].
    fn create_execution(&self, execution: &Execution) -> impl Future<Output = Result<Version>> + Send;

    /// Saves an execution if what is stored still has this version, so that two runners cannot overwrite each other.
    ///
    /// # Errors
    /// As [`Executions::save_execution_if`].
    fn save_execution_if(
        &self,
        execution: &Execution,
        version: Version,
    ) -> impl Future<Output = Result<Version>> + Send;

    /// Saves an execution while the lease is still the one this fence is from.
    ///
    /// # Errors
    /// As [`Executions::save_execution_fenced`].
    fn save_execution_fenced(
        &self,
        execution: &Execution,
        fence: Fence,
    ) -> impl Future<Output = Result<Version>> + Send;

    /// An execution; `None` when there is none.
    ///
    /// # Errors
    /// As [`Executions::get_execution`].
    fn get_execution(&self, id: &str) -> impl Future<Output = Result<Option<Execution>>> + Send;

    /// An execution and its version, for [`save_execution_if`](Self::save_execution_if).
    ///
    /// # Errors
    /// As [`Executions::get_execution_with_version`].
    fn get_execution_with_version(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<(Execution, Version)>>> + Send;

    /// Every execution, in the UTF-8 byte order of ids.
    ///
    /// # Errors
    /// As [`Executions::list_executions`].
    fn list_executions(&self) -> impl Future<Output = Result<Listing<Execution>>> + Send;

    /// One page of executions, filtered by state and program, in the order of creation.
    ///
    /// # Errors
    /// As [`Executions::list_executions_page`].
    fn list_executions_page(
        &self,
        query: ExecutionQuery,
    ) -> impl Future<Output = Result<ExecutionPage>> + Send;

    /// Deletes an execution with its output, and clears the current execution if it is this one. Call it again after a crash.
    ///
    /// # Errors
    /// As [`Executions::delete_execution`].
    fn delete_execution(&self, id: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Appends lines to the output of an execution, all or none.
    ///
    /// # Errors
    /// As [`Executions::append_output`].
    fn append_output<L: AsRef<str>>(
        &self,
        id: &str,
        lines: impl IntoIterator<Item = L>,
    ) -> impl Future<Output = Result<Appended>> + Send;

    /// Appends lines so that the first gets the number `expected`; repeating it adds nothing.
    ///
    /// # Errors
    /// As [`Executions::append_output_at`].
    fn append_output_at<L: AsRef<str>>(
        &self,
        id: &str,
        expected: u64,
        lines: impl IntoIterator<Item = L>,
    ) -> impl Future<Output = Result<Appended>> + Send;

    /// Everything an execution printed.
    ///
    /// # Errors
    /// As [`Executions::get_output`].
    fn get_output(&self, id: &str) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Some lines of output from a number on.
    ///
    /// # Errors
    /// As [`Executions::read_output`].
    fn read_output(
        &self,
        id: &str,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<OutputPage>> + Send;

    /// Closes the output of an execution: nothing can be appended from now on, and who follows it comes to an end.
    ///
    /// # Errors
    /// As [`Executions::close_output`].
    fn close_output(&self, id: &str) -> impl Future<Output = Result<()>> + Send;

    /// The id of the current execution.
    ///
    /// # Errors
    /// As [`Executions::current_execution_id`].
    fn current_execution_id(&self) -> impl Future<Output = Result<Option<String>>> + Send;

    /// Sets or clears the current execution. Whether it exists is not checked.
    ///
    /// # Errors
    /// As [`Executions::set_current_execution_id`].
    fn set_current_execution_id(&self, id: Option<&str>) -> impl Future<Output = Result<()>> + Send;

    /// Makes an execution that is a copy of another, with the first `up_to_sequence` lines of its output.
    ///
    /// # Errors
    /// As [`Executions::fork_execution`].
    fn fork_execution(
        &self,
        from: &str,
        to: &str,
        up_to_sequence: u64,
    ) -> impl Future<Output = Result<Execution>> + Send;

    /// Removes the finished executions that no rule of the policy keeps, whole.
    ///
    /// # Errors
    /// As [`Executions::retain_executions`].
    fn retain_executions(
        &self,
        policy: RetentionPolicy,
    ) -> impl Future<Output = Result<RetentionReport>> + Send;
}

impl ExecutionStorage for Storage {
    fn executions_with(&self, options: ExecutionOptions) -> Executions {
        Executions::new(self.clone(), options)
    }

    fn execution_lease(&self, id: &str, ttl: Duration) -> LeaseRequest {
        self.executions().execution_lease(id, ttl)
    }

    fn follow_output(&self, id: &str, from: u64) -> FollowOutput {
        self.executions().follow_output(id, from)
    }

    async fn save_program(&self, program: &Program) -> Result<Version> {
        self.executions().save_program(program).await
    }

    async fn get_program(&self, id: &str) -> Result<Option<Program>> {
        self.executions().get_program(id).await
    }

    async fn list_programs(&self) -> Result<Listing<Program>> {
        self.executions().list_programs().await
    }

    async fn delete_program(&self, id: &str) -> Result<bool> {
        self.executions().delete_program(id).await
    }

    async fn save_execution(&self, execution: &Execution) -> Result<Version> {
        self.executions().save_execution(execution).await
    }

    async fn create_execution(&self, execution: &Execution) -> Result<Version> {
        self.executions().create_execution(execution).await
    }

    async fn save_execution_if(&self, execution: &Execution, version: Version) -> Result<Version> {
        self.executions().save_execution_if(execution, version).await
    }

    async fn save_execution_fenced(&self, execution: &Execution, fence: Fence) -> Result<Version> {
        self.executions().save_execution_fenced(execution, fence).await
    }

    async fn get_execution(&self, id: &str) -> Result<Option<Execution>> {
        self.executions().get_execution(id).await
    }

    async fn get_execution_with_version(&self, id: &str) -> Result<Option<(Execution, Version)>> {
        self.executions().get_execution_with_version(id).await
    }

    async fn list_executions(&self) -> Result<Listing<Execution>> {
        self.executions().list_executions().await
    }

    async fn list_executions_page(&self, query: ExecutionQuery) -> Result<ExecutionPage> {
        self.executions().list_executions_page(query).await
    }

    async fn delete_execution(&self, id: &str) -> Result<bool> {
        self.executions().delete_execution(id).await
    }

    fn append_output<L: AsRef<str>>(
        &self,
        id: &str,
        lines: impl IntoIterator<Item = L>,
    ) -> impl Future<Output = Result<Appended>> + Send {
        // Collected here, so that the iterator need not be `Send`.
        let lines = entries(lines);
        let executions = self.executions();
        async move { executions.append(id, None, lines).await }
    }

    fn append_output_at<L: AsRef<str>>(
        &self,
        id: &str,
        expected: u64,
        lines: impl IntoIterator<Item = L>,
    ) -> impl Future<Output = Result<Appended>> + Send {
        // Collected here, so that the iterator need not be `Send`.
        let lines = entries(lines);
        let executions = self.executions();
        async move { executions.append(id, Some(expected), lines).await }
    }

    async fn get_output(&self, id: &str) -> Result<Vec<String>> {
        self.executions().get_output(id).await
    }

    async fn read_output(&self, id: &str, from: u64, limit: usize) -> Result<OutputPage> {
        self.executions().read_output(id, from, limit).await
    }

    async fn close_output(&self, id: &str) -> Result<()> {
        self.executions().close_output(id).await
    }

    async fn current_execution_id(&self) -> Result<Option<String>> {
        self.executions().current_execution_id().await
    }

    async fn set_current_execution_id(&self, id: Option<&str>) -> Result<()> {
        self.executions().set_current_execution_id(id).await
    }

    async fn fork_execution(&self, from: &str, to: &str, up_to_sequence: u64) -> Result<Execution> {
        self.executions().fork_execution(from, to, up_to_sequence).await
    }

    async fn retain_executions(&self, policy: RetentionPolicy) -> Result<RetentionReport> {
        self.executions().retain_executions(policy).await
    }
}
