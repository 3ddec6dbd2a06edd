//! Two processes on one place. The other process is this test binary, told by its environment what to do.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use storage_core::Storage;
use storage_stores::executions::{ExecutionState, ExecutionStorage};

use crate::concurrent::{assert_whole, count};
use crate::place::{Place, adapter_at, execution, laws_on};

laws_on! { fs: two_processes_append_every_line_once, two_processes_lose_no_conditional_save }
laws_on! { sqlite: two_processes_append_every_line_once, two_processes_lose_no_conditional_save }

const TASK: &str = "STORAGE_STORES_TEST_TASK";

fn spawn(place: &Place, task: &str) -> Child {
    let (backend, directory) = place.outside().expect("a place another process can open");
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::the_other_process"])
        .env(TASK, format!("{task}\n{backend}\n{}", directory.display()))
        // Its summary is not one of this run's.
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing when it is run as a test of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let mut lines = task.splitn(3, '\n');
    let (task, backend, directory) = (
        lines.next().unwrap(),
        lines.next().unwrap(),
        lines.next().unwrap(),
    );
    let storage = Storage::from_arc(adapter_at(backend, Path::new(directory)).await);
    match task {
        "count" => count(&storage, 25).await,
        writer => append(&storage, writer).await,
    }
    storage.close().await.unwrap();
}

async fn append(storage: &Storage, writer: &str) {
    for round in 0..25 {
        let lines: Vec<String> = (0..3)
            .map(|line| format!("{writer} {}", round * 3 + line))
            .collect();
        storage.append_output("e", lines).await.unwrap();
    }
}

async fn two_processes_append_every_line_once(place: &Place) {
    let storage = place.open().await;
    let mut others = [spawn(place, "a"), spawn(place, "b")];
    append(&storage, "c").await;
    for other in &mut others {
        assert!(other.wait().unwrap().success());
    }
    assert_whole(&storage.get_output("e").await.unwrap(), 3, 25);
}

async fn two_processes_lose_no_conditional_save(place: &Place) {
    let storage = place.open().await;
    storage
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    let mut others = [spawn(place, "count"), spawn(place, "count")];
    count(&storage, 25).await;
    for other in &mut others {
        assert!(other.wait().unwrap().success());
    }
    assert_eq!(storage.get_execution("e").await.unwrap().unwrap().pc, 75);
}
