//! Another process of a test: the same test binary, told by its environment what to do, and where.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a process was started for.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) backend: String,
    pub(crate) directory: PathBuf,
}

/// Starts this binary again, to run `processes::the_other_process` for this task, which the variable holds.
pub(crate) fn spawn(variable: &str, backend: &str, directory: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::the_other_process", "--nocapture"])
        .env(variable, format!("{name}\n{backend}\n{}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What this process was started for; `None` where it runs the tests themselves.
pub(crate) fn of_this_process(variable: &str) -> Option<Task> {
    let task = std::env::var(variable).ok()?;
    let mut lines = task.splitn(3, '\n').map(str::to_owned);
    Some(Task {
        name: lines.next()?,
        backend: lines.next()?,
        directory: lines.next()?.into(),
    })
}
