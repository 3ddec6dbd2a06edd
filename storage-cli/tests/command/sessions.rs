use std::time::Duration;

use serde_json::Value;
use storage_factory::Factory;
use storage_stores::chunks::{ChunkInfo, ChunkOptions, ChunkStore};

use super::shell::{Shell, URLS};

/// A room with three contents, the second of them named, and an upload under way.
fn room(shell: &Shell, url: &str) {
    let (scheme, path) = url.split_once(':').unwrap();
    let url = format!("{scheme}:{}", shell.path().join(path).display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let storage = Factory::default().open(&url).await.unwrap();
        let options = ChunkOptions::new().cleanup_interval(Duration::ZERO);
        let store = ChunkStore::open(storage, options).await.unwrap();
        for id in ["a", "b", "c"] {
            store
                .save_chunk("bytes", ChunkInfo::new(id, "room", 0, 1))
                .await
                .unwrap();
            store.mark_content_complete(id).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        store
            .save_chunk("x", ChunkInfo::new("half", "room", 0, 2))
            .await
            .unwrap();
        store
            .save_chunk("x", ChunkInfo::new("d", "other", 0, 1))
            .await
            .unwrap();
        store.close().await.unwrap();
    });
}

fn lines(printed: &str) -> Vec<Value> {
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ids(printed: &str) -> Vec<String> {
    lines(printed)
        .iter()
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_session_is_listed_shown_changed_and_cleaned() {
    for url in URLS {
        let shell = Shell::on(url);
        room(&shell, url);
        assert_eq!(ids(&shell.ok(&["sessions", "list"])), ["other", "room"]);
        assert_eq!(
            ids(&shell.ok(&["sessions", "show", "room"])),
            ["half", "c", "b", "a"]
        );
        assert_eq!(
            ids(&shell.ok(&["sessions", "show", "room", "--limit", "1", "--offset", "2"])),
            ["b"]
        );

        shell.ok(&["sessions", "pin", "a"]);
        shell.ok(&["sessions", "rename", "a", "holiday.jpg"]);
        let first = lines(&shell.ok(&["sessions", "show", "room", "--limit", "1"])).remove(0);
        let told = ["id", "name", "type", "pinned", "complete", "bytes"].map(|name| first[name].clone());
        let expected: [Value; 6] = [
            "a".into(),
            "holiday.jpg".into(),
            "unknown".into(),
            true.into(),
            true.into(),
            5.into(),
        ];
        assert_eq!(told, expected);

        let usage = lines(&shell.ok(&["sessions", "usage", "room"])).remove(0);
        assert_eq!(
            (&usage["items"], &usage["pinned"], &usage["uploads"]),
            (&3.into(), &1.into(), &1.into())
        );
        assert_eq!((&usage["bytes"], &usage["reserved"]), (&15.into(), &17.into()));

        let plan = lines(&shell.ok(&["sessions", "cleanup", "--keep", "1", "--dry-run"])).remove(0);
        assert_eq!((&plan["removed"], &plan["bytes"]), (&vec!["b"].into(), &5.into()));
        assert_eq!(ids(&shell.ok(&["sessions", "show", "room"])).len(), 4);
        let done = lines(&shell.ok(&["sessions", "cleanup", "--keep", "1"])).remove(0);
        assert_eq!(done, plan);
        assert_eq!(ids(&shell.ok(&["sessions", "show", "room"])), ["a", "half", "c"]);

        shell.ok(&["sessions", "unpin", "a"]);
        shell.ok(&["sessions", "rm", "a", "none"]);
        assert_eq!(ids(&shell.ok(&["sessions", "show", "room"])), ["half", "c"]);
        shell.ok(&["sessions", "rm", "--session", "room"]);
        assert_eq!(ids(&shell.ok(&["sessions", "list"])), ["other"]);
    }
}

#[test]
fn what_is_not_there_ends_with_the_code_for_it() {
    let shell = Shell::on("fs:./data");
    for arguments in [
        ["sessions", "show", "none"].as_slice(),
        &["sessions", "usage", "none"],
        &["sessions", "pin", "none"],
        &["sessions", "unpin", "none"],
        &["sessions", "rename", "none", "name"],
    ] {
        let ended = shell.run(arguments);
        assert_eq!(ended.code, 3, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains("none"), "{}", ended.err);
    }
    shell.ok(&["sessions", "rm", "none"]);
    shell.ok(&["sessions", "rm", "--session", "none"]);
    assert_eq!(shell.run(&["sessions", "rm"]).code, 2);
}

#[test]
fn a_bad_variable_is_named() {
    let shell = Shell::on("fs:./data").with("MAX_ITEMS_PER_SESSION", "many");
    let ended = shell.run(&["sessions", "cleanup"]);
    assert_ne!(ended.code, 0);
    assert!(
        ended.err.contains("MAX_ITEMS_PER_SESSION") && ended.err.contains("many"),
        "{}",
        ended.err
    );
}
