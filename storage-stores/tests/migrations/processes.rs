//! The other process is this test binary, told by its environment what to do.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{assert_counted, counting, load, open};

const TASK: &str = "STORAGE_STORES_TEST_TASK";
const USERS: usize = 400;

fn spawn(backend: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::the_other_process"])
        .env(TASK, format!("{backend}\n{}", directory.display()))
        // Its summary is not one of this run's.
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing when it is run as a test of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (backend, directory) = task.split_once('\n').unwrap();
    let storage = open(backend, Path::new(directory)).await;
    counting(&storage, true).migrate().await.unwrap();
    storage.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migrator_that_is_killed_leaves_nothing_half_done() {
    for backend in ["fs", "sqlite"] {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(backend, directory.path()).await;
        load(&storage, USERS).await;
        for life in 0..5 {
            let mut other = spawn(backend, directory.path());
            // Each dies a little later than the one before, wherever it is by then.
            tokio::time::sleep(Duration::from_millis(40 + life * 60)).await;
            other.kill().unwrap();
            other.wait().unwrap();
            // Nobody waits for the lease of the dead to run out.
            storage.break_lease("migrations").await.unwrap();
        }
        counting(&storage, false).migrate().await.unwrap();
        assert_counted(&storage, USERS).await;
        storage.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_migrate_together_do_it_once() {
    for backend in ["fs", "sqlite"] {
        let directory = tempfile::tempdir().unwrap();
        let storage = open(backend, directory.path()).await;
        load(&storage, USERS).await;
        let mut others: Vec<Child> = (0..3).map(|_| spawn(backend, directory.path())).collect();
        counting(&storage, true).migrate().await.unwrap();
        for other in &mut others {
            assert!(other.wait().unwrap().success());
        }
        assert_counted(&storage, USERS).await;
        storage.close().await.unwrap();
    }
}
