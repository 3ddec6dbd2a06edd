use storage_core::{StorageBackend, Timestamp};
use storage_factory::Factory;
use storage_layers::encryption::{Key, KeyProvider};
use storage_layers::{Encrypt, EncryptOptions};
use storage_stores::chunks::ChunkInfo;

use super::shell::{Shell, URLS};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn encrypted(url: &str) -> Shell {
    let shell = Shell::on(url).with("ROOT_KEY", KEY);
    shell.ok(&["key", "create", "--key-variable", "ROOT_KEY"]);
    shell
}

fn ids(listing: &str) -> Vec<String> {
    let id = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    listing.lines().map(id).collect()
}

#[test]
fn keys_are_listed_rotated_and_destroyed() {
    for url in URLS {
        let shell = encrypted(url);
        let first = ids(&shell.ok(&["key", "list", "--key-variable", "ROOT_KEY"]));
        assert_eq!(first.len(), 1);
        let rotated = shell.ok(&["key", "rotate", "--key-variable", "ROOT_KEY"]);
        assert!(rotated.contains("\"objects\":0"), "{rotated}");
        let listing = shell.ok(&["key", "list", "--key-variable", "ROOT_KEY", "--count"]);
        let both = ids(&listing);
        assert_eq!((both.len(), &both[0]), (2, &first[0]));
        assert!(rotated.starts_with(&both[1]), "{rotated}");
        let lines: Vec<_> = listing.lines().collect();
        assert!(
            lines[0].contains("\"decrypt-only\"") && lines[0].contains("\"values\":0"),
            "{listing}"
        );
        assert!(lines[1].contains("\"active\""), "{listing}");
        assert!(!listing.contains(&KEY[..16]), "the root key is shown");
        assert_eq!(
            shell
                .run(&["key", "destroy", "--key-variable", "ROOT_KEY", &both[1]])
                .code,
            2,
            "the active key"
        );
        let early = shell.run(&["key", "destroy", "--key-variable", "ROOT_KEY", &both[0]]);
        assert_ne!(early.code, 0, "others may still seal under it");
        assert!(early.err.contains("destroy it in"), "{}", early.err);
    }
}

/// As somebody would have a while ago; nobody waits two minutes for a test.
async fn rotated_long_ago(url: &str) {
    let factory = Factory::default();
    let adapter = factory
        .open_below_layers(&factory.parse(url).unwrap())
        .await
        .unwrap();
    let mut bytes = [0; 32];
    (0..).zip(&mut bytes).for_each(|(number, byte)| *byte = number);
    let options = EncryptOptions::new(KeyProvider::key(Key::from_bytes(&mut bytes)));
    let layer = Encrypt::open(adapter, options).await.unwrap();
    layer.rotate(Timestamp::from_millis(0)).await.unwrap();
    layer.close().await.unwrap();
}

#[test]
fn a_key_nobody_seals_under_any_more_is_destroyed() {
    for url in URLS {
        let shell = encrypted(url);
        let place = url.replace("./", &format!("{}/", shell.path().display()));
        tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(rotated_long_ago(&place));
        let keys = ids(&shell.ok(&["key", "list", "--key-variable", "ROOT_KEY"]));
        shell.ok(&["key", "destroy", "--key-variable", "ROOT_KEY", &keys[0]]);
        let listing = shell.ok(&["key", "list", "--key-variable", "ROOT_KEY"]);
        assert!(listing.contains("\"destroyed\""), "{listing}");
    }
}

#[test]
fn without_the_right_key_nothing_is_listed_and_none_is_made_by_the_way() {
    for url in URLS {
        let plain = Shell::on(url).with("ROOT_KEY", KEY);
        plain.ok(&["put", "a", "-"]);
        assert_eq!(plain.run(&["key", "list", "--key-variable", "ROOT_KEY"]).code, 3);
        assert_eq!(
            plain.run(&["key", "rotate", "--key-variable", "ROOT_KEY"]).code,
            3
        );
        assert_ne!(
            plain.run(&["key", "create", "--key-variable", "ROOT_KEY"]).code,
            0,
            "there is plain data"
        );
        assert_eq!(plain.run(&["key", "list"]).code, 2, "no key is given");

        let shell = encrypted(url).with("OTHER", &KEY.replace('0', "f"));
        for command in ["list", "rotate", "reseal"] {
            let refused = shell.run(&["key", command, "--key-variable", "OTHER"]);
            assert_ne!(refused.code, 0);
            assert!(
                refused.err.contains("not the key of the store"),
                "{}",
                refused.err
            );
        }
        let file = shell.path().join("key");
        std::fs::write(&file, KEY).unwrap();
        shell.ok(&["key", "list", "--key-file", "key"]);
        shell.ok(&["key", "list", "--key-command", "cat key"]);
        // The layers that are named do not come between.
        if cfg!(feature = "layers") {
            let layered = shell.with("STORAGE_LAYERS", "encrypt(key_env=ROOT_KEY)");
            layered.ok(&["key", "list", "--key-variable", "ROOT_KEY"]);
            layered.ok(&["--url", url, "key", "list", "--key-variable", "ROOT_KEY"]);
        }
    }
}

#[test]
fn a_fresh_pair_in_one_directory_can_be_encrypted_and_one_with_data_cannot() {
    let create = ["key", "create", "--key-variable", "ROOT_KEY"];
    for (what, command) in [
        ("an object", &["put", "a"][..]),
        ("a document", &["doc", "put", "c", "a"][..]),
    ] {
        let shell = Shell::new()
            .with("ROOT_KEY", KEY)
            .with("STORAGE_OBJECTS_URL", "fs:./sessions")
            .with("STORAGE_DOCUMENTS_URL", "sqlite:./sessions/metadata.db");
        assert_eq!(shell.run_with_input(command, b"{}").code, 0);
        let refused = shell.run(&create);
        assert!(
            refused.err.contains("written without a key"),
            "{what}: {}",
            refused.err
        );
        std::fs::remove_dir_all(shell.path().join("sessions")).unwrap();
        assert_eq!(ids(&shell.ok(&create)).len(), 1);
    }
}

/// The pair that `chunks_from_env` makes: the database lies among the objects, and shows as some.
#[cfg(feature = "layers")]
#[test]
fn the_keys_of_chunks_beside_their_database_are_rotated_and_nothing_is_lost_by_it() {
    let shell = Shell::new()
        .with("ROOT_KEY", KEY)
        .with("STORAGE_OBJECTS_URL", "fs:./sessions")
        .with("STORAGE_DOCUMENTS_URL", "sqlite:./sessions/metadata.db");
    let directory = shell.path().join("sessions").display().to_string();
    let root = shell.path().join("root");
    std::fs::write(&root, KEY).unwrap();
    let layers = format!("encrypt(key_file={})", root.display());
    let open = || {
        storage_factory::chunks_from(|name| {
            Ok(match name {
                "CHUNK_STORAGE_PATH" => Some(directory.clone()),
                "STORAGE_LAYERS" => Some(layers.clone()),
                _ => None,
            })
        })
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let chunks = open().await.unwrap();
        chunks
            .save_chunk("a chunk", ChunkInfo::new("c", "s", 0, 1))
            .await
            .unwrap();
        chunks.close().await.unwrap();
    });
    let rotated = shell.ok(&["key", "rotate", "--key-variable", "ROOT_KEY"]);
    assert!(rotated.contains("\"objects\":1"), "{rotated}");
    let listing = shell.ok(&["key", "list", "--count", "--key-variable", "ROOT_KEY"]);
    assert!(
        listing.lines().next().unwrap().contains("\"values\":0"),
        "{listing}"
    );
    let keys = ids(&listing);
    let early = shell.run(&["key", "destroy", "--key-variable", "ROOT_KEY", &keys[0]]);
    assert!(
        early.err.contains("destroy it in"),
        "it could be told what is sealed under it: {}",
        early.err
    );
    runtime.block_on(async {
        let chunks = open().await.unwrap();
        assert_eq!(
            chunks.get_chunk("c", 0).await.unwrap().as_deref(),
            Some(&b"a chunk"[..])
        );
        let listed = chunks.list_content("s", 10, 0).await.unwrap();
        assert_eq!(listed.items.len(), 1, "what is searched for is found");
        assert_eq!(chunks.verify().await.unwrap().found, 0);
        chunks.close().await.unwrap();
    });
    let shell = shell.with("STORAGE_LAYERS", "encrypt(key_env=ROOT_KEY)");
    assert!(shell.ok(&["sessions", "list"]).contains("\"s\""));
}
