//! What servers are installed with: found on the path, or installed by apt where that is ours to do.

use std::env;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

use crate::Result;
use crate::command::{output, run};

/// A program that comes with the system, not with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Python 3 with what makes virtual environments.
    Python,
    /// Node.js with npm.
    Node,
    /// Go.
    Go,
    /// CMake, with a compiler of C++ for it.
    Cmake,
}

impl Tool {
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::Node => "node",
            Self::Go => "go",
            Self::Cmake => "cmake",
        }
    }

    /// Debian's packages.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["python3", "python3-venv"],
            Self::Node => &["nodejs", "npm"],
            Self::Go => &["golang-go", "ca-certificates"],
            Self::Cmake => &["cmake", "build-essential"],
        }
    }

    async fn is_there(self) -> bool {
        let questions: &[&[&str]] = match self {
            // Debian has both modules in packages of their own; without them `-m venv` fails half way.
            Self::Python => &[&["python3", "-c", "import ensurepip, venv"]],
            Self::Node => &[&["node", "--version"], &["npm", "--version"]],
            Self::Go => &[&["go", "version"]],
            Self::Cmake => &[&["cmake", "--version"], &["c++", "--version"]],
        };
        for words in questions {
            if output(Command::new(words[0]).args(&words[1..])).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Sees to it that it is there.
    pub(crate) async fn need(self, log: &Path) -> Result<()> {
        if self.is_there().await {
            return Ok(());
        }
        let packages = self.packages().join(" ");
        if !rustix::process::geteuid().is_root() || find("apt-get").is_none() {
            return Err(format!("needs {} (Debian: apt-get install {packages})", self.program()).into());
        }
        apt(self.packages(), log).await?;
        if !self.is_there().await {
            return Err(format!(
                "needs {}, which is not there after `apt-get install {packages}`",
                self.program()
            )
            .into());
        }
        Ok(())
    }
}

async fn apt(packages: &[&str], log: &Path) -> Result<()> {
    /// One at a time, and whether the lists of packages are fresh.
    static UPDATED: Mutex<bool> = Mutex::const_new(false);

    let apt_get = || {
        let mut command = Command::new("apt-get");
        // Another program may be installing; seconds.
        command.args(["-q", "-y", "-o", "DPkg::Lock::Timeout=300"]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let mut updated = UPDATED.lock().await;
    if !*updated {
        run(apt_get().arg("update"), log).await?;
        *updated = true;
    }
    run(
        apt_get()
            .args(["install", "--no-install-recommends"])
            .args(packages),
        log,
    )
    .await
}

/// The program of this name on the path.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}
