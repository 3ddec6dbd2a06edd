//! Listing many objects, flat and nested, beside a walk with the standard library; and opening such a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use storage_core::{Durability, ListRequest, Storage};
use storage_fs::{Fs, FsConfig};

use super::{OBJECT_STORE, OPENDAL};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

const NAMES: &str = "ours, names";
const FACTS: &str = "ours, with size, time and version";
const WALK: &str = "std walk, names";
const WALK_FACTS: &str = "std walk, with size and time";

pub(super) async fn all(run: &mut Run) -> Outcome {
    for (objects, name) in [(10_000, "10k"), (100_000, "100k")] {
        let objects = run.amount(objects, objects / 100);
        for nested in [false, true] {
            let directory = run.directory("list")?;
            fill(&directory, objects, nested).await?;
            let shape = if nested { "nested" } else { "flat" };
            let name = format!("{name}-{shape}");
            list(run, &directory, objects, name).await?;
            if nested {
                open(run, &directory, objects).await?;
            }
            Run::remove(&directory)?;
        }
    }
    Ok(())
}

/// All in one directory, or a hundred in each of many.
async fn fill(directory: &Path, objects: u64, nested: bool) -> Outcome {
    let config = FsConfig::new(directory).durability(Durability::ProcessCrash);
    let storage = Storage::new(Fs::open(config).await?);
    let all = storage.objects();
    for number in 0..objects {
        let key = if nested {
            format!(
                "all/{:02}/{:02}/{number:06}.bin",
                number / 100 % 10,
                number / 1_000
            )
        } else {
            format!("all/{number:06}.bin")
        };
        all.write(key, "x").await?;
    }
    storage.close().await?;
    Ok(())
}

async fn list(run: &mut Run, directory: &Path, objects: u64, name: String) -> Outcome {
    let storage = super::ours(directory).await?;
    let store = Arc::new(LocalFileSystem::new_with_prefix(directory)?);
    let operator = super::opendal(directory)?;
    let names = listing(&storage, objects, false);
    let facts = listing(&storage, objects, true);
    let walked = walking(directory.join("all"), objects, false);
    let walked_facts = walking(directory.join("all"), objects, true);
    Table::new(
        format!("fs-list-{name}"),
        format!("Files: list of {objects} objects, {}", name.split('-').next_back().unwrap_or_default()),
    )
    .contender(NAMES, names)
    .contender(FACTS, facts)
    .contender(OBJECT_STORE, move |_| {
        let store = Arc::clone(&store);
        async move {
            let mut there = store.list(Some(&"all".into()));
            let mut count = 0;
            while let Some(object) = there.try_next().await? {
                assert_eq!(object.size, 1);
                count += 1;
            }
            assert_eq!(count, objects);
            Ok(())
        }
    })
    .contender(OPENDAL, move |_| {
        let operator = operator.clone();
        async move {
            let mut there = operator.lister_with("all/").recursive(true).await?;
            let mut count = 0;
            while let Some(entry) = there.try_next().await? {
                count += u64::from(entry.metadata().is_file());
            }
            assert_eq!(count, objects);
            Ok(())
        }
    })
    .contender(WALK, walked)
    .contender(WALK_FACTS, walked_facts)
    .goal(Goal::within(WALK_FACTS, 1.5))
    .goal(Goal::within(WALK_FACTS, 1.5).of(FACTS))
    .note("Ours comes in order, the walk as the disk has it; object_store always has size and time, OpenDAL has not.")
    .note("What others take for a listing is a walk with size and time; one of names alone is the floor.")
    .run(run)
    .await?;
    storage.close().await?;
    Ok(())
}

type Boxed = futures::future::BoxFuture<'static, Outcome>;

fn listing(
    storage: &Storage,
    objects: u64,
    with_meta: bool,
) -> impl Fn(u64) -> Boxed + Send + Sync + 'static {
    let all = storage.objects();
    move |_| {
        let all = all.clone();
        Box::pin(async move {
            let mut request = ListRequest::new("all/");
            request.with_meta = with_meta;
            let mut there = all.list_with(request);
            let mut count = 0;
            while there.try_next().await?.is_some() {
                count += 1;
            }
            assert_eq!(count, objects);
            Ok(())
        })
    }
}

fn walking(
    directory: PathBuf,
    objects: u64,
    with_meta: bool,
) -> impl Fn(u64) -> Boxed + Send + Sync + 'static {
    move |_| {
        let directory = directory.clone();
        Box::pin(async move {
            let walk = move || walk(&directory, with_meta);
            assert_eq!(tokio::task::spawn_blocking(walk).await??, objects);
            Ok(())
        })
    }
}

/// How many files there are in a directory and those in it; what was asked for is kept till the end, as a listing is.
fn walk(directory: &Path, with_meta: bool) -> std::io::Result<u64> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else {
                let meta = with_meta.then(|| entry.metadata()).transpose()?;
                found.push((entry.path(), meta.map(|meta| (meta.len(), meta.modified()))));
            }
        }
    }
    Ok(found.len() as u64)
}

/// Opening reads no objects, however many there are.
async fn open(run: &mut Run, directory: &Path, objects: u64) -> Outcome {
    let few = run.directory("few")?;
    fill(&few, 10, true).await?;
    let opening = |directory: &Path| {
        let directory = directory.to_owned();
        move |_| {
            let directory = directory.clone();
            async move {
                let storage = super::ours(&directory).await?;
                assert!(storage.objects().stat("all/00/00/000001.bin").await?.is_some());
                storage.close().await?;
                Ok(())
            }
        }
    };
    let many = format!("with {objects} objects");
    Table::new(
        format!("fs-open-{objects}"),
        format!("Files: open a store with {objects} objects, stat one, close"),
    )
    .per_round(5)
    .contender(many, opening(directory))
    .contender("with 10", opening(&few))
    .goal(Goal::within("with 10", 1.5))
    .run(run)
    .await?;
    Run::remove(&few)
}
