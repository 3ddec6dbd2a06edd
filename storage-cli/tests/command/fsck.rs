use futures::TryStreamExt;
use serde_json::Value;
use storage_core::Storage;
use storage_core::bson::{Bson, Document};
use storage_stores::chunks::{ChunkInfo, ChunkOptions, ChunkStore};
use storage_stores::collections::Files;
use storage_stores::executions::{Execution, ExecutionStorage, Program};
use storage_stores::kv::{Key, KeyProvider, Kv, KvOptions, Sealing};

use super::shell::{Shell, URLS};

fn report(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap()
}

fn entries(report: &Value, kind: &str) -> Vec<String> {
    let findings = report[kind].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["entry"].as_str().unwrap().to_owned())
        .collect()
}

/// Something of everything.
fn filled(url: &str) -> Shell {
    let shell = Shell::on(url);
    shell.run_with_input(&["put", "notes/a.txt"], b"hello");
    shell.run_with_input(&["doc", "put", "users", "ada"], br#"{"age": 36}"#);
    shell.run_with_input(&["doc", "put", "users", "bob"], br#"{"age": 40}"#);
    shell.ok(&["doc", "index", "ensure", "users", "by_age", "age"]);
    shell.run_with_input(&["log", "append", "events"], b"started");
    shell.ok(&["volume", "key", "my.key"]);
    for name in ["a", "b"] {
        let put = ["volume", "put", "--key", "my.key", "--directory", "vault", name];
        assert_eq!(shell.run_with_input(&put, name.as_bytes()).code, 0);
    }
    shell
}

#[test]
fn a_sound_storage_is_counted_and_left_as_it_is() {
    for url in URLS {
        let shell = filled(url);
        let before = shell.ok(&["ls", "-r"]);
        let found = report(&shell.ok(&["fsck", "--json"]));
        assert_eq!(found["objects"], 7, "{found}");
        assert_eq!(
            (&found["documents"], &found["indexes"]),
            (&2.into(), &1.into()),
            "{found}"
        );
        assert_eq!(
            (&found["logs"], &found["entries"]),
            (&1.into(), &1.into()),
            "{found}"
        );
        assert_eq!(found["stores"], Value::from(vec!["volumes in vault"]), "{found}");
        for kind in ["damaged", "orphaned", "foreign"] {
            assert_eq!(entries(&found, kind), Vec::<String>::new(), "{found}");
        }
        assert_eq!(report(&shell.ok(&["fsck", url, "--json", "--repair"])), found);
        assert_eq!(shell.ok(&["ls", "-r"]), before);
        let printed = shell.ok(&["fsck"]);
        assert!(printed.contains("recognised volumes in vault"), "{printed}");
        assert!(printed.contains("nothing is damaged"), "{printed}");
    }
}

#[test]
fn damage_on_the_disk_is_named_and_goes_to_quarantine_only_when_told_to() {
    let shell = filled("fs:./data");
    let blocks = shell.path().join("data/vault/blocks");
    let block = std::fs::read_dir(&blocks)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&block, "?").unwrap();
    std::fs::write(blocks.join("conflicted copy.bin"), "a").unwrap();
    let user = find(&shell.path().join("data"), "ada.json");
    let document = std::fs::read_to_string(&user).unwrap();
    std::fs::write(&user, &document[..document.len() / 2]).unwrap();

    let ended = shell.run(&["fsck", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let found = report(&ended.out);
    let name = format!("vault/blocks/{}", block.file_name().unwrap().to_str().unwrap());
    let damaged = entries(&found, "damaged");
    assert!(damaged.contains(&name), "{found}");
    assert!(damaged.iter().any(|entry| entry.contains("ada")), "{found}");
    assert_eq!(entries(&found, "foreign"), ["vault/blocks/conflicted copy.bin"]);
    assert_eq!(found["repaired"], 0);
    assert!(block.exists() && !shell.path().join("data/vault/quarantine").exists());

    let ended = shell.run(&["fsck", "--repair", "--json"]);
    assert_eq!(
        (ended.code, &report(&ended.out)["repaired"]),
        (1, &1.into()),
        "{}",
        ended.out
    );
    assert!(!block.exists() && shell.path().join("data/vault/quarantine").is_dir());
    assert!(
        blocks.join("conflicted copy.bin").exists(),
        "what is foreign stays"
    );
    assert!(user.exists(), "a document has no quarantine, and stays");
    let found = report(&shell.run(&["fsck", "--json"]).out);
    assert!(!entries(&found, "damaged").contains(&name), "{found}");

    let printed = shell.run(&["fsck"]);
    assert_eq!(printed.code, 1);
    assert!(
        printed.out.contains("damaged document") && printed.out.contains("foreign volumes"),
        "{}",
        printed.out
    );
}

/// Everything the stores make, in files a person can find.
async fn with_stores(url: String) {
    let storage: Storage = storage_factory::open(&url).await.unwrap();
    storage
        .save_program(&Program::new("p", "P", "main() {}", Bson::Null))
        .await
        .unwrap();
    for id in ["whole", "cut"] {
        storage.save_execution(&Execution::new(id, "p")).await.unwrap();
        storage.append_output(id, &["a line"]).await.unwrap();
    }
    let chunks = ChunkStore::open(storage.clone(), ChunkOptions::new())
        .await
        .unwrap();
    chunks
        .save_chunk("a chunk", ChunkInfo::new("c", "s", 0, 1))
        .await
        .unwrap();
    for (namespace, sealing) in [
        ("plain", None),
        (
            "sealed",
            Some(Sealing::all(KeyProvider::key(Key::from_bytes(&mut [7; 32])))),
        ),
    ] {
        let mut options = KvOptions::new().namespace(namespace).inline_limit(10);
        if let Some(sealing) = sealing {
            options = options.encryption(sealing);
        }
        let kv = Kv::open(storage.clone(), options).await.unwrap();
        kv.set("large", &"a value that is an object").await.unwrap();
        kv.finish().await.unwrap();
    }
    let files = Files::new(storage.clone(), "project");
    let file = files
        .create("a.txt", "the first version", Document::new())
        .await
        .unwrap();
    files
        .create_version(&file.id, "the second version")
        .await
        .unwrap();
    storage.close().await.unwrap();
}

/// Every file below this directory whose path has this in it.
fn files(directory: &std::path::Path, part: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, part));
        } else if path.to_str().unwrap().contains(part) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn each_store_judges_its_own_and_nothing_is_lost_by_it() {
    let shell = Shell::on("fs:./data");
    let data = shell.path().join("data");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(with_stores(format!("fs:{}", data.display())));
    let sound = shell.run(&["fsck", "--json"]);
    assert_eq!(sound.code, 0, "{}", sound.out);
    let found = report(&sound.out);
    assert_eq!(entries(&found, "damaged"), Vec::<String>::new(), "{found}");
    let stores = found["stores"].to_string();
    for store in [
        "chunks",
        "executions",
        "files",
        "kv plain",
        "kv sealed, encrypted",
    ] {
        assert!(stores.contains(store), "{stores}");
    }

    // One of each kind is damaged, in a way that leaves documents and objects readable.
    let overwrite = |part: &str, bytes: &str| {
        let paths = files(&data, part);
        assert!(!paths.is_empty(), "nothing is called {part}");
        std::fs::write(&paths[0], bytes).unwrap();
        paths[0].clone()
    };
    let content = overwrite("files/content/", "not what was stored");
    let value = overwrite("kv/706c61696e/", "not the value");
    let chunk = overwrite("chunks/63/", "a chunk?");
    let execution = files(&data, "executions/cut.json").remove(0);
    let text = std::fs::read_to_string(&execution).unwrap();
    std::fs::write(&execution, text.replace("programId", "programIt")).unwrap();

    let before = files(&data, "");
    let ended = shell.run(&["fsck", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let found = report(&ended.out);
    let kinds: std::collections::BTreeSet<String> = found["damaged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["what"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["chunks", "executions", "files", "kv"] {
        assert!(kinds.contains(kind), "{kind} is not told: {found}");
    }
    assert_eq!(found["repaired"], 0);
    assert_eq!(files(&data, ""), before, "nothing is moved without being told to");

    let ended = shell.run(&["fsck", "--repair", "--json"]);
    assert_eq!(
        (ended.code, &report(&ended.out)["repaired"]),
        (1, &4.into()),
        "{}",
        ended.out
    );
    for moved in [&content, &value, &chunk, &execution] {
        assert!(!moved.exists(), "{} is not in quarantine", moved.display());
    }
    let aside = files(&data, "quarantine/");
    assert_eq!(aside.len(), 4, "{aside:?}");
    let content = files(&data, "quarantine/files/content/").remove(0);
    assert_eq!(std::fs::read(content).unwrap(), b"not what was stored");
    // The right bytes can be stored again, and everything is whole.
    let restored = async {
        let storage = storage_factory::open(&format!("fs:{}", data.display()))
            .await
            .unwrap();
        let files = Files::new(storage.clone(), "project");
        for text in ["the first version", "the second version"] {
            files.create(text, text, Document::new()).await.unwrap();
        }
        storage.close().await.unwrap();
    };
    runtime.block_on(restored);
    let found = report(&shell.run(&["fsck", "--json"]).out);
    let damaged = found["damaged"].to_string();
    assert!(!damaged.contains("files/content"), "{damaged}");
}

#[test]
fn a_store_of_a_newer_format_is_told_and_hides_nothing() {
    let shell = filled("fs:./data");
    std::fs::create_dir_all(shell.path().join("data/new")).unwrap();
    std::fs::write(shell.path().join("data/new/volumes.json"), "{\"format\":9}").unwrap();
    let ended = shell.run(&["fsck", "--json"]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    let found = report(&ended.out);
    assert_eq!(entries(&found, "damaged"), ["new/volumes.json"], "{found}");
    assert_eq!(found["stores"], Value::from(vec!["volumes in vault"]), "{found}");
}

fn find(directory: &std::path::Path, name: &str) -> std::path::PathBuf {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            let found = find(&path, name);
            if found.as_os_str() != "" {
                return found;
            }
        } else if path.file_name().is_some_and(|found| found == name) {
            return path;
        }
    }
    std::path::PathBuf::new()
}

/// Where a shell's storage is, for a test that opens it itself.
fn place(shell: &Shell, url: &str) -> String {
    url.replace("./", &format!("{}/", shell.path().display()))
}

/// Damages one of each kind through the contract, so that the medium itself is whole.
async fn damage(storage: &Storage) {
    let objects = storage.objects();
    for (prefix, bytes) in [("chunks/", "a chunk?"), ("kv/706c61696e/", "not the value")] {
        let key = objects.list(prefix).try_next().await.unwrap().unwrap();
        objects.write(key.name(), bytes).await.unwrap();
    }
    for (collection, id, field) in [
        ("executions", "cut", "programId"),
        ("programs", "q", "name"),
        ("kv.plain", "small", "format"),
    ] {
        let documents = storage.collection::<Document>(collection);
        let mut found = documents.get(id).await.unwrap().unwrap().value;
        assert!(found.remove(field).is_some(), "{collection} {found}");
        documents.put(id, &found).await.unwrap();
    }
    let entries = storage.collection::<Document>("kv.plain");
    let mut entry = entries.get("changed").await.unwrap().unwrap().value;
    let value = entry.get_document_mut("value").unwrap();
    value.insert("text", "\"Hey\"");
    entries.put("changed", &entry).await.unwrap();
}

async fn quarantined(storage: &Storage) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut objects = storage.objects().list("quarantine/");
    while let Some(entry) = objects.try_next().await.unwrap() {
        let bytes = storage.objects().read(entry.name()).await.unwrap().unwrap();
        let key = entry.name().rsplit_once('/').unwrap().0.to_owned();
        found.push((key, String::from_utf8(bytes.to_vec()).unwrap()));
    }
    found
}

#[test]
fn what_is_damaged_goes_to_quarantine_with_its_bytes_and_can_be_stored_again() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for url in URLS {
        let shell = Shell::on(url);
        let place = place(&shell, url);
        runtime.block_on(async {
            with_stores(place.clone()).await;
            let storage = storage_factory::open(&place).await.unwrap();
            storage
                .save_program(&Program::new("q", "Q", "", Bson::Null))
                .await
                .unwrap();
            let kv = plain(&storage).await;
            kv.set("small", &"hey").await.unwrap();
            kv.set("changed", &"hey").await.unwrap();
            kv.set("sound", &"hey").await.unwrap();
            kv.finish().await.unwrap();
            damage(&storage).await;
            storage.close().await.unwrap();
        });
        let before = shell.ok(&["ls", "-r"]);
        let looked = shell.run(&["fsck", "--json"]);
        assert_eq!(
            (looked.code, &report(&looked.out)["repaired"]),
            (1, &0.into()),
            "{}",
            looked.out
        );
        assert_eq!(
            entries(&report(&looked.out), "damaged").len(),
            6,
            "{}",
            looked.out
        );
        assert_eq!(
            shell.ok(&["ls", "-r"]),
            before,
            "nothing is moved without being told to"
        );

        let ended = shell.run(&["fsck", "--repair", "--json"]);
        assert_eq!(
            (ended.code, &report(&ended.out)["repaired"]),
            (1, &6.into()),
            "{}",
            ended.out
        );
        runtime.block_on(async {
            let storage = storage_factory::open(&place).await.unwrap();
            let aside = quarantined(&storage).await;
            let of = |key: &str| {
                let found: Vec<_> = aside.iter().filter(|(name, _)| name.contains(key)).collect();
                assert_eq!(found.len(), 1, "{key} in {aside:?}");
                found[0].1.as_str()
            };
            assert_eq!(of("quarantine/chunks/"), "a chunk?");
            assert_eq!(of("quarantine/kv/706c61696e/"), "not the value");
            assert!(of("quarantine/executions/cut").contains("\"state\""));
            assert!(of("quarantine/programs/q").contains("\"id\": \"q\""));
            assert!(of("quarantine/kv.plain/small").contains("hey"));
            assert!(of("quarantine/kv.plain/changed").contains("Hey"));

            // In each store's own manner it is gone.
            let chunks = ChunkStore::open(storage.clone(), ChunkOptions::new())
                .await
                .unwrap();
            let refused = chunks.get_chunk("c", 0).await.unwrap_err();
            assert!(
                refused.message().contains("chunk 0 is gone; send it again"),
                "{refused}"
            );
            assert!(storage.get_execution("cut").await.unwrap().is_none());
            assert!(storage.get_program("q").await.unwrap().is_none());
            let kv = plain(&storage).await;
            let refused = kv.get::<String>("large").await.unwrap_err();
            assert!(refused.message().contains("is gone"), "{refused}");
            for absent in ["small", "changed"] {
                assert_eq!(kv.get::<String>(absent).await.unwrap(), None);
            }
            assert_eq!(kv.get::<String>("sound").await.unwrap().as_deref(), Some("hey"));
            storage.close().await.unwrap();
        });
        let again = report(&shell.run(&["fsck", "--repair", "--json"]).out);
        assert_eq!(again["repaired"], 0, "{again}");
        assert_eq!(
            entries(&again, "damaged").len(),
            2,
            "what is gone is told: {again}"
        );

        runtime.block_on(async {
            let storage = storage_factory::open(&place).await.unwrap();
            let chunks = ChunkStore::open(storage.clone(), ChunkOptions::new())
                .await
                .unwrap();
            chunks
                .save_chunk("a chunk", ChunkInfo::new("c", "s", 0, 1))
                .await
                .unwrap();
            let kv = plain(&storage).await;
            kv.set("large", &"a value that is an object").await.unwrap();
            kv.finish().await.unwrap();
            assert_eq!(quarantined(&storage).await.len(), 6, "it stays");
            storage.close().await.unwrap();
        });
        assert_eq!(shell.run(&["fsck"]).code, 0);
    }
}

async fn plain(storage: &Storage) -> Kv {
    let options = KvOptions::new().namespace("plain").inline_limit(10);
    Kv::open(storage.clone(), options).await.unwrap()
}

#[test]
fn sealed_values_are_read_with_the_key_of_the_settings() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for url in URLS {
        let shell = Shell::on(url);
        let place = place(&shell, url);
        runtime.block_on(async {
            with_stores(place.clone()).await;
            let storage = storage_factory::open(&place).await.unwrap();
            let objects = storage.objects();
            let key = objects
                .list("kv/7365616c6564/")
                .try_next()
                .await
                .unwrap()
                .unwrap();
            let mut bytes = objects.read(key.name()).await.unwrap().unwrap().to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            objects.write(key.name(), bytes).await.unwrap();
            storage.close().await.unwrap();
        });
        let without = shell.run(&["fsck", "--repair", "--json"]);
        assert_eq!(without.code, 0, "{}", without.out);
        assert!(
            without
                .out
                .contains("kv sealed, encrypted: its values were not read"),
            "{}",
            without.out
        );
        let shell = shell
            .with("RIGHT", &"07".repeat(32))
            .with("WRONG", &"08".repeat(32));
        let shell = shell.with("KV_STORAGE_ENCRYPTION", "env:WRONG");
        let wrong = shell.run(&["fsck", "--repair", "--json"]);
        assert_eq!(
            (wrong.code, &report(&wrong.out)["repaired"]),
            (0, &0.into()),
            "{}",
            wrong.out
        );
        assert!(
            wrong
                .out
                .contains("kv sealed, encrypted: its values were not read"),
            "{}",
            wrong.out
        );
        let shell = shell.with("KV_STORAGE_ENCRYPTION", "env:RIGHT");
        let right = shell.run(&["fsck", "--repair", "--json"]);
        let found = report(&right.out);
        assert_eq!((right.code, &found["repaired"]), (1, &1.into()), "{found}");
        assert_eq!(
            entries(&found, "damaged"),
            ["sealed/large"],
            "the plain namespace is sound: {found}"
        );
        let stores = found["stores"].to_string();
        assert!(
            stores.contains("\"kv sealed\"") && stores.contains("\"kv plain\""),
            "{stores}"
        );
    }
}

/// Stores below a layer that encrypts, through the command alone but for the damage.
#[cfg(feature = "layers")]
#[test]
fn below_an_encrypting_layer_values_are_read_and_their_quarantine_is_sealed() {
    const LAYERS: &str = "encrypt(key_env=ROOT_KEY)";
    for url in URLS {
        let shell = Shell::new()
            .with("ROOT_KEY", &"07".repeat(32))
            .with("STORAGE_LAYERS", LAYERS);
        shell.ok(&["--url", url, "kv", "set", "greeting", "\"canary in a value\""]);
        assert_eq!(
            shell.ok(&["--url", url, "kv", "get", "greeting"]),
            "\"canary in a value\""
        );
        let sound = shell.ok(&["fsck", url, "--json"]);
        assert!(
            report(&sound)["stores"].to_string().contains("kv default"),
            "{sound}"
        );

        let keyed = shell.path().join("key");
        std::fs::write(&keyed, [7; 32]).unwrap();
        let layers = format!("encrypt(key_file={})", keyed.display());
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let factory = storage_factory::Factory::default().searching(storage_stores::kv::SEARCHED_FIELDS);
            let storage = factory
                .open_with_layers(&place(&shell, url), &layers)
                .await
                .unwrap();
            let documents = storage.collection::<Document>("kv.default");
            let mut entry = documents.get("greeting").await.unwrap().unwrap().value;
            entry
                .get_document_mut("value")
                .unwrap()
                .insert("text", "\"canary that was changed\"");
            documents.put("greeting", &entry).await.unwrap();
            storage.close().await.unwrap();
        });
        let ended = shell.run(&["fsck", url, "--repair", "--json"]);
        assert_eq!(
            (ended.code, &report(&ended.out)["repaired"]),
            (1, &1.into()),
            "{}",
            ended.out
        );
        let aside = shell.ok(&["--url", url, "ls", "-r", "quarantine/"]);
        let text = shell.ok(&["--url", url, "get", aside.trim()]);
        assert!(text.contains("canary that was changed"), "{text}");
        for path in files(shell.path(), "") {
            let bytes = std::fs::read(&path).unwrap();
            assert!(
                !bytes.windows(6).any(|window| window == b"canary"),
                "{} is readable",
                path.display()
            );
        }
        assert_eq!(shell.run(&["--url", url, "ls"]).code, 0);
        let bare = Shell::new();
        let url = place(&shell, url);
        assert!(
            bare.run(&["fsck", &url])
                .err
                .contains("the data here is encrypted")
        );
    }
}
