//! One operation in a process that is killed while it is under way, or once it was answered.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Lane, Role, Work, block_on, said_by, say};
use crate::case::Failure;
use crate::model::Doomed;

/// Says to a child what to do before it dies.
const DOOMED: &str = "CONFORMANCE_DOOMED";

/// How often a child that has nothing left to do looks whether there still is a parent to kill it.
const LOOKS: Duration = Duration::from_millis(50);

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Moment {
    /// Once it has its answer.
    Answered,
    /// So long after it began, whether it has its answer by then or not.
    Microseconds(u64),
}

impl Lane {
    /// Lets a process do this in a directory, kills it and gives its answer, if it came to have one. It waits, so it has a thread of
    /// its own.
    ///
    /// # Errors
    /// When the process ends by itself, or what it says makes no sense.
    pub(crate) fn crash<R: for<'a> Deserialize<'a>>(
        mut self,
        directory: &Path,
        doomed: &Doomed,
        moment: Moment,
    ) -> Result<Option<R>, Failure> {
        self.work = Work::Crash;
        let told = |what: &str| Failure::new(format!("a process that was to be killed {what}"));
        let mut command = self.command_of(directory, 0).map_err(|error| error.to_string())?;
        command.env(
            DOOMED,
            serde_json::to_string(doomed).map_err(|error| error.to_string())?,
        );
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut words = said_by(&mut child);
        let begun = words.next().is_some_and(|word| word == "begins");
        let mut answer = None;
        match moment {
            _ if !begun => {}
            Moment::Answered => answer = words.next(),
            Moment::Microseconds(count) => std::thread::sleep(Duration::from_micros(count)),
        }
        let died = child.kill();
        let answered = answer.is_some();
        // What it said before it died.
        answer = answer.or_else(|| words.next());
        words.for_each(drop);
        let ended = child.wait().map_err(|error| error.to_string())?;
        // A process that was killed has no code, where the system tells.
        let by_itself = cfg!(unix) && ended.code().is_some();
        if !begun || died.is_err() || by_itself || (moment == Moment::Answered && !answered) {
            return Err(told(&format!("ended by itself: {ended}")));
        }
        let read =
            answer.map(|answer| serde_json::from_str(&answer).map_err(|_| told(&format!("said {answer}"))));
        read.transpose()
    }

    /// What the process does that is to be killed.
    pub(super) fn die(&self) {
        let role = Role::of_this_process().expect("a directory to work in");
        let doomed = std::env::var(DOOMED).expect("something to do");
        let doomed: Doomed = serde_json::from_str(&doomed).expect("something that makes sense");
        block_on(async {
            let adapter = self.adapter(&role.directory).await.expect("the place opens");
            let storage = doomed.storage(adapter);
            say("begins");
            let answer = doomed.run(&storage).await;
            say(&serde_json::to_string(&answer).expect("text, numbers and lists"));
            loop {
                tokio::time::sleep(LOOKS).await;
                say("waits");
            }
        })
    }
}
