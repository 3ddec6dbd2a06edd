//! Errors: one exact kind for each situation, with the facts a caller needs and no secret.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use storage_core::{ByteRange, Capability, Error, ErrorKind, Index, ListRequest, Query, ReadRequest, Result};

use crate::case::{Failure, Verdict, cases, check_kind, ensure, ensure_eq};
use crate::context::Ctx;

cases! { errors:
    smoke [] kind_exact_table = "each documented refusal has exactly its kind, applied nothing and is not worth repeating as it is";
    smoke [] no_secret_in_debug_display = "what the adapter was opened with shows in no error, nor in what Debug prints";
    standard [] carries_name_and_operation = "an error says what was being done, on which backend, to which name, and shows them in one line";
    standard [Documents] source_is_downcastable = "the native error is the source, of its own type";
}

/// A refusal the contract documents: what was done, a name its error must show, how it went.
struct Refusal {
    what: &'static str,
    name: &'static str,
    kind: ErrorKind,
    result: Result<()>,
}

/// Every refusal that can be brought about without a fault, given what is declared.
async fn refusals(ctx: &Ctx) -> Result<Vec<Refusal>, Failure> {
    let (storage, objects) = (ctx.storage(), ctx.storage().objects());
    let mut all = Vec::new();
    let mut add = |what, name, kind, result| {
        all.push(Refusal {
            what,
            name,
            kind,
            result,
        })
    };
    let stale = objects.write("present", "first").await?;
    let current = objects.write("present", "second").await?;

    add(
        "write of an empty key",
        "",
        ErrorKind::InvalidName,
        objects.write("", "x").await.map(drop),
    );
    let backwards = objects
        .read_range("present", ByteRange::Bounded(2, 1))
        .await
        .map(drop);
    add(
        "read of a range that ends before it begins",
        "present",
        ErrorKind::InvalidArgument,
        backwards,
    );
    let mut request = ListRequest::new("pre");
    request.limit = 0;
    add(
        "a page of none",
        "pre",
        ErrorKind::InvalidArgument,
        objects.list_page(request).await.map(drop),
    );
    let limit = usize::try_from(ctx.declaration().objects.max_key_bytes).unwrap_or(usize::MAX);
    if limit < 1 << 20 {
        let result = objects.write("k".repeat(limit + 1), "x").await.map(drop);
        add(
            "write under a key that is too long",
            "k",
            ErrorKind::LimitExceeded,
            result,
        );
    }
    let mut request = ReadRequest::default();
    request.if_version = Some(stale.clone());
    let result = objects.read_with("present", request).await.map(drop);
    add(
        "read of a version that is gone",
        "present",
        ErrorKind::PreconditionFailed,
        result,
    );
    let mut request = ReadRequest::default();
    request.unless_version = Some(current);
    let result = objects.read_with("present", request).await.map(drop);
    add("read unless changed", "present", ErrorKind::NotModified, result);
    if ctx.has(Capability::CreateIfAbsent) {
        let result = objects.create("present", "x").await.map(drop);
        add(
            "create of what is there",
            "present",
            ErrorKind::AlreadyExists,
            result,
        );
    }
    if ctx.has(Capability::CompareAndSwap) {
        let result = objects.write_if("present", "x", stale.clone()).await.map(drop);
        add(
            "replacement of a version that is gone",
            "present",
            ErrorKind::PreconditionFailed,
            result,
        );
        let result = objects.write_if("absent", "x", stale.clone()).await.map(drop);
        add(
            "replacement where nothing is",
            "absent",
            ErrorKind::PreconditionFailed,
            result,
        );
    }
    if ctx.has(Capability::DeleteIf) {
        let result = objects.delete_if("present", stale.clone()).await;
        add(
            "delete of a version that is gone",
            "present",
            ErrorKind::PreconditionFailed,
            result,
        );
    }
    if ctx.has(Capability::Documents) {
        let numbers = storage.collection::<BTreeMap<String, i64>>("numbers");
        let one = BTreeMap::from([("n".to_owned(), 1)]);
        let stale = numbers.put("present", &one).await?;
        numbers.put("present", &one).await?;
        let name = "numbers/present";
        add(
            "insert of what is there",
            name,
            ErrorKind::AlreadyExists,
            numbers.insert("present", &one).await.map(drop),
        );
        let result = numbers.put_if("present", &one, stale.clone()).await.map(drop);
        add(
            "replacement of a document that changed",
            name,
            ErrorKind::PreconditionFailed,
            result,
        );
        let result = numbers.delete_if("present", stale).await;
        add(
            "delete of a document that changed",
            name,
            ErrorKind::PreconditionFailed,
            result,
        );
        add(
            "put under an empty id",
            "",
            ErrorKind::InvalidName,
            numbers.put("", &one).await.map(drop),
        );
        let own = storage.collection::<BTreeMap<String, i64>>("_storage.leases");
        add(
            "put into the library's own collection",
            "_storage.leases/a",
            ErrorKind::InvalidName,
            own.put("a", &one).await.map(drop),
        );
        let texts = storage.collection::<String>("texts");
        let result = texts.put("a", &"no document".to_owned()).await.map(drop);
        add(
            "put of what is no document",
            "texts/a",
            ErrorKind::InvalidArgument,
            result,
        );
        let result = storage
            .lease("lease", Duration::ZERO)
            .try_acquire()
            .await
            .map(drop);
        add("a lease for no time", "lease", ErrorKind::InvalidArgument, result);
        if ctx.has(Capability::Indexes) {
            let result = numbers.find(Query::eq("n", 1)).await.map(drop);
            add(
                "find no index answers",
                "numbers",
                ErrorKind::IndexRequired,
                result,
            );
            let result = numbers.rebuild_index("missing").await;
            add(
                "rebuild of an index that is not there",
                "missing",
                ErrorKind::NotFound,
                result,
            );
            let result = numbers.index_stats("missing").await.map(drop);
            add(
                "figures of an index that is not there",
                "missing",
                ErrorKind::NotFound,
                result,
            );
            numbers.ensure_index(Index::btree("by_n", ["n"])).await?;
            let result = numbers.ensure_index(Index::btree("by_n", ["m"])).await.map(drop);
            add(
                "another index of a name that is taken",
                "by_n",
                ErrorKind::AlreadyExists,
                result,
            );
            let result = numbers
                .ensure_index(Index::btree("none", Vec::<&str>::new()))
                .await
                .map(drop);
            add(
                "an index over no fields",
                "none",
                ErrorKind::InvalidArgument,
                result,
            );
        }
        if ctx.has(Capability::UniqueIndexes) {
            numbers
                .ensure_index(Index::btree("one_n", ["n"]).unique())
                .await?;
            let result = numbers.put("second", &one).await.map(drop);
            add(
                "put of a value that is taken",
                "numbers/second",
                ErrorKind::UniqueViolation,
                result,
            );
        }
    }
    if ctx.has(Capability::Logs) {
        let log = storage.log("log");
        log.append("first").await?;
        let result = log.append_at(0, ["other"]).await.map(drop);
        add(
            "append where another entry stands",
            "log",
            ErrorKind::PreconditionFailed,
            result,
        );
        let result = log.append_at(7, ["late"]).await.map(drop);
        add(
            "append beyond the end",
            "log",
            ErrorKind::PreconditionFailed,
            result,
        );
        add(
            "a page of no entries",
            "log",
            ErrorKind::InvalidArgument,
            log.read(0, 0).await.map(drop),
        );
        log.close().await?;
        add(
            "append to a closed log",
            "log",
            ErrorKind::LogClosed,
            log.append("late").await.map(drop),
        );
    }
    for capability in Capability::ALL {
        if !ctx.has(*capability) {
            let result = storage.require(&[*capability]);
            add(
                "a requirement that is not met",
                "",
                ErrorKind::Unsupported,
                result,
            );
        }
    }
    let closed = ctx.second().await?;
    closed.close().await?;
    let result = closed.objects().read("present").await.map(drop);
    add("read after close", "present", ErrorKind::Closed, result);
    Ok(all)
}

async fn kind_exact_table(ctx: &Ctx) -> Verdict {
    for Refusal {
        what, kind, result, ..
    } in refusals(ctx).await?
    {
        let error = check_kind(result, kind).map_err(|problem| Failure::new(format!("{what}: {problem}")))?;
        ensure_eq!(
            error.retry(),
            storage_core::Retry::Never,
            "{what}: whether the same call may succeed later"
        );
    }
    Ok(())
}

async fn carries_name_and_operation(ctx: &Ctx) -> Verdict {
    for Refusal {
        what, name, result, ..
    } in refusals(ctx).await?
    {
        let Err(error) = result else {
            return Err(format!("{what} was not refused").into());
        };
        ensure!(
            !error.operation().is_empty(),
            "{what}: no operation: failed to {error}"
        );
        ensure_eq!(error.backend(), ctx.declaration().backend, "{what}: the backend");
        ensure!(
            !error.message().is_empty(),
            "{what}: no message: failed to {error}"
        );
        let key = error.key();
        ensure!(
            name.is_empty() || key.is_some(),
            "{what}: no key: failed to {error}"
        );
        let line = error.to_string();
        ensure!(!line.contains('\n'), "{what}: more than one line: {line:?}");
        ensure!(
            line.contains(name),
            "{what}: the line does not name {name:?}: {line:?}"
        );
        ensure!(
            line.starts_with(error.operation()),
            "{what}: the line does not begin with the operation: {line:?}"
        );
        ensure!(
            line.contains(error.message()),
            "{what}: the line lacks the message: {line:?}"
        );
    }
    Ok(())
}

async fn no_secret_in_debug_display(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let mut texts = vec![
        ("Debug of the storage", format!("{storage:?}")),
        (
            "Debug of the adapter",
            format!("{:?} {:#?}", storage.adapter(), storage.adapter()),
        ),
        ("the declaration", format!("{:?}", storage.declaration())),
    ];
    for Refusal { what, result, .. } in refusals(ctx).await? {
        if let Err(error) = result {
            texts.push((what, shown(&error)));
        }
    }
    for (what, text) in texts {
        for secret in ctx.secrets() {
            // The message must not show the secret either.
            ensure!(
                secret.is_empty() || !text.contains(secret.as_str()),
                "{what} shows a secret the harness named"
            );
        }
    }
    Ok(())
}

/// Every text an error has.
fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

async fn source_is_downcastable(ctx: &Ctx) -> Verdict {
    #[derive(Serialize, Deserialize)]
    struct Number {
        n: i64,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Text {
        n: String,
    }
    ctx.storage()
        .collection::<Number>("mixed")
        .put("a", &Number { n: 1 })
        .await?;
    let read = ctx.storage().collection::<Text>("mixed").get("a").await;
    let error = check_kind(read, ErrorKind::InvalidArgument).map_err(Failure::new)?;
    let Some(source) = std::error::Error::source(&error) else {
        return Err("no source".into());
    };
    ensure!(
        source.is::<storage_core::bson::error::Error>(),
        "the source is not the native error: {source:?}"
    );
    ensure!(
        !error.to_string().contains(&source.to_string()),
        "the line repeats its source: {error}"
    );
    // Streams of a refused call carry the error too.
    let listed: Result<Vec<_>> = ctx.storage().objects().list("a\0").try_collect().await;
    check_kind(listed, ErrorKind::InvalidName).map_err(Failure::new)?;
    Ok(())
}
