//! The key-value store as the environment opens it, and the example a newcomer copies.
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use std::time::Duration;

use storage_core::ErrorKind;
use storage_factory::{Factory, kv_from};
use storage_stores::kv::{Kv, KvOptions, KvSettings, SetOptions};

#[allow(dead_code, clippy::print_stdout, reason = "it is a program of its own")]
#[path = "../examples/cache.rs"]
mod cache;

fn settings(variables: &[(&str, &str)]) -> KvSettings {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    KvSettings::from_variables(variables).unwrap()
}

#[tokio::test]
async fn settings_decide_where_and_how() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sub dir");
    let variables = [
        ("KV_STORAGE_PATH", path.to_str().unwrap()),
        ("KV_STORAGE_SIZE_LIMIT", "1 KiB"),
        ("KV_STORAGE_COMPRESSION", "gzip"),
    ];
    let kv = kv_from(settings(&variables), KvOptions::new()).await.unwrap();
    kv.set("k", &"x".repeat(5000)).await.unwrap();
    let info = kv.info("k").await.unwrap().unwrap();
    assert_eq!(info.codec, "gzip");
    let noise: Vec<u64> = (0..1000)
        .map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .collect();
    let error = kv.set("large", &noise).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    kv.close().await.unwrap();
    assert!(path.is_dir());
}

#[tokio::test]
async fn a_place_that_cannot_be_is_an_error_that_names_the_setting() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    let settings = settings(&[("KV_STORAGE_PATH", file.to_str().unwrap())]);
    let error = kv_from(settings, KvOptions::new()).await.unwrap_err();
    assert_eq!(error.context_value("setting"), Some("storage-path"));
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let kv = kv_from(
        settings(&[("KV_STORAGE_PATH", path.to_str().unwrap())]),
        KvOptions::new(),
    )
    .await
    .unwrap();
    kv.set("small", &1).await.unwrap();
    kv.set("large", &"x".repeat(100_000)).await.unwrap();
    kv.close().await.unwrap();
    let mut directories = vec![path];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        let mode = directory.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", directory.display());
        for entry in std::fs::read_dir(&directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
                continue;
            }
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", entry.path().display());
            files += 1;
        }
    }
    assert!(files >= 3, "{files} files");
}

#[tokio::test]
async fn the_example_runs_on_files_and_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for url in [format!("fs:{}", at("files")), format!("sqlite:{}", at("app.db"))] {
        let storage = Factory::default().open(&url).await.unwrap();
        let kv = Kv::open(storage, KvOptions::new()).await.unwrap();
        for _ in 0..2 {
            let said = cache::run(&kv).await.unwrap();
            assert_eq!(
                said,
                [
                    "the volume is 75",
                    "2 pages are kept, the first in less than 1000 bytes: true",
                    "5 visits",
                    "2 went, 1 is permanent, 1 is held",
                ]
            );
        }
        assert_eq!(kv.verify().await.unwrap().problems, []);
        kv.close().await.unwrap();
    }
}

/// What a process of its own does: the environment is its own, and no test changes that of the others.
#[tokio::test]
#[ignore = "started by the test below, in a process of its own"]
async fn in_a_process_of_its_own() {
    let kv = match storage_factory::kv_from_env().await {
        Ok(kv) => kv,
        Err(error) => panic!("refused: {error}"),
    };
    match std::env::var("STEP").as_deref() {
        Ok("write") => {
            let brief = SetOptions::new().ttl(Duration::from_millis(1));
            kv.set_with("brief", &"canary-brief", brief).await.unwrap();
            kv.set("small", &"canary-small").await.unwrap();
            kv.set("large", &"canary-large ".repeat(2000)).await.unwrap();
        }
        what => {
            let expired = kv.cleanup().await.unwrap().expired;
            assert_eq!(
                expired,
                u64::from(what == Ok("clean")),
                "what is searched for is found"
            );
            let small = kv.get::<String>("small").await.unwrap();
            assert_eq!(small.as_deref(), Some("canary-small"));
            let large = kv.get::<String>("large").await.unwrap();
            assert_eq!(large, Some("canary-large ".repeat(2000)));
        }
    }
    kv.close().await.unwrap();
}

/// Whoever names a layer that encrypts must not find plain bytes, in files or in a database, of small values or of large ones.
#[cfg(feature = "encrypt")]
#[test]
fn the_layers_of_the_environment_are_over_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for (name, digit) in [("key", "7"), ("other", "8")] {
        std::fs::write(at(name), digit.repeat(64)).unwrap();
    }
    let sealed = |key: &str| format!("encrypt(key_file={}),retry", at(key));
    for (place, url) in [
        ("files", None),
        ("sqlite", Some(format!("sqlite:{}/app.db", at("sqlite")))),
    ] {
        std::fs::create_dir_all(at(place)).unwrap();
        let run = |what: &str, layers: Option<String>| {
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "in_a_process_of_its_own", "--ignored", "--nocapture"]);
            match &url {
                Some(url) => command.env("STORAGE_URL", url),
                None => command.env("KV_STORAGE_PATH", at(place)),
            };
            layers.map(|layers| command.env("STORAGE_LAYERS", layers));
            let ended = command.env("STEP", what).output().unwrap();
            let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
            assert!(said.contains("running 1 test"), "{said}");
            (ended.status.success(), said)
        };
        for what in ["write", "clean", "read"] {
            let (done, said) = run(what, Some(sealed("key")));
            assert!(done, "{place}, {what}: {said}");
        }
        let mut files = 0;
        let mut directories = vec![directory.path().join(place)];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                    continue;
                }
                let bytes = std::fs::read(entry.path()).unwrap();
                let found = bytes.windows(6).any(|part| part == b"canary");
                assert!(!found, "{} is readable", entry.path().display());
                files += 1;
            }
        }
        assert!(files > 0);
        for (layers, why) in [
            (Some(sealed("other")), "not the key of the store"),
            (None, "the data here is encrypted; say where the key is"),
            (Some("encrypt".to_owned()), "encrypt needs exactly one of"),
            (Some(String::new()), "STORAGE_LAYERS is set but empty"),
        ] {
            let (done, said) = run("read", layers);
            assert!(!done && said.contains(why), "{place}: {said}");
        }
    }
}
