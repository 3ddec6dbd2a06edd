//! Several processes on one place: two that hammer it at once, one that is killed at random moments, and three, one of them killed,
//! whose history must have an order.
//!
//! A lane is a plain `#[test]` that starts its own test program again as child processes, so a backend needs only a function that
//! opens a directory:
//!
//! ```no_run
//! use conformance_tests::processes::Lane;
//! # use std::sync::Arc;
//! # fn open(directory: std::path::PathBuf) -> conformance_tests::processes::Opening { unimplemented!() }
//!
//! #[test]
//! fn two_processes_lose_no_update() {
//!     Lane::new("two_processes_lose_no_update", open).hammer(500);
//! }
//!
//! #[test]
//! fn kill_9_loses_nothing_acknowledged() {
//!     Lane::new("kill_9_loses_nothing_acknowledged", open).kill(300);
//! }
//!
//! #[test]
//! fn what_three_processes_did_has_an_order() {
//!     Lane::new("what_three_processes_did_has_an_order", open).histories(20);
//! }
//! ```
//!
//! A program with arguments of its own, such as a command, is started again by [`Lane::command`].

#![allow(clippy::expect_used, reason = "a test that cannot go on panics")]

mod crash;
mod hammer;
mod histories;
mod kill;
mod work;

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{self, Command, Stdio};
use std::sync::Arc;

use storage_core::{Result, Storage, StorageAdapter};

pub(crate) use self::crash::Moment;

/// An adapter being opened on a directory.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn StorageAdapter>>> + Send>>;

/// Says to a child where it is to work: a number and the directory, one a line.
const CHILD: &str = "CONFORMANCE_CHILD";

/// Says to a child which lane it is part of, and how often it goes round.
const WORK: &str = "CONFORMANCE_LANE";
const ROUNDS: &str = "CONFORMANCE_ROUNDS";

/// One test that runs in several processes.
#[derive(Clone)]
pub struct Lane {
    child: Child,
    open: Arc<dyn Fn(PathBuf) -> Opening + Send + Sync>,
    within: Option<PathBuf>,
    work: Work,
    rounds: u64,
}

/// How this program is started again.
#[derive(Debug, Clone)]
enum Child {
    /// As a test program, with the name of the test.
    Test(&'static str),
    /// With these arguments.
    Command(Vec<String>),
}

/// What the processes of a lane do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Crash,
    Hammer,
    Histories,
    Kill,
}

impl Work {
    const ALL: [Self; 4] = [Self::Crash, Self::Hammer, Self::Histories, Self::Kill];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Hammer => "hammer",
            Self::Histories => "histories",
            Self::Kill => "kill",
        }
    }
}

/// What a child was started for.
struct Role {
    directory: PathBuf,
    number: u64,
}

impl Lane {
    /// The lane of the test of this name, with its modules, which a child runs again; `open` opens a directory.
    pub fn new(test: &'static str, open: impl Fn(PathBuf) -> Opening + Send + Sync + 'static) -> Self {
        Self::of(Child::Test(test), open)
    }

    /// The lane of a program that is no test: started again with these arguments, it calls [`child`](Self::child), on a thread that
    /// may block and with a standard output to which nothing else is written.
    pub fn command(
        arguments: impl IntoIterator<Item = impl Into<String>>,
        open: impl Fn(PathBuf) -> Opening + Send + Sync + 'static,
    ) -> Self {
        Self::of(
            Child::Command(arguments.into_iter().map(Into::into).collect()),
            open,
        )
    }

    /// Makes its directories in this one, to try the disk that is there, and not where the system has temporary files.
    #[must_use]
    pub fn within(mut self, directory: impl Into<PathBuf>) -> Self {
        self.within = Some(directory.into());
        self
    }

    fn of(child: Child, open: impl Fn(PathBuf) -> Opening + Send + Sync + 'static) -> Self {
        Self {
            child,
            open: Arc::new(open),
            within: None,
            work: Work::Kill,
            rounds: 0,
        }
    }

    /// What a process does that a case of the suite started; in every other process it does nothing. The test that calls it is
    /// ignored unless asked for, and given to the suite by [`Harness::lane`](crate::Harness::lane):
    ///
    /// ```no_run
    /// # use conformance_tests::processes::{Lane, Opening};
    /// # fn open(directory: std::path::PathBuf) -> Opening { unimplemented!() }
    /// fn lane() -> Lane {
    ///     Lane::new("child_of_the_suite", open)
    /// }
    ///
    /// #[test]
    /// #[ignore = "a case of the suite starts it"]
    /// fn child_of_the_suite() {
    ///     lane().child();
    /// }
    /// ```
    pub fn child(self) {
        let work = std::env::var(WORK).ok();
        let work = Work::ALL
            .into_iter()
            .find(|known| work.as_deref() == Some(known.as_str()));
        match work {
            Some(Work::Crash) => self.die(),
            Some(Work::Hammer) => self.hammer(0),
            Some(Work::Histories) => self.histories(0),
            Some(Work::Kill) => self.kill(0),
            None => {}
        }
    }

    /// How many rounds there are, unless `CONFORMANCE_ROUNDS` says otherwise.
    fn rounds(usual: u64) -> u64 {
        std::env::var(ROUNDS)
            .ok()
            .and_then(|rounds| rounds.parse().ok())
            .unwrap_or(usual)
    }

    /// What it is called in what is printed, and in the names of its directories.
    pub(crate) fn name(&self) -> &str {
        match &self.child {
            Child::Test(test) => test,
            Child::Command(_) => "conformance-processes",
        }
    }

    /// An empty directory nobody has, which is removed when it is dropped.
    pub(crate) fn fresh_directory(&self) -> tempfile::TempDir {
        let prefix = format!("{}-", self.name());
        let mut directory = tempfile::Builder::new();
        let made = match &self.within {
            Some(within) => directory.prefix(&prefix).tempdir_in(within),
            None => directory.prefix(&prefix).tempdir(),
        };
        made.expect("a temporary directory")
    }

    /// # Errors
    /// What opening says.
    pub(crate) async fn adapter(&self, directory: &Path) -> Result<Arc<dyn StorageAdapter>> {
        (self.open)(directory.to_owned()).await
    }

    async fn open(&self, directory: &Path) -> Result<Storage> {
        Ok(Storage::from_arc(self.adapter(directory).await?))
    }

    fn spawn(&self, directory: &Path, number: u64) -> std::io::Result<process::Child> {
        self.command_of(directory, number)?.spawn()
    }

    fn command_of(&self, directory: &Path, number: u64) -> std::io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        match &self.child {
            Child::Test(test) => command.args([
                test,
                "--exact",
                "--include-ignored",
                "--nocapture",
                "--test-threads=1",
            ]),
            Child::Command(arguments) => command.args(arguments),
        };
        command
            .env(WORK, self.work.as_str())
            .env(ROUNDS, self.rounds.to_string())
            .env(CHILD, format!("{number}\n{}", directory.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Ok(command)
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("child", &self.child)
            .finish_non_exhaustive()
    }
}

impl Role {
    /// The role of this process, if it is a child.
    fn of_this_process() -> Option<Self> {
        let text = std::env::var(CHILD).ok()?;
        let (number, directory) = text.split_once('\n')?;
        Some(Self {
            directory: directory.into(),
            number: number.parse().ok()?,
        })
    }
}

/// Says one line to the parent, whole, before anything else happens. When nobody listens any more the parent is gone, and so is the work.
fn say(what: &str) {
    let line = format!("@{what}\n");
    let mut out = std::io::stdout();
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// What a child says, a line each, until it has ended. The test program's own words may stand before the first of ours on a line.
fn said_by(child: &mut process::Child) -> impl Iterator<Item = String> + Send + use<> {
    let output = BufReader::new(child.stdout.take().expect("its output"));
    output.lines().filter_map(|line| {
        let line = line.expect("lines of text");
        line.find('@').map(|at| line[at + 1..].to_owned())
    })
}

fn block_on<R>(work: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}
