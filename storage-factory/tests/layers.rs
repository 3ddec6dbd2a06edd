//! Layers chosen by name: in the environment, in a URL, in code.
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use std::collections::HashMap;
use std::path::Path;

use storage_core::{ErrorKind, Result, Storage};
use storage_factory::Factory;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A store that searches finds what it searches for when it is told which fields stay readable.
#[tokio::test]
async fn fields_that_are_named_can_be_searched_for_and_are_all_that_is_readable() {
    use storage_core::bson::{Document, doc};
    use storage_core::{Index, Query};
    let place = Place::new();
    let sealed = format!("encrypt(key_file={},plain=age city)", place.path("key"));
    let storage = place.open(&sealed).await.unwrap();
    let people = storage.collection::<Document>("people");
    people
        .ensure_index(Index::btree("by_age", ["age"]))
        .await
        .unwrap();
    people
        .put("ada", &doc! { "age": 36_i64, "mail": "ada@canary.example" })
        .await
        .unwrap();
    let found = people
        .find(Query::ge("age", 18))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    let refused = people.find(Query::eq("mail", "x").allow_scan()).await;
    assert!(refused.is_err(), "a sealed field is searched for");
    storage.close().await.unwrap();
    assert!(!shows(&place.path("data"), b"canary"));
    assert!(shows(&place.path("data"), b"age"));
}

fn shows(directory: &str, text: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let entry = entry.unwrap();
        let path = entry.path();
        if path.is_dir() {
            return shows(path.to_str().unwrap(), text);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(text.len()).any(|part| part == text)
    })
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("key"), KEY).unwrap();
        std::fs::write(directory.path().join("other"), KEY.replace('0', "f")).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn url(&self) -> String {
        format!("fs:{}", self.path("data"))
    }

    async fn open(&self, layers: &str) -> Result<Storage> {
        let variables: HashMap<&str, String> =
            [("STORAGE_URL", self.url()), ("STORAGE_LAYERS", layers.to_owned())].into();
        Factory::default()
            .open_from(|name| variables.get(name).filter(|value| !value.is_empty()).cloned())
            .await
    }

    fn sealed(&self, key: &str) -> String {
        format!("encrypt(key_file={})", self.path(key))
    }

    /// Whether any file holds these bytes.
    fn shows(&self, what: &[u8]) -> bool {
        fn look(directory: &Path, what: &[u8]) -> bool {
            std::fs::read_dir(directory).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    look(&path, what)
                } else {
                    std::fs::read(&path)
                        .unwrap()
                        .windows(what.len())
                        .any(|part| part == what)
                }
            })
        }
        look(&self.directory.path().join("data"), what)
    }
}

fn text(error: &storage_core::Error) -> String {
    format!("{error} {error:?}")
}

#[tokio::test]
async fn every_layer_at_once_in_the_right_order_keeps_what_is_written() {
    let place = Place::new();
    let layers = format!(
        "trace(keys=true), metrics, audit(actor=ada), compress(codec=zstd,level=3,threshold_bytes=64), {}, checksum,\
         cache(bytes=1MiB,max_age_ms=50,disk=\"fs:{}\",disk_bytes=1MiB), quota(bytes=10MiB), namespace(name=tenant-1),\
         retry(attempts=3), timeout(read_ms=5000)",
        place.sealed("key"),
        place.path("cache"),
    );
    let content = "canary ".repeat(1000);
    let storage = place.open(&layers).await.unwrap();
    storage.objects().write("a.txt", content.clone()).await.unwrap();
    storage
        .collection("people")
        .put("ada", &storage_core::bson::doc! { "name": "canary" })
        .await
        .unwrap();
    storage.close().await.unwrap();
    assert!(!place.shows(b"canary"));
    let storage = place.open(&layers).await.unwrap();
    assert_eq!(storage.objects().read("a.txt").await.unwrap().unwrap(), content);
    let ada = storage
        .collection::<storage_core::bson::Document>("people")
        .get("ada")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ada.value.get_str("name").unwrap(), "canary");
    storage.close().await.unwrap();
}

#[tokio::test]
async fn encrypted_data_without_a_key_plain_data_with_one_and_a_wrong_key_are_refused_and_say_so() {
    let place = Place::new();
    let storage = place.open(&place.sealed("key")).await.unwrap();
    storage.objects().write("a.txt", "canary").await.unwrap();
    storage.close().await.unwrap();
    let without = place.open("").await.unwrap_err();
    assert_eq!(without.kind(), ErrorKind::Unauthenticated);
    assert!(text(&without).contains("encrypted"), "{without}");
    let wrong = place.open(&place.sealed("other")).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Unauthenticated);
    for error in [without, wrong] {
        assert!(!text(&error).contains(KEY), "{error}");
    }
    let storage = place.open(&place.sealed("key")).await.unwrap();
    assert_eq!(storage.objects().read("a.txt").await.unwrap().unwrap(), "canary");

    // Also within a namespace, where only that part is sealed.
    let place = Place::new();
    let storage = place
        .open(&format!("{},namespace(name=a)", place.sealed("key")))
        .await
        .unwrap();
    storage.objects().write("a.txt", "canary").await.unwrap();
    storage.close().await.unwrap();
    let without = place.open("namespace(name=a)").await.unwrap_err();
    assert_eq!(without.kind(), ErrorKind::Unauthenticated);
    place.open("namespace(name=b)").await.unwrap();

    let plain = Place::new();
    let storage = plain.open("").await.unwrap();
    storage.objects().write("a.txt", "plain").await.unwrap();
    storage.close().await.unwrap();
    let sealed = plain.open(&plain.sealed("key")).await.unwrap_err();
    assert_eq!(sealed.kind(), ErrorKind::InvalidArgument);
    assert!(text(&sealed).contains("without a key"), "{sealed}");
}

#[tokio::test]
async fn a_key_may_come_from_a_command() {
    let place = Place::new();
    let layers = format!("encrypt(key_command=cat {})", place.path("key"));
    let storage = place.open(&layers).await.unwrap();
    storage.objects().write("a.txt", "canary").await.unwrap();
    storage.close().await.unwrap();
    let storage = place.open(&place.sealed("key")).await.unwrap();
    assert_eq!(storage.objects().read("a.txt").await.unwrap().unwrap(), "canary");
}

#[tokio::test]
async fn what_cannot_be_is_refused_naming_what_there_is_and_no_value() {
    let place = Place::new();
    for (layers, names) in [
        ("squeeze", &["squeeze", "compress", "encrypt", "timeout"][..]),
        (
            "compress(codex=zstd)",
            &["codex", "codec", "level", "threshold_bytes"],
        ),
        ("compress(codec=hunter2)", &["codec", "gzip", "zstd"]),
        ("cache(bytes=hunter2)", &["bytes", "64KiB"]),
        (
            "encrypt",
            &["key_file", "key_env", "key_command", "passphrase_env"],
        ),
        ("encrypt(key_file=hunter2,key_env=X)", &["exactly one"]),
        ("quota", &["bytes", "documents", "objects"]),
        ("namespace", &["name"]),
        ("namespace(name=../x)", &["a-z"]),
        ("retry,retry", &["twice"]),
        ("metrics(keys=true)", &["none"]),
        ("cache(", &["expected"]),
    ] {
        let error = place.open(layers).await.unwrap_err();
        let shown = text(&error);
        for name in names {
            assert!(shown.contains(name), "{layers}: {shown}");
        }
        assert!(!shown.contains("hunter2"), "{layers}: {shown}");
    }
}

#[tokio::test]
async fn a_wrong_order_is_refused_with_the_right_one_before_anything_is_opened() {
    let place = Place::new();
    let error = place
        .open(&format!("{},compress", place.sealed("key")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(text(&error).contains("compress, encrypt"), "{error}");
    assert!(!Path::new(&place.path("data")).exists());
}

#[tokio::test]
async fn a_url_and_code_name_layers_too_and_naming_them_twice_is_refused() {
    let place = Place::new();
    let factory = Factory::default();
    let url = format!(
        "{}?layers=namespace(name=a),retry(attempts=2)&durability=process-crash",
        place.url()
    );
    let storage = factory.open(&url).await.unwrap();
    storage.objects().write("x", "1").await.unwrap();
    let storage = factory
        .open_with_layers(&place.url(), "namespace(name=a)")
        .await
        .unwrap();
    assert!(storage.objects().exists("x").await.unwrap());
    assert!(
        factory
            .open(&place.url())
            .await
            .unwrap()
            .objects()
            .exists("@a/x")
            .await
            .unwrap()
    );
    let twice = factory.open_with_layers(&url, "retry").await.unwrap_err();
    assert!(text(&twice).contains("once"), "{twice}");
    let read_only = factory
        .open(&format!("{}?layers=read-only", place.url()))
        .await
        .unwrap();
    let refused = read_only.objects().write("x", "2").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_pair_is_layered_as_one() {
    let place = Place::new();
    let layers = place.sealed("key");
    let variables: HashMap<&str, String> = [
        ("STORAGE_OBJECTS_URL", place.url()),
        ("STORAGE_DOCUMENTS_URL", format!("fs:{}", place.path("documents"))),
        ("STORAGE_LAYERS", layers),
    ]
    .into();
    for _ in 0..2 {
        let storage = Factory::default()
            .open_from(|name| variables.get(name).cloned())
            .await
            .unwrap();
        storage.objects().write("a", "canary").await.unwrap();
        storage.close().await.unwrap();
    }
    assert!(!place.shows(b"canary"));
    let bare = |name: &str| {
        (name != "STORAGE_LAYERS")
            .then(|| variables.get(name).cloned())
            .flatten()
    };
    let refused = Factory::default().open_from(bare).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
}
