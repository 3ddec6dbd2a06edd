//! Namespaces, access, export and erasure.

use storage_core::ErrorKind;
use storage_stores::kv::{Access, Kv, Lifetime, SetOptions};

use super::sample::{large, objects, open, open_with, options, put, sealed, text};
use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { kv_namespaces:
    smoke [Documents, Indexes] a_namespace_is_a_boundary = "namespaces, one of whose names begins with the other's too, share no entry, listing, limit, clearing or cleanup";
    standard [Documents, Indexes] names_that_cannot_be_are_refused = "an empty namespace is InvalidName, one that is too long LimitExceeded, and ../.. is a name like any other";
    standard [Documents, Indexes] a_read_only_handle_changes_nothing = "a read-only handle is refused every change before any effect, and reads";
    standard [Documents, Indexes] a_write_only_handle_learns_nothing = "a write-only handle stores and deletes, and is refused everything that tells what is there";
    standard [Documents, Indexes] a_handle_is_narrowed_and_never_widened = "narrowing a narrowed handle never gives back what was taken";
    standard [Documents, Indexes] an_export_has_everything = "an export has every entry with its value in the clear, JSON as JSON and bytes in base64, and its life";
    standard [Documents, Indexes] an_erasure_leaves_nothing = "erase removes entries, permanent and held ones and backups, objects and keys, gives a receipt, and leaves other namespaces alone";
    standard [Documents, Indexes] what_was_erased_cannot_be_put_back = "an encrypted value copied before the erasure and put back after it cannot be read, with the right key too";
}

async fn a_namespace_is_a_boundary(ctx: &Ctx) -> Verdict {
    let one = open_with(ctx.storage(), options().namespace("user").size_limit(1100)).await?;
    let two = open_with(ctx.storage(), options().namespace("user/7")).await?;
    for kv in [&one, &two] {
        put(kv, "k", &large('x')).await?;
    }
    put(&two, "k", &large('y')).await?;
    ensure_eq!(text(&one, "k").await?, Some(large('x')), "the first one's value");
    put(&two, "more", &large('z')).await?;
    ensure_kind!(
        one.set_raw("more", large('z'), SetOptions::new()).await,
        ErrorKind::LimitExceeded,
        "its own limit"
    );
    ensure_eq!(one.keys("").await?, ["k"], "the first one's keys");
    ensure_eq!(two.stats().await?.entries, 2, "the second one's entries");
    one.clear(true).await?;
    one.cleanup().await?;
    ensure_eq!(two.keys("").await?, ["k", "more"], "the second one's keys");
    ensure_eq!(text(&two, "k").await?, Some(large('y')), "the second one's value");
    ensure_eq!(
        Kv::namespaces(ctx.storage()).await?,
        ["user", "user/7"],
        "the namespaces"
    );
    Ok(())
}

async fn names_that_cannot_be_are_refused(ctx: &Ctx) -> Verdict {
    let open = async |name: &str| {
        Kv::open(ctx.storage().clone(), options().namespace(name))
            .await
            .map(drop)
    };
    ensure_kind!(open("").await, ErrorKind::InvalidName, "no name");
    ensure_kind!(
        open(&"n".repeat(1000)).await,
        ErrorKind::LimitExceeded,
        "a long name"
    );
    for name in ["../..", "a/b", "é", "C:\\x"] {
        let kv = open_with(ctx.storage(), options().namespace(name)).await?;
        put(&kv, "k", &large('x')).await?;
        ensure_eq!(text(&kv, "k").await?, Some(large('x')), "namespace {name:?}");
    }
    Ok(())
}

async fn a_read_only_handle_changes_nothing(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "k", "x").await?;
    let opened = open_with(&ctx.second().await?, options().access(Access::ReadOnly)).await?;
    for reader in [opened, kv.narrowed(Access::ReadOnly)] {
        ensure_eq!(text(&reader, "k").await?, Some("x".into()), "the value");
        ensure!(
            reader.has("k").await? && reader.info("k").await?.is_some(),
            "it is there"
        );
        let hour = std::time::Duration::from_secs(3600);
        ensure_kind!(reader.set("k", &1).await, ErrorKind::PermissionDenied, "set");
        ensure_kind!(reader.delete("k").await, ErrorKind::PermissionDenied, "delete");
        ensure_kind!(
            reader.touch("k", hour).await,
            ErrorKind::PermissionDenied,
            "touch"
        );
        ensure_kind!(
            reader.hold("k", hour).await.map(drop),
            ErrorKind::PermissionDenied,
            "hold"
        );
        ensure_kind!(
            reader.lock("k", |_| async { Ok(()) }).await,
            ErrorKind::PermissionDenied,
            "lock"
        );
        ensure_kind!(reader.clear(true).await, ErrorKind::PermissionDenied, "clear");
        ensure_kind!(reader.align().await, ErrorKind::PermissionDenied, "align");
        ensure_kind!(
            reader.cleanup().await.map(drop),
            ErrorKind::PermissionDenied,
            "cleanup"
        );
        ensure_kind!(reader.erase().await, ErrorKind::PermissionDenied, "erase");
        ensure_kind!(reader.rotate().await, ErrorKind::PermissionDenied, "rotate");
        ensure_kind!(reader.restore("k").await, ErrorKind::PermissionDenied, "restore");
    }
    ensure_eq!(text(&kv, "k").await?, Some("x".into()), "the value");
    Ok(())
}

async fn a_write_only_handle_learns_nothing(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "k", "x").await?;
    let opened = open_with(&ctx.second().await?, options().access(Access::WriteOnly)).await?;
    for (number, writer) in [opened, kv.narrowed(Access::WriteOnly)].into_iter().enumerate() {
        writer.set(format!("new {number}"), &1).await?;
        writer.delete("k").await?;
        ensure_kind!(writer.get_raw("k").await, ErrorKind::PermissionDenied, "get");
        ensure_kind!(writer.has("k").await, ErrorKind::PermissionDenied, "has");
        ensure_kind!(writer.exists("k").await, ErrorKind::PermissionDenied, "exists");
        ensure_kind!(writer.info("k").await, ErrorKind::PermissionDenied, "info");
        ensure_kind!(writer.keys("").await, ErrorKind::PermissionDenied, "keys");
        ensure_kind!(writer.stats().await, ErrorKind::PermissionDenied, "stats");
        ensure_kind!(writer.resolve("k").await, ErrorKind::PermissionDenied, "resolve");
        ensure_kind!(
            writer.export().await.map(drop),
            ErrorKind::PermissionDenied,
            "export"
        );
        ensure_kind!(writer.verify().await, ErrorKind::PermissionDenied, "verify");
    }
    ensure_eq!(kv.keys("").await?, ["new 0", "new 1"], "what was written");
    Ok(())
}

async fn a_handle_is_narrowed_and_never_widened(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    put(&kv, "k", "x").await?;
    let reader = kv.narrowed(Access::ReadOnly).narrowed(Access::ReadWrite);
    ensure_eq!(reader.access(), Access::ReadOnly, "the access");
    ensure_kind!(reader.set("k", &1).await, ErrorKind::PermissionDenied, "set");
    let nothing = reader.narrowed(Access::WriteOnly);
    ensure_kind!(
        nothing.set("k", &1).await,
        ErrorKind::PermissionDenied,
        "set by one that may nothing"
    );
    ensure_kind!(
        nothing.get_raw("k").await,
        ErrorKind::PermissionDenied,
        "get by one that may nothing"
    );
    ensure_kind!(
        nothing.touch("k", Lifetime::Forever).await,
        ErrorKind::PermissionDenied,
        "touch"
    );
    Ok(())
}

async fn an_export_has_everything(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), sealed(1)).await?;
    kv.set_with("json", &vec![1, 2], SetOptions::new().permanent())
        .await?;
    kv.set_raw("bytes", vec![0, 255], SetOptions::new()).await?;
    put(&kv, "large", &large('x')).await?;
    let mut export = kv.export().await?;
    let mut lines = Vec::new();
    while let Some(entry) = export.next().await? {
        lines.push(serde_json::to_value(&entry).map_err(|error| error.to_string())?);
    }
    let keys: Vec<&str> = lines.iter().filter_map(|line| line["key"].as_str()).collect();
    ensure_eq!(keys, ["bytes", "json", "large"], "the keys");
    ensure_eq!(lines[0]["base64"], serde_json::json!("AP8="), "bytes");
    ensure_eq!(lines[1]["json"], serde_json::json!([1, 2]), "JSON");
    ensure_eq!(lines[1]["permanent"], serde_json::json!(true), "the life");
    Ok(())
}

async fn an_erasure_leaves_nothing(ctx: &Ctx) -> Verdict {
    let kv = open_with(
        ctx.storage(),
        sealed(1).data_keys(true).backups(2).namespace("ada"),
    )
    .await?;
    let other = open_with(ctx.storage(), options().namespace("bob")).await?;
    put(&other, "k", &large('b')).await?;
    for value in [large('1'), large('2'), "3".to_owned()] {
        put(&kv, "k", &value).await?;
    }
    kv.set_with("permanent", &1, SetOptions::new().permanent())
        .await?;
    let _hold = kv.hold("k", std::time::Duration::from_secs(60)).await?;
    let receipt = kv.erase().await?;
    ensure_eq!(
        (receipt.namespace.as_str(), receipt.entries, receipt.objects),
        ("ada", 2, 4),
        "the receipt"
    );
    ensure!(
        receipt.namespace_key && receipt.data_keys == 4,
        "the keys: {receipt:?}"
    );
    ensure_eq!(objects(ctx.storage()).await?, 1, "the other's object");
    for collection in ["kv.ada", "kv_keys.ada"] {
        let documents = ctx
            .storage()
            .collection::<storage_core::bson::RawDocumentBuf>(collection);
        ensure_eq!(
            documents.count(storage_core::Query::all()).await?,
            0,
            "documents of {collection}"
        );
    }
    ensure_eq!(Kv::namespaces(ctx.storage()).await?, ["bob"], "the namespaces");
    ensure_eq!(text(&other, "k").await?, Some(large('b')), "the other's value");
    // It may be used anew, by whoever opens it, with whatever key.
    let kv = open_with(ctx.storage(), options().namespace("ada")).await?;
    ensure!(kv.keys("").await?.is_empty(), "it is empty");
    put(&kv, "k", "anew").await?;
    Ok(())
}

async fn what_was_erased_cannot_be_put_back(ctx: &Ctx) -> Verdict {
    let options = sealed(1).inline_limit(512);
    let kv = open_with(ctx.storage(), options.clone()).await?;
    put(&kv, "k", "secret").await?;
    put(&kv, "large", &large('x')).await?;
    let documents = ctx
        .storage()
        .collection::<storage_core::bson::RawDocumentBuf>("kv.default");
    let copies = [
        ("k", documents.get("k").await?.ok_or("it is there")?.value),
        ("large", documents.get("large").await?.ok_or("it is there")?.value),
    ];
    let object = kv
        .resolve("large")
        .await?
        .and_then(|place| place.object)
        .ok_or("it is in an object")?;
    let bytes = ctx
        .storage()
        .objects()
        .read(&object)
        .await?
        .ok_or("it is there")?;
    kv.erase().await?;
    for (key, copy) in &copies {
        documents.put(key, copy).await?;
    }
    ctx.storage().objects().write(&object, bytes).await?;
    let kv = open_with(ctx.storage(), options).await?;
    for (key, _) in copies {
        ensure_kind!(
            kv.get_raw(key).await,
            ErrorKind::Unauthenticated,
            "the copy of {key}"
        );
    }
    Ok(())
}
