//! A machine where nothing is installed and nothing can be.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Nothing answers there: port 1, tcpmux, is served nowhere.
pub(crate) const NO_DOCKER: &str = "tcp://127.0.0.1:1";

/// Servers are ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Machine {
    home: tempfile::TempDir,
    docker: String,
}

impl Machine {
    pub(crate) fn new(docker: &str) -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            docker: docker.to_owned(),
        }
    }

    /// The file of what runs.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state.json")
    }

    /// Runs the program: whether it succeeded, its output and its errors.
    pub(crate) async fn words(&self, words: &str, environment: &[(&str, &str)]) -> (bool, String, String) {
        let output = tokio::task::block_in_place(|| self.run(words, environment));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    fn run(&self, words: &str, environment: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_storage-test-servers"))
            .args(words.split(' '))
            .env_clear()
            .env("PATH", self.home.path().join("bin"))
            .env("HOME", self.home.path())
            .env("STORAGE_TEST_SERVERS", self.state())
            .env("DOCKER_HOST", &self.docker)
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let ended = tokio::task::block_in_place(|| self.run("down", &[]));
        if !ended.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&ended.stderr));
        }
    }
}
