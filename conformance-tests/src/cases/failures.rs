//! A medium that fails at each of its calls in turn: what the adapter says of it is true.

use futures::future::BoxFuture;
use storage_core::bson::{Document, doc};
use storage_core::{Applied, Capability, Result, Storage};

use crate::case::{Failure, Verdict, cases, ensure};
use crate::context::Ctx;
use crate::digest::digest;
use crate::faulty::Fault;

cases! { failures:
    standard [] refused_calls from Failures =
        "whichever call its medium refuses, what an adapter says was not applied was not, and what it says was done was done";
    standard [] lost_answers from Failures =
        "whichever answer of its medium is lost, an adapter does not say that nothing was applied where something was";
}

/// After so many calls to the medium an operation is taken not to end.
const MOST_CALLS: usize = 200;

/// A write of its own for each number, and whether what it does is there.
struct Attempt {
    name: &'static str,
    capability: Option<Capability>,
    make: for<'a> fn(&'a Storage, usize) -> BoxFuture<'a, Result<()>>,
    is_done: for<'a> fn(&'a Storage, usize) -> BoxFuture<'a, Result<bool>>,
}

macro_rules! attempts {
    ($($name:literal $capability:expr => |$storage:ident, $n:ident| $make:expr => $is_done:expr;)+) => {
        &[$(Attempt {
            name: $name,
            capability: $capability,
            make: |$storage, $n| Box::pin(async move { $make.await.map(drop) }),
            is_done: |$storage, $n| Box::pin(async move { Ok($is_done) }),
        }),+]
    };
}

const ATTEMPTS: &[Attempt] = attempts! {
    "write" None => |storage, n| storage.objects().write(format!("write/{n}"), "new")
        => storage.objects().read(format!("write/{n}")).await?.is_some();
    "overwrite" None => |storage, n| storage.objects().write("object", format!("{n}"))
        => storage.objects().read("object").await? == Some(format!("{n}").into());
    "create" Some(Capability::CreateIfAbsent) => |storage, n| storage.objects().create(format!("create/{n}"), "new")
        => storage.objects().read(format!("create/{n}")).await?.is_some();
    "put" Some(Capability::Documents) => |storage, n| documents(storage).put(format!("put-{n}"), &number(n))
        => documents(storage).get(format!("put-{n}")).await?.is_some();
    "put over" Some(Capability::Documents) => |storage, n| documents(storage).put("document", &number(n))
        => documents(storage).get("document").await?.is_some_and(|document| document.value == number(n));
    "batch" Some(Capability::AtomicBatch) => |storage, n| {
        let documents = documents(storage);
        let batch = storage.batch().put(&documents, format!("one-{n}"), &number(n));
        batch.put(&documents, format!("other-{n}"), &number(n)).commit()
    } => {
        let both = documents(storage).get_many([format!("one-{n}"), format!("other-{n}")]).await?;
        both.iter().all(Option::is_some)
    };
    "append" Some(Capability::Logs) => |storage, n| storage.log(format!("log-{n}")).append_all(["x", "y"])
        => storage.log(format!("log-{n}")).len().await? == 2;
};

fn documents(storage: &Storage) -> storage_core::Collection<Document> {
    storage.collection("documents")
}

fn number(n: usize) -> Document {
    doc! { "n": i64::try_from(n).unwrap_or(i64::MAX) }
}

async fn refused_calls(ctx: &Ctx) -> Verdict {
    fails_everywhere(ctx, Fault::BeforeTheCall).await
}

async fn lost_answers(ctx: &Ctx) -> Verdict {
    fails_everywhere(ctx, Fault::AfterTheCall).await
}

async fn fails_everywhere(ctx: &Ctx, fault: Fault) -> Verdict {
    let storage = ctx.storage();
    storage.objects().write("object", "as it was").await?;
    if ctx.has(Capability::Documents) {
        documents(storage).put("document", &doc! { "n": -1_i64 }).await?;
    }
    for attempt in ATTEMPTS {
        if attempt.capability.is_some_and(|capability| !ctx.has(capability)) {
            continue;
        }
        for at in 0.. {
            ensure!(at < MOST_CALLS, "{} does not end", attempt.name);
            let before = digest(storage).await?;
            let Some((client, medium)) = ctx.failing(at, fault).await? else {
                return Err(Failure::new("the harness offers failures, and gives none"));
            };
            let ended = (attempt.make)(&client, at).await;
            let checked = is_true(storage, attempt, at, ended, &before).await;
            let failing = format!("{}, whose medium fails at call {at} ({fault:?})", attempt.name);
            checked.map_err(|failure| failure.in_context(&failing))?;
            if !medium.was_reached() {
                ensure!(at > 0, "{} makes no call that could fail", attempt.name);
                break;
            }
        }
    }
    Ok(())
}

/// Whether what was said of an attempt is so, seen by a client whose medium works.
async fn is_true(
    storage: &Storage,
    attempt: &Attempt,
    at: usize,
    ended: Result<()>,
    before: &std::collections::BTreeMap<String, String>,
) -> Verdict {
    let is_done = (attempt.is_done)(storage, at).await?;
    let is_as_before = digest(storage).await? == *before;
    match ended {
        Ok(()) => ensure!(is_done, "it says that it was done, and it was not"),
        Err(error) if error.applied() == Applied::No => ensure!(
            is_as_before,
            "it says that nothing was applied, and something was: failed to {error}"
        ),
        Err(error) => ensure!(
            is_done || is_as_before,
            "it left something half done: failed to {error}"
        ),
    }
    Ok(())
}
