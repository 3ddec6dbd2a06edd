//! On files: what a person finds there, and what a person, or a crash, can break.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use storage_core::{ErrorKind, Storage};
use storage_fs::{Fs, FsConfig};
use storage_stores::executions::{ExecutionState, ExecutionStorage};
use tempfile::TempDir;

use crate::place::{execution, program};

async fn open(root: &Path) -> Storage {
    Storage::new(Fs::open(FsConfig::new(root)).await.unwrap())
}

/// The one file below the root whose name contains this.
fn file(directory: &Path, name: &str) -> PathBuf {
    fn search(directory: &Path, name: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                search(&entry.path(), name, found);
            } else if entry.file_name().to_string_lossy().contains(name) {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    search(directory, name, &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    found.swap_remove(0)
}

#[tokio::test]
async fn documents_are_readable_json_files_under_the_names_of_their_ids() {
    let root = TempDir::new().unwrap();
    let storage = open(root.path()).await;
    storage.save_program(&program("hello-world")).await.unwrap();
    storage
        .save_execution(&execution("exec-123", ExecutionState::Running))
        .await
        .unwrap();
    storage.set_current_execution_id(Some("exec-123")).await.unwrap();
    let read = |path: &Path| serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap();
    let program = file(root.path(), "hello-world");
    assert!(program.ends_with("programs/hello-world.json"), "{program:?}");
    assert_eq!(read(&program)["name"], "program hello-world");
    let execution = file(root.path(), "exec-123");
    assert!(execution.ends_with("executions/exec-123.json"), "{execution:?}");
    assert_eq!(
        (&read(&execution)["programId"], &read(&execution)["state"]),
        (&"p".into(), &"RUNNING".into())
    );
    assert_eq!(
        read(&file(root.path(), "current"))["currentExecutionId"],
        "exec-123"
    );
}

#[tokio::test]
async fn output_is_one_file_with_a_line_for_each_line() {
    let root = TempDir::new().unwrap();
    let storage = open(root.path()).await;
    storage
        .append_output("exec-123", ["Starting execution...", "two\nlines"])
        .await
        .unwrap();
    let before = fs::read_to_string(file(root.path(), "exec-123")).unwrap();
    storage.append_output("exec-123", ["the last"]).await.unwrap();
    let after = fs::read_to_string(file(root.path(), "exec-123")).unwrap();
    let printed = after
        .strip_prefix(&before)
        .expect("only added to, as `tail -f` needs");
    assert_eq!(printed.lines().count(), 1);
    assert!(
        printed.contains("the last") && printed.ends_with('\n'),
        "{printed:?}"
    );
    assert!(
        before.contains("Starting execution...") && before.contains(r"two\nlines"),
        "{before}"
    );
}

#[tokio::test]
async fn a_damaged_file_hides_no_healthy_one_and_is_not_overwritten() {
    let root = TempDir::new().unwrap();
    let storage = open(root.path()).await;
    for id in ["healthy", "damaged"] {
        storage.save_program(&program(id)).await.unwrap();
    }
    let path = file(root.path(), "damaged");
    let whole = fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"not JSON", b"[]"] {
        fs::write(&path, damaged).unwrap();
        for storage in [&storage, &open(root.path()).await] {
            let error = storage.get_program("damaged").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            let listed = storage.list_programs().await.unwrap();
            assert_eq!(
                listed
                    .iter()
                    .map(|program| program.id.as_str())
                    .collect::<Vec<_>>(),
                ["healthy"]
            );
            assert_eq!(listed.unreadable.len(), 1, "{:?}", listed.unreadable);
            assert_eq!(listed.unreadable[0].kind(), ErrorKind::Corrupt);
            assert!(listed.unreadable[0].key().unwrap().contains("damaged"));
            let error = storage.save_program(&program("damaged")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!(fs::read(&path).unwrap(), damaged);
        }
    }
}

#[tokio::test]
async fn empty_metadata_stops_a_delete_before_anything_is_deleted() {
    let root = TempDir::new().unwrap();
    let storage = open(root.path()).await;
    let saved = execution("e", ExecutionState::Running);
    storage.save_execution(&saved).await.unwrap();
    storage.append_output("e", ["one"]).await.unwrap();
    storage.set_current_execution_id(Some("e")).await.unwrap();
    fs::write(file(root.path(), "current"), b"").unwrap();
    assert_eq!(
        storage.current_execution_id().await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(
        storage.delete_execution("e").await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(storage.get_execution("e").await.unwrap(), Some(saved));
    assert_eq!(storage.get_output("e").await.unwrap(), ["one"]);
}

#[tokio::test]
async fn a_torn_last_line_is_left_out_reported_and_written_over() {
    let root = TempDir::new().unwrap();
    let storage = open(root.path()).await;
    storage.append_output("e.1", ["one", "two"]).await.unwrap();
    storage.close().await.unwrap();
    let path = file(root.path(), "e.1");
    let torn = br#"{"seq":2,"le"#;
    fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(torn)
        .unwrap();

    let storage = open(root.path()).await;
    let page = storage.read_output("e.1", 0, 10).await.unwrap();
    assert_eq!(
        (page.lines.len(), page.end, page.torn_bytes),
        (2, 2, torn.len() as u64)
    );
    storage.append_output("e.1", ["three"]).await.unwrap();
    assert_eq!(storage.get_output("e.1").await.unwrap(), ["one", "two", "three"]);
    assert_eq!(storage.read_output("e.1", 0, 10).await.unwrap().torn_bytes, 0);
}

/// In the predecessor a list failed and a get found nothing.
#[tokio::test]
async fn a_root_that_was_removed_is_an_error_everywhere() {
    let root = TempDir::new().unwrap();
    let storage = open(root.path()).await;
    storage
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    storage.append_output("e", ["one"]).await.unwrap();
    fs::remove_dir_all(root.path()).unwrap();
    assert!(storage.get_execution("e").await.is_err());
    assert!(storage.list_executions().await.is_err());
    assert!(storage.get_output("e").await.is_err());
    assert!(storage.append_output("e", ["two"]).await.is_err());
    assert!(
        storage
            .save_execution(&execution("e", ExecutionState::Running))
            .await
            .is_err()
    );
    assert!(storage.delete_execution("e").await.is_err());
    assert!(storage.current_execution_id().await.is_err());
    assert!(storage.health().await.is_err());
}

#[tokio::test]
async fn opening_a_file_as_a_root_fails_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Fs::open(FsConfig::new(file.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}
