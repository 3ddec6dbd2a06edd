//! A server's process, from start to end.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::time::sleep;

use crate::command::tail;
use crate::identity::Identity;
use crate::port::Port;
use crate::server::How;
use crate::{Native, Result, Server, address, bucket, probe};

/// From the start to the first answer. Python imports for seconds on a busy machine; a server that will not answer is rare.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A server of a test's own, which can be killed and started again. Dropping it kills it; its data stays.
#[derive(Debug)]
pub struct Process {
    native: Native,
    install: PathBuf,
    data: PathBuf,
    log: PathBuf,
    port: Port,
    /// Says of itself, once it has answered.
    says: String,
    /// Nothing while it is down.
    child: Option<Child>,
}

impl Process {
    /// Starts it and waits until it can be used.
    pub(crate) async fn start(native: Native, install: &Path, data: &Path) -> Result<Self> {
        let log = data.with_extension("log");
        let mut process = Self::launch(native, install, data, &log)?;
        process.ready().await?;
        Ok(process)
    }

    /// Starts it and does not wait; [`Process::ready`] does.
    pub(crate) fn launch(native: Native, install: &Path, data: &Path, log: &Path) -> Result<Self> {
        File::create(log)?; // empties it
        let mut process = Self {
            native,
            install: install.to_owned(),
            data: data.to_owned(),
            log: log.to_owned(),
            port: Port::reserve()?,
            says: String::new(),
            child: None,
        };
        process.run()?;
        Ok(process)
    }

    fn run(&mut self) -> Result<()> {
        let log = OpenOptions::new().append(true).create(true).open(&self.log)?;
        let mut command = self
            .native
            .command(&self.install, self.port.number(), &self.data)?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // So that what a terminal tells us does not reach it, and what we tell it reaches its children.
            .process_group(0);
        let child = command.spawn();
        self.child = Some(child.map_err(|error| format!("{} did not start: {error}", self.native.name()))?);
        Ok(())
    }

    /// Waits until it answers, and sees to its bucket.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let server = self.server();
            let answer = probe::ask(&server).await;
            // After the answer: a process that has ended cannot have been the one that gave it.
            let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            let name = self.native.name();
            match (ended, answer) {
                (Some(status), _) => {
                    return Err(format!("{name} ended with {status}; {}", tail(&self.log)).into());
                }
                (None, Ok(says)) => {
                    self.says = says;
                    break;
                }
                (None, Err(error)) if begin.elapsed() > READY_WITHIN => {
                    let waited = READY_WITHIN.as_secs();
                    return Err(format!(
                        "{name} does not answer after {waited} s: {error}; {}",
                        tail(&self.log)
                    )
                    .into());
                }
                (None, Err(_)) => sleep(Duration::from_millis(100)).await,
            }
        }
        let server = self.server();
        let prepared = async {
            bucket::create(&server).await?;
            server.check().await
        };
        prepared.await.map_err(|error| {
            format!(
                "{} answers, but: {error}; {}",
                self.native.name(),
                tail(&self.log)
            )
            .into()
        })
    }

    /// The storage URL. It stays the same from start to start.
    pub fn url(&self) -> String {
        address::url(self.native.kind(), "127.0.0.1", self.port.number())
    }

    /// The port it listens on, at 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// The server as a test sees it.
    pub fn server(&self) -> Server {
        let pid = self.child.as_ref().and_then(Child::id);
        Server {
            kind: self.native.kind(),
            name: self.native.name().to_owned(),
            version: self.native.version().to_owned(),
            says: self.says.clone(),
            how: match self.native {
                Native::GcsEmulation => How::InRepo,
                _ => How::Native,
            },
            url: self.url(),
            credentials: self.native.credentials(),
            program: Some(self.native),
            process: pid.and_then(|pid| Identity::of(pid).ok()),
            container: None,
            log: Some(self.log.clone()),
            data: Some(self.data.clone()),
        }
    }

    /// Kills it as a crash would (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// The system does not say that it ended.
    pub async fn kill(&mut self) -> Result<()> {
        self.signal();
        if let Some(child) = &mut self.child {
            child.wait().await?;
        }
        self.child = None;
        Ok(())
    }

    /// Starts it again on its port and its data; one that runs is killed first.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        self.run()?;
        self.ready().await
    }

    /// Lets it run on when this is dropped.
    pub(crate) fn leave_running(mut self) {
        self.child = None;
    }

    fn signal(&self) {
        // No number once it has been waited for: then it may be another's.
        let pid = self.child.as_ref().and_then(Child::id);
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        if let Some(group) = pid.and_then(Pid::from_raw) {
            // An error means that it has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal();
    }
}
