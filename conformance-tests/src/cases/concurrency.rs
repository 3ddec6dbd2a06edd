//! Many at once, and some that give up: nothing torn, nothing stuck, nothing half done.

mod cancel;
mod cancel_others;
mod register;

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use storage_core::{ErrorKind, Result, Storage};

use self::cancel::*;
use self::cancel_others::*;
use self::register::*;
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq};
use crate::context::Ctx;
use crate::settle::settled;

cases! { concurrency:
    standard [] register_linearizable_per_key = "whatever four clients on two handles did to a key could have happened in one order, each call between its begin and its end";
    standard [Documents] register_of_documents_linearizable = "the same of documents, whose deletes also say what was there";
    standard [] register_with_calls_given_up = "the same when callers give up: a call whose end nobody learned happened once at any time since, or never";
    standard [] large_values_never_torn = "readers during overwrites see one version whole, on the same handle and another";
    standard [] readers_never_miss_during_overwrites = "an object that is overwritten again and again is there for every read, stat and listing";
    standard [] many_at_once_progress = "200 calls at once all end, and none of their writes is lost";
    standard [] close_while_busy timeout 60 = "calls under way when the storage closes finish or are Closed; what was acknowledged is there after a reopen";
    standard [] two_runtimes = "a handle works on other threads and on runtimes of either kind";
    standard [] cancel_objects_at_every_poll = "a write, delete or conditional write dropped after any number of polls happened whole or not at all, and the handle goes on";
    standard [Copy] cancel_copy_at_every_poll = "a copy dropped after any number of polls happened whole or not at all";
    standard [StreamingWrite] cancel_upload_at_every_poll = "an upload dropped at any poll of any step happened whole or not at all";
    standard [Documents] cancel_documents_at_every_poll = "a put, insert or delete of a document dropped after any number of polls happened whole or not at all, index included";
    standard [AtomicBatch] cancel_batch_at_every_poll = "a batch dropped after any number of polls happened whole or not at all";
    standard [Logs] cancel_append_at_every_poll = "an append dropped after any number of polls happened whole or not at all, and numbers stay contiguous";
    standard [] cancel_reads_at_every_poll = "every call that only reads, dropped after any number of polls, answers the next time and changed nothing";
    standard [] cancel_deletions_at_every_poll = "of a deletion of many dropped after any number of polls each happened or did not";
    standard [Documents] cancel_many_at_every_poll = "of many puts dropped after any number of polls each happened whole or not at all";
    standard [Indexes] cancel_index_at_every_poll = "an index whose making, rebuilding or dropping was dropped at any poll can be made at once and finds exactly what the documents say";
    standard [Logs] cancel_end_of_log_at_every_poll = "a log whose closing or deletion was dropped after any number of polls is as before or as after";
    standard [Expiry] cancel_sweep_at_every_poll = "a sweep dropped after any number of polls changes nothing that can be read";
    standard [] cancel_close_at_every_poll = "a close dropped after any number of polls loses nothing that was acknowledged";
}

const SIZE: usize = 256 * 1024;

async fn large_values_never_torn(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    ctx.storage().objects().write("a", vec![0_u8; SIZE]).await?;
    settled(ctx).await;
    let writers = (1..=2_u8).map(|writer| {
        let objects = if writer == 1 {
            ctx.storage().objects()
        } else {
            second.objects()
        };
        spawn(async move {
            for round in 0..20_u8 {
                // Lengths differ, so that a tail would show as well as a mix.
                let value = round * 2 + writer;
                objects
                    .write("a", vec![value; SIZE + usize::from(value) * 1000])
                    .await?;
            }
            Ok(())
        })
    });
    let readers = (0..4).map(|reader| {
        let objects = if reader % 2 == 0 {
            ctx.storage().objects()
        } else {
            second.objects()
        };
        spawn(async move {
            for _ in 0..40 {
                let Some(object) = objects.read_with("a", Default::default()).await? else {
                    return Err("an object that is only overwritten was missing".into());
                };
                let bytes = object.bytes;
                let value = bytes[0];
                ensure!(bytes.iter().all(|byte| *byte == value), "a read mixes two writes");
                ensure_eq!(
                    bytes.len(),
                    SIZE + usize::from(value) * 1000,
                    "the length of what was read"
                );
                ensure_eq!(object.meta.size, bytes.len() as u64, "the size said with it");
            }
            Ok(())
        })
    });
    all(writers.chain(readers).collect::<Vec<_>>()).await
}

async fn readers_never_miss_during_overwrites(ctx: &Ctx) -> Verdict {
    let second = ctx.second().await?;
    ctx.storage().objects().write("dir/a", "0").await?;
    settled(ctx).await;
    let objects = ctx.storage().objects();
    // The writer goes on until the readers have looked, so that every look meets a write.
    let (looked, looking) = tokio::sync::watch::channel(false);
    let writer = spawn(async move {
        let mut round = 0;
        while !*looking.borrow() {
            objects.write("dir/a", round.to_string()).await?;
            round += 1;
            // A medium in memory never waits, and would keep its thread to itself.
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    let objects = second.objects();
    let reader = spawn(async move {
        let _done = Done(looked);
        for _ in 0..60 {
            ensure!(
                objects.stat("dir/a").await?.is_some(),
                "stat missed an object that is only overwritten"
            );
            ensure!(
                objects.read("dir/a").await?.is_some(),
                "read missed an object that is only overwritten"
            );
            ensure_eq!(
                objects.list_files("dir").await?,
                ["a"],
                "a listing while its object is overwritten"
            );
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    all(vec![writer, reader]).await
}

/// Says when it is dropped, however its task ends.
struct Done(tokio::sync::watch::Sender<bool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

async fn many_at_once_progress(ctx: &Ctx) -> Verdict {
    const CALLS: usize = 200;
    let second = ctx.second().await?;
    let calls = (0..CALLS).map(|call| {
        let objects = if call % 2 == 0 {
            ctx.storage().objects()
        } else {
            second.objects()
        };
        spawn(async move {
            objects.write(format!("many/{call:03}"), call.to_string()).await?;
            let read = objects.read(format!("many/{call:03}")).await?;
            ensure_eq!(
                read.as_deref(),
                Some(call.to_string().as_bytes()),
                "call {call} reads its own write"
            );
            Ok(())
        })
    });
    all(calls.collect::<Vec<_>>()).await?;
    settled(ctx).await;
    let entries: Vec<_> = ctx.storage().objects().list("many/").collect().await;
    ensure_eq!(entries.len(), CALLS, "objects after {CALLS} writes at once");
    Ok(())
}

async fn close_while_busy(ctx: &Ctx) -> Verdict {
    for round in 0..5 {
        let storage = ctx.second().await?;
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let objects = storage.objects();
                tokio::spawn(async move {
                    let mut written = Vec::new();
                    for number in 0..200 {
                        let key = format!("{round}/{worker}/{number}");
                        match objects.write(&key, key.clone()).await {
                            Ok(_) => written.push(key),
                            Err(error) if error.kind() == ErrorKind::Closed => break,
                            Err(error) => return Err(Failure::from(error)),
                        }
                    }
                    Ok(written)
                })
            })
            .collect();
        // Let some calls begin, however fast they are, before the storage is closed under the others.
        while ctx_has_none(&storage) {
            tokio::task::yield_now().await;
        }
        storage.close().await?;
        let mut acknowledged = Vec::new();
        for worker in join_all(workers).await {
            acknowledged.extend(worker.map_err(|stopped| Failure::new(stopped.to_string()))??);
        }
        settled(ctx).await;
        for key in acknowledged {
            let read = ctx.storage().objects().read(&key).await?;
            ensure_eq!(
                read.as_deref(),
                Some(key.as_bytes()),
                "an acknowledged write after a close"
            );
        }
    }
    Ok(())
}

/// Whether no call has ended yet.
fn ctx_has_none(storage: &Storage) -> bool {
    storage.counters().calls == 0
}

async fn two_runtimes(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage().clone();
    let moved = move |multi: bool| {
        let storage = storage.clone();
        std::thread::spawn(move || -> Result<(), String> {
            let mut builder = match multi {
                true => tokio::runtime::Builder::new_multi_thread(),
                false => tokio::runtime::Builder::new_current_thread(),
            };
            let runtime = builder
                .worker_threads(1)
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let key = format!("runtime/{multi}");
                storage
                    .objects()
                    .write(&key, "x")
                    .await
                    .map_err(|error| error.to_string())?;
                let read = storage
                    .objects()
                    .read(&key)
                    .await
                    .map_err(|error| error.to_string())?;
                if read.is_none() {
                    Err("it does not read its own write".to_owned())
                } else {
                    Ok(())
                }
            })
        })
    };
    for multi in [false, true, false] {
        let thread = moved(multi);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        let result = joined.map_err(|stopped| Failure::new(stopped.to_string()))?;
        let result = result.map_err(|_| Failure::new("it panicked on another runtime"))?;
        result
            .map_err(|error| Failure::new(format!("on another runtime, multi-threaded {multi}: {error}")))?;
        // The runtime that used it is gone; this one goes on with the same handle.
        let read = ctx.storage().objects().read(format!("runtime/{multi}")).await?;
        ensure!(read.is_some(), "what was written on another runtime is not there");
        ctx.storage().objects().write("here", "x").await?;
    }
    Ok(())
}

type Task = tokio::task::JoinHandle<Verdict>;

fn spawn(work: impl Future<Output = Verdict> + Send + 'static) -> Task {
    tokio::spawn(work)
}

/// Waits for every task; the first failure is the case's.
async fn all(tasks: Vec<Task>) -> Verdict {
    for task in join_all(tasks).await {
        task.map_err(|stopped| Failure::new(stopped.to_string()))??;
    }
    Ok(())
}

/// How long a dropped call may go on in the background before it has happened or not: locks it holds are waited for.
const SETTLES: Duration = Duration::from_secs(10);
