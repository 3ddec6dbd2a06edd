//! The declaration: stable, coherent, and the measure of what a program may require.

use storage_core::{Capability, ErrorKind, Support};

use crate::case::{Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { declaration:
    smoke [] is_stable = "it is the same before and after use, on a second client and after a reopen";
    smoke [] is_coherent = "capabilities that need another have it, limits allow something, emulations say what they cost";
    standard [] required_names_what_is_missing = "requiring succeeds for what is declared, and else fails at open with the capability's name";
}

async fn is_stable(ctx: &Ctx) -> Verdict {
    let before = ctx.declaration().clone();
    ctx.storage().objects().write("a", "x").await?;
    ctx.storage().objects().read("a").await?;
    ensure_eq!(
        *ctx.storage().adapter().declaration(),
        before,
        "the declaration after use"
    );
    ensure_eq!(
        *ctx.second().await?.declaration(),
        before,
        "the declaration of a second client"
    );
    ensure_eq!(
        *ctx.reopen().await?.declaration(),
        before,
        "the declaration after a reopen"
    );
    Ok(())
}

async fn is_coherent(ctx: &Ctx) -> Verdict {
    let declaration = ctx.declaration();
    ensure!(!declaration.backend.is_empty(), "the backend has no name");
    let objects = &declaration.objects;
    ensure!(objects.max_key_bytes >= 1, "no key is short enough");
    ensure!(
        objects.max_object_bytes != Some(0),
        "only empty objects are small enough"
    );
    for capability in Capability::ALL {
        if let Support::Emulated { cost } = declaration.support(*capability) {
            ensure!(
                !cost.trim().is_empty(),
                "{capability} is emulated at no cost that is named"
            );
        }
    }
    if let Some(documents) = &declaration.documents {
        let unique = documents.unique_indexes.is_present();
        ensure!(
            !unique || documents.indexes.is_present(),
            "unique indexes without indexes"
        );
        for (limit, value) in [
            ("max_id_bytes", documents.max_id_bytes),
            ("max_name_bytes", documents.max_name_bytes),
            ("max_document_bytes", documents.max_document_bytes),
            ("max_index_key_bytes", documents.max_index_key_bytes),
            ("max_batch_operations", documents.max_batch_operations),
            ("max_page_documents", documents.max_page_documents),
        ] {
            ensure!(value >= 1, "{limit} allows nothing");
        }
    }
    if let Some(logs) = &declaration.logs {
        let least = logs
            .max_name_bytes
            .min(logs.max_append_bytes)
            .min(logs.max_entries);
        ensure!(least >= 1, "a limit of logs allows nothing");
    }
    Ok(())
}

async fn required_names_what_is_missing(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    for capability in Capability::ALL {
        let required = storage.require(&[*capability]);
        if ctx.has(*capability) {
            required?;
            continue;
        }
        let text = required
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        ensure!(
            text.contains(capability.as_str()),
            "the error does not name {capability}: {text:?}"
        );
        ensure_kind!(required, ErrorKind::Unsupported, "requiring {capability}");
        let among = storage.require(&[Capability::ALL[0], *capability]);
        ensure_kind!(
            among,
            ErrorKind::Unsupported,
            "requiring {capability} among others"
        );
    }
    Ok(storage.require(&[])?)
}
