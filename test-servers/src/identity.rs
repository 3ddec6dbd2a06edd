//! A process that is still the one we started: its number alone may have been given to another since.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::Result;

/// A process that leads its own group, by number and start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pid: i32,
    /// As the system tells it; only ever compared.
    started: String,
}

impl Identity {
    /// The process of this number, if there is one.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid)?;
        let started = started(pid).ok_or_else(|| format!("process {pid} ended at once"))?;
        Ok(Self { pid, started })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        started(self.pid).is_some_and(|started| started == self.started)
    }

    /// Asks the whole group to end, waits, and kills what has not ended.
    pub(crate) fn end(&self) -> Result<()> {
        for (signal, patience) in [(Signal::TERM, 10), (Signal::KILL, 10)] {
            if !self.is_alive() {
                return Ok(());
            }
            if let Some(group) = Pid::from_raw(self.pid) {
                // An error means that it ended between the two looks; the next look says so.
                let _ = kill_process_group(group, signal);
            }
            let begin = Instant::now();
            while self.is_alive() && begin.elapsed() < Duration::from_secs(patience) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if self.is_alive() {
            return Err(format!("process {} does not end", self.pid).into());
        }
        Ok(())
    }
}

/// When the process began; nothing where there is none, or only what its parent has not collected yet.
fn started(pid: i32) -> Option<String> {
    if fs::exists("/proc/self/stat").unwrap_or(false) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field, the name, is in parentheses and may contain anything; behind it the state is the first field
        // and the start the twentieth (proc_pid_stat(5): fields 3 and 22).
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        return (state != "Z").then(|| fields.nth(18).map(str::to_owned))?;
    }
    let output = Command::new("ps")
        .args(["-o", "stat=,lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (state, began) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| began.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_until_it_ends() {
        use std::os::unix::process::CommandExt;
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        assert!(identity.is_alive());

        let other = Identity {
            started: "at another time".to_owned(),
            ..identity.clone()
        };
        assert!(!other.is_alive());
        other.end().unwrap();
        assert!(identity.is_alive(), "a process that is not ours was ended");

        identity.end().unwrap();
        assert!(!identity.is_alive());
        child.wait().unwrap();
        assert!(!identity.is_alive());
    }
}
