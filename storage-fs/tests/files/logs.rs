use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use storage_core::{
    AppendRequest, Appended, ErrorKind, LogPage, Name, Result, StorageAdapter, StorageBackend,
};
use storage_fs::{Confinement, Fs};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::support::config;

async fn opened() -> (TempDir, Fs, Name) {
    let root = TempDir::new().unwrap();
    let fs = reopened(root.path()).await;
    (root, fs, Name::new("events").unwrap())
}

async fn reopened(root: &Path) -> Fs {
    Fs::open(config(root)).await.unwrap()
}

fn file(root: &Path) -> PathBuf {
    root.join(".storage/logs/events.jsonl")
}

fn entries(texts: &[&str]) -> AppendRequest {
    AppendRequest::new(texts.iter().map(|text| Bytes::from((*text).to_owned())).collect())
}

fn expecting(expected: u64, texts: &[&str]) -> AppendRequest {
    let mut request = entries(texts);
    request.expected = Some(expected);
    request
}

async fn read(fs: &Fs, log: &Name) -> Result<LogPage> {
    fs.read_log(log, 0, 1000).await
}

fn texts(page: &LogPage) -> Vec<String> {
    page.entries
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned())
        .collect()
}

#[tokio::test]
async fn a_log_is_a_file_a_person_reads() {
    let (root, fs, log) = opened().await;
    fs.append(&log, entries(&["hello", "wörld\n"])).await.unwrap();
    fs.append(&log, AppendRequest::new(vec![Bytes::from_static(&[0, 255])]))
        .await
        .unwrap();
    fs.close_log(&log).await.unwrap();
    let text = std::fs::read_to_string(file(root.path())).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["format"], 1);
    assert_eq!(lines[0]["incarnation"].as_str().unwrap().len(), 32);
    assert_eq!(
        (&lines[1]["seq"], &lines[1]["left"], &lines[1]["text"]),
        (&0.into(), &1.into(), &"hello".into())
    );
    assert_eq!(
        (&lines[2]["seq"], &lines[2]["left"], &lines[2]["text"]),
        (&1.into(), &0.into(), &"wörld\n".into())
    );
    assert_eq!(lines[3]["base64"], "AP8=");
    assert_eq!((&lines[4]["closed"], &lines[4]["seq"]), (&true.into(), &3.into()));
}

#[tokio::test]
async fn a_retry_that_says_where_is_applied_once() {
    let (root, fs, log) = opened().await;
    assert_eq!(
        fs.append(&log, expecting(0, &["a", "b"])).await.unwrap(),
        Appended { first: 0, next: 2 }
    );
    assert_eq!(
        fs.append(&log, expecting(0, &["a", "b"])).await.unwrap(),
        Appended { first: 0, next: 2 }
    );
    assert_eq!(
        fs.append(&log, expecting(1, &["b"])).await.unwrap(),
        Appended { first: 1, next: 2 }
    );
    for wrong in [
        expecting(0, &["a", "x"]),
        expecting(1, &["b", "c"]),
        expecting(3, &["c"]),
        expecting(9, &[]),
    ] {
        assert_eq!(
            fs.append(&log, wrong).await.unwrap_err().kind(),
            ErrorKind::PreconditionFailed
        );
    }
    fs.close_log(&log).await.unwrap();
    fs.close_log(&log).await.unwrap();
    for fs in [fs, reopened(root.path()).await] {
        assert_eq!(
            fs.append(&log, expecting(0, &["a", "b"])).await.unwrap().next,
            2,
            "also after closing"
        );
        assert_eq!(
            fs.append(&log, entries(&["c"])).await.unwrap_err().kind(),
            ErrorKind::LogClosed
        );
        assert_eq!(
            fs.append(&log, expecting(2, &["c"])).await.unwrap_err().kind(),
            ErrorKind::LogClosed
        );
        let page = read(&fs, &log).await.unwrap();
        assert_eq!(
            (texts(&page), page.end, page.closed),
            (vec!["a".to_owned(), "b".to_owned()], 2, true)
        );
    }
}

#[tokio::test]
async fn a_log_that_does_not_exist_reads_as_empty_and_is_not_created_by_looking() {
    let (root, fs, log) = opened().await;
    assert_eq!(read(&fs, &log).await.unwrap(), LogPage::default());
    assert_eq!(
        fs.append(&log, entries(&[])).await.unwrap(),
        Appended { first: 0, next: 0 }
    );
    assert_eq!(
        fs.append(&log, expecting(1, &["x"])).await.unwrap_err().kind(),
        ErrorKind::PreconditionFailed
    );
    fs.delete_log(&log).await.unwrap();
    assert!(!file(root.path()).exists());
}

#[tokio::test]
async fn a_deleted_log_begins_anew_for_every_handle() {
    let (root, one, log) = opened().await;
    let two = reopened(root.path()).await;
    one.append(&log, entries(&["a", "b"])).await.unwrap();
    let before = read(&two, &log).await.unwrap().incarnation.unwrap();
    one.delete_log(&log).await.unwrap();
    assert_eq!(read(&two, &log).await.unwrap(), LogPage::default());
    assert_eq!(
        two.append(&log, entries(&["c"])).await.unwrap(),
        Appended { first: 0, next: 1 }
    );
    for fs in [&one, &two] {
        let page = read(fs, &log).await.unwrap();
        assert_eq!(texts(&page), ["c"]);
        assert_ne!(page.incarnation.unwrap(), before);
    }
}

#[tokio::test]
async fn logs_of_any_name_are_listed_in_byte_order() {
    let (_root, fs, _) = opened().await;
    let long = "l".repeat(256);
    let mut names = ["events", "a/b", "..", "UPPER", "é", "CON", "x.jsonl", "%", &long]
        .map(|name| Name::new(name).unwrap())
        .to_vec();
    for name in &names {
        fs.append(name, entries(&[name.as_str()])).await.unwrap();
        assert_eq!(texts(&read(&fs, name).await.unwrap()), [name.as_str()]);
    }
    names.sort_unstable();
    assert_eq!(fs.logs(None, 100).await.unwrap(), names);
    assert_eq!(fs.logs(Some(&names[2]), 3).await.unwrap(), names[3..6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_of_many_handles_stand_whole_and_in_one_order() {
    let (root, one, log) = opened().await;
    let handles = [Arc::new(one), Arc::new(reopened(root.path()).await)];
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (fs, log) = (Arc::clone(&handles[writer % 2]), log.clone());
        writers.spawn(async move {
            for round in 0..25 {
                let text = format!("{writer}.{round}");
                let appended = fs.append(&log, entries(&[&text, &text, &text])).await.unwrap();
                assert_eq!(appended.next - appended.first, 3);
                assert_eq!(
                    read(&fs, &log).await.unwrap().torn_bytes,
                    0,
                    "an append under way is not torn"
                );
            }
        });
    }
    writers.join_all().await;
    for fs in handles {
        let page = read(&fs, &log).await.unwrap();
        assert_eq!(page.end, 600);
        for (at, three) in page.entries.chunks(3).enumerate() {
            assert_eq!(three[0].sequence, 3 * at as u64);
            assert!(three.iter().all(|entry| entry.bytes == three[0].bytes));
        }
    }
}

#[tokio::test]
async fn a_long_log_is_read_in_pages_from_anywhere() {
    let (_root, fs, log) = opened().await;
    for round in 0..30_u32 {
        let many: Vec<Bytes> = (0..1000)
            .map(|at| Bytes::from(format!("{:06}", round * 1000 + at)))
            .collect();
        fs.append(&log, AppendRequest::new(many)).await.unwrap();
    }
    let mut from = 0;
    while from < 30_000 {
        let page = fs.read_log(&log, from, 777).await.unwrap();
        for entry in &page.entries {
            assert_eq!(entry.sequence, from);
            assert_eq!(entry.bytes, format!("{from:06}"));
            from += 1;
        }
        assert_eq!(page.end, 30_000);
    }
    assert!(fs.read_log(&log, 30_000, 10).await.unwrap().entries.is_empty());
    assert!(fs.read_log(&log, u64::MAX, 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn a_page_ends_before_it_grows_too_large_and_goes_on_after() {
    let (_root, fs, log) = opened().await;
    let large = "x".repeat(3 << 20);
    fs.append(&log, entries(&[&large, &large])).await.unwrap();
    let page = read(&fs, &log).await.unwrap();
    assert_eq!((page.entries.len(), page.end), (1, 2));
    assert_eq!(fs.read_log(&log, 1, 10).await.unwrap().entries.len(), 1);
}

/// Two whole appends, and where the last begins.
async fn two_appends(fs: &Fs, log: &Name, root: &Path) -> (Vec<u8>, usize) {
    fs.append(log, entries(&["first"])).await.unwrap();
    let start = std::fs::read(file(root)).unwrap().len();
    fs.append(log, entries(&["second", "third"])).await.unwrap();
    (std::fs::read(file(root)).unwrap(), start)
}

#[tokio::test]
async fn an_append_cut_short_anywhere_is_left_out_and_written_over() {
    let (root, fs, log) = opened().await;
    let (whole, start) = two_appends(&fs, &log, root.path()).await;
    for length in start..whole.len() {
        std::fs::write(file(root.path()), &whole[..length]).unwrap();
        let fs = reopened(root.path()).await;
        let page = read(&fs, &log).await.unwrap();
        assert_eq!(
            (texts(&page), page.end),
            (vec!["first".to_owned()], 1),
            "cut to {length}"
        );
        assert_eq!(page.torn_bytes, (length - start) as u64);
        assert_eq!(
            fs.append(&log, entries(&["next"])).await.unwrap(),
            Appended { first: 1, next: 2 }
        );
        let page = read(&reopened(root.path()).await, &log).await.unwrap();
        assert_eq!(
            (texts(&page), page.torn_bytes),
            (vec!["first".to_owned(), "next".to_owned()], 0)
        );
    }
}

#[tokio::test]
async fn pages_never_written_in_the_last_append_are_left_out() {
    let (root, fs, log) = opened().await;
    let (whole, start) = two_appends(&fs, &log, root.path()).await;
    for (from, to) in
        (start..whole.len()).flat_map(|from| [(from, from + 1), (from, from + 40), (from, whole.len())])
    {
        let mut holed = whole.clone();
        let to = to.min(holed.len());
        holed[from..to].fill(0);
        std::fs::write(file(root.path()), &holed).unwrap();
        let fs = reopened(root.path()).await;
        let page = read(&fs, &log).await.unwrap();
        assert_eq!(
            (texts(&page), page.end),
            (vec!["first".to_owned()], 1),
            "NUL from {from} to {to}"
        );
        fs.append(&log, entries(&["next"])).await.unwrap();
        assert_eq!(texts(&read(&fs, &log).await.unwrap()), ["first", "next"]);
    }
}

#[tokio::test]
async fn damage_is_named_never_skipped_and_never_written_over() {
    let (root, fs, log) = opened().await;
    fs.append(&log, entries(&["zero"])).await.unwrap();
    let (whole, _) = two_appends(&fs, &log, root.path()).await;
    let text = String::from_utf8(whole).unwrap();
    let line: usize = text.lines().take(2).map(|line| line.len() + 1).sum();
    type Damage = Box<dyn Fn(&mut Vec<u8>)>;
    let damages: [(&str, Damage); 3] = [
        ("a flipped letter", Box::new(move |bytes| bytes[line + 45] ^= 1)),
        ("no JSON", Box::new(move |bytes| bytes[line] = b'x')),
        (
            "NUL with another append behind it",
            Box::new(move |bytes| bytes[line..line + 50].fill(0)),
        ),
    ];
    for (what, damage) in damages {
        let mut bytes = text.clone().into_bytes();
        damage(&mut bytes);
        std::fs::write(file(root.path()), &bytes).unwrap();
        let fs = reopened(root.path()).await;
        let page = read(&fs, &log).await.unwrap();
        assert_eq!(texts(&page), ["zero"], "{what}: what is before it is read");
        let error = fs.read_log(&log, 1, 10).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.key(), error.context_value("line")),
            (ErrorKind::Corrupt, Some("events"), Some("3")),
            "{what}"
        );
        for refused in [
            fs.append(&log, entries(&["next"])).await.map(drop),
            fs.close_log(&log).await,
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Corrupt, "{what}");
        }
        assert_eq!(
            std::fs::read(file(root.path())).unwrap(),
            bytes,
            "{what}: nothing was changed"
        );
        let other = Name::new("healthy").unwrap();
        fs.append(&other, entries(&["x"])).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_of_a_newer_format_is_refused_untouched() {
    let (root, fs, log) = opened().await;
    let newer = b"{\"format\":2}\n";
    std::fs::write(file(root.path()), newer).unwrap();
    assert_eq!(read(&fs, &log).await.unwrap_err().kind(), ErrorKind::FormatTooNew);
    assert_eq!(
        fs.append(&log, entries(&["x"])).await.unwrap_err().kind(),
        ErrorKind::FormatTooNew
    );
    assert_eq!(std::fs::read(file(root.path())).unwrap(), newer);
}

#[tokio::test]
async fn a_link_in_place_of_a_log_is_not_followed() {
    for way in [Confinement::Kernel, Confinement::Steps] {
        let root = TempDir::new().unwrap();
        let fs = Fs::open(config(root.path()).confinement(way)).await.unwrap();
        let outside = TempDir::new().unwrap();
        std::os::unix::fs::symlink(outside.path().join("log"), file(root.path())).unwrap();
        let log = Name::new("events").unwrap();
        assert_eq!(
            fs.append(&log, entries(&["x"])).await.unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        assert_eq!(fs.logs(None, 10).await.unwrap(), []);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        fs.close().await.unwrap();
    }
}
