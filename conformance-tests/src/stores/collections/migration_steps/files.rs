//! Migrations that are read from JSON.

use storage_core::ErrorKind;
use storage_core::bson::doc;
use storage_stores::collections::{Migration, Step};

use super::super::migration_sample::{all, load, migrations};
use crate::case::{Verdict, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

const FILE: &str = r#"{
    "version": "1.1.0",
    "description": "from a file",
    "up": [
        { "add_field": { "collection": "users", "field": "since", "value": { "$date": "2024-02-29T12:00:00.000Z" } } },
        { "rename_field": { "collection": "users", "from": "mail", "to": "email" } }
    ]
}"#;

pub(super) async fn files_say_what_code_says(ctx: &Ctx) -> Verdict {
    load(ctx.storage()).await?;
    let from_file = Migration::from_json(FILE.as_bytes())?;
    migrations(ctx.storage(), [from_file])?.migrate().await?;
    let date = storage_core::bson::DateTime::from_millis(1_709_208_000_000);
    ensure_eq!(
        all(ctx.storage(), "users").await?["ada"],
        doc! { "name": "Ada", "email": "ada@x.org", "since": date, "_schema": "1.1.0" },
        "what it did"
    );
    let in_code = Migration::new("1.1.0", "in code")
        .up(Step::add_field("users", "since", date))
        .up(Step::rename_field("users", "mail", "email"));
    let set = migrations(ctx.storage(), [in_code])?;
    ensure_eq!(
        set.migrate().await?.applied,
        [],
        "the same in code is applied already"
    );
    set.rollback_to("0.0.0").await?;
    ensure_eq!(
        all(ctx.storage(), "users").await?["ada"],
        doc! { "name": "Ada", "mail": "ada@x.org" },
        "after going back"
    );
    Ok(())
}

pub(super) async fn files_that_are_wrong_are_refused(_: &Ctx) -> Verdict {
    let step = |step: &str| format!(r#"{{"version":"1.0.0","description":"d","up":[{step}]}}"#);
    let wrong = [
        (r#"{"description":"d","up":[]}"#.to_owned(), "version"),
        (r#"{"version":"1.0.0","description":"d"}"#.to_owned(), "up"),
        (
            r#"{"version":"1.0.0","description":"d","up":[],"dwon":[]}"#.to_owned(),
            "dwon",
        ),
        (step(r#"{"drop_field":{"collection":"c"}}"#), "field"),
        (
            step(r#"{"drop_field":{"collection":"c","field":"f","feild":1}}"#),
            "feild",
        ),
        (
            step(r#"{"transform":{"collection":"c","name":"f"}}"#),
            "transform",
        ),
        (step(r#"{"add_field":{"collection":"c","field":"f"}}"#), "value"),
        (
            step(r#"{"add_index":{"collection":"c","index":{"name":"i"}}}"#),
            "index",
        ),
        (
            step(r#"{"drop_field":{"collection":"c","field":"f"}},{"x":1}"#),
            "step 2",
        ),
    ];
    for (text, named) in wrong {
        match Migration::from_json(text.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::InvalidArgument => {
                ensure!(
                    error.to_string().contains(named),
                    "{text}: it names {named}: {error}"
                );
            }
            other => return Err(format!("{text}: expected InvalidArgument, got {other:?}").into()),
        }
    }
    ensure_kind!(Migration::from_json(b"{"), ErrorKind::Corrupt, "no JSON");
    Ok(())
}
