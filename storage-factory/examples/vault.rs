//! Two devices share a folder of files: each puts and deletes names without the other, a copy on a second disk is brought up to date, and a
//! file that was damaged there is healed from the first.
//!
//!     cargo run -p storage-factory --features volumes --example vault
//!
//! It keeps everything where the environment says, or in `./data`, and the copy beside it in `./copy`.

use storage_core::{Result, Storage};
use storage_factory::prelude::*;

#[tokio::main]
async fn main() -> Result<()> {
    let storage = storage_factory::open_from_env().await?;
    let copy = storage_factory::open("fs:./copy").await?;
    let done = run(&storage, &copy).await;
    storage.close().await?;
    copy.close().await?;
    for line in done? {
        println!("{line}");
    }
    Ok(())
}

/// Everything above, on any two storages; what there is to say about it.
pub(crate) async fn run(storage: &Storage, copy: &Storage) -> Result<Vec<String>> {
    let mut said = Vec::new();

    // The volume belongs to a key. Keep its seed where nobody else reads it; here it is a new one each time.
    let key = Ed25519Key::generate();
    let public = key.public_key();
    let seed = key.seed();

    // Two devices, each with its own handle on the same storage. Either may be offline at any time.
    let store = VolumeStore::open(storage.clone(), VolumeOptions::new()).await?;
    let laptop = Volume::open(&store, key).await?;
    let phone = Volume::open(&store, Ed25519Key::from_seed(seed)).await?;

    laptop.put("notes/shopping.txt", "milk").await?;
    phone.put("photos/cat.jpg", "…").await?;
    laptop.put("notes/shopping.txt", "milk, bread").await?;
    laptop.snapshot("monday").await?;
    phone.delete("photos/cat.jpg").await?;

    // What the other did shows after a refresh.
    laptop.refresh().await?;
    let names: Vec<String> = laptop.list("").into_iter().map(|entry| entry.name).collect();
    said.push(format!("the laptop sees {}", names.join(", ")));

    // Deleted is not gone: the snapshot has it still.
    let monday = laptop.read_snapshot("monday").await?;
    let names = monday.iter().flat_map(Snapshot::entries).count();
    said.push(format!("on monday there were {names} names"));

    // A second disk: it gets what it lacks.
    let replicas = vec![
        Replica::durable("first disk", storage.clone()),
        Replica::opportunistic("second disk", copy.clone()),
    ];
    let both = VolumeStore::open_replicas(replicas, VolumeOptions::new()).await?;
    both.reconcile().await?;
    let there = VolumeStore::open(copy.clone(), VolumeOptions::new()).await?;
    let there = Volume::open_read_only(&there, public.clone()).await?;
    said.push(format!("the copy has {} name(s)", there.list("").len()));

    // Its file is damaged. Nobody is ever given the damaged bytes: they are read from the first disk, and the second is healed.
    let block = laptop.entry("notes/shopping.txt").map(|entry| entry.block);
    let path = block
        .map(|block| format!("blocks/{block}.bin"))
        .unwrap_or_default();
    copy.objects().write(&path, "milk, bread, sugar").await?;
    said.push(match there.get("notes/shopping.txt").await {
        Ok(_) => "damage went unnoticed".to_owned(),
        Err(error) => format!("the copy alone says {}", error.kind()),
    });
    let volume = Volume::open_read_only(&both, public).await?;
    let note = volume.get("notes/shopping.txt").await?.unwrap_or_default();
    said.push(format!("together they say {}", String::from_utf8_lossy(&note)));
    both.reconcile().await?;
    let healed = there
        .get("notes/shopping.txt")
        .await?
        .is_some_and(|healed| healed == note);
    said.push(format!(
        "the copy is {}",
        if healed { "whole again" } else { "broken" }
    ));
    Ok(said)
}
