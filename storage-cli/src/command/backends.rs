//! `storage backends`: what each backend can do, from its own declaration.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use storage_core::{Capability, Consistency, Declaration, Durability, StorageBackend, Support, Versions};
use storage_factory::{Place, Scheme, StorageUrl};

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use crate::table::Table;
use crate::text;

/// Each backend is opened in memory or in a temporary directory and asked; with --url, only that storage is.
#[derive(Debug, Args)]
pub(crate) struct Backends {
    /// The declarations as JSON
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How the table is laid out
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Markdown,
}

/// Declarations by the name of the column.
type Declarations = BTreeMap<String, Declaration>;

impl Backends {
    pub(crate) async fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let declarations = match session.url() {
            Some(_) => {
                let declaration = session
                    .with_storage(async |storage| Ok(storage.declaration().clone()))
                    .await?;
                Declarations::from([(declaration.backend.to_string(), declaration)])
            }
            None => declared(session).await?,
        };
        if self.json {
            return output.json(&declarations);
        }
        let markdown = self.format == Format::Markdown;
        let (table, notes) = table(&declarations);
        output.line(table.render(markdown))?;
        for (number, note) in notes.iter().enumerate() {
            // In Markdown only a blank line ends the table, and the line.
            let before = if markdown { "\n" } else { "" };
            output.line(format!("{before}[{}] {note}", number + 1))?;
        }
        Ok(())
    }
}

/// Opens every scheme where that needs nothing but a temporary directory. A scheme that wants a server says so.
async fn declared(session: &Session) -> Result<Declarations> {
    let directory = tempfile::tempdir().map_err(Failure::local("make a temporary directory"))?;
    let mut declarations = Declarations::new();
    for scheme in session.factory().schemes() {
        let Some(url) = temporary(scheme, directory.path()) else {
            eprintln!(
                "storage: {}: is left out, it needs an address (--url)",
                scheme.name()
            );
            continue;
        };
        let adapter = session.factory().open_adapter(url.with_secrets()).await?;
        declarations.insert(scheme.name().to_owned(), adapter.declaration().clone());
        adapter.close().await?;
    }
    Ok(declarations)
}

fn temporary(scheme: &Scheme, directory: &std::path::Path) -> Option<StorageUrl> {
    let name = scheme.name();
    let path = directory.join(name);
    match scheme.place_kind() {
        Place::Nothing => Some(StorageUrl::from_path(name, "")),
        Place::Directory | Place::File => path.to_str().map(|path| StorageUrl::from_path(name, path)),
        _ => None,
    }
}

/// The table, and the notes its numbers in brackets stand for.
fn table(declarations: &Declarations) -> (Table, Vec<String>) {
    let mut table =
        Table::new(std::iter::once(String::new()).chain(declarations.keys().map(|name| format!("`{name}`"))));
    let mut notes: Vec<String> = Vec::new();
    let mut noted = |word: &str, note: String| {
        let known = notes.iter().position(|known| *known == note);
        let at = known.unwrap_or_else(|| {
            notes.push(note);
            notes.len() - 1
        });
        format!("{word} [{}]", at + 1)
    };
    for capability in Capability::ALL {
        let label = match meaning(*capability) {
            Some(meaning) if meaning == capability.as_str() => meaning.to_owned(),
            Some(meaning) => format!("{meaning} (`{capability}`)"),
            None => format!("`{capability}`"),
        };
        let cells = declarations
            .values()
            .map(|declaration| match declaration.support(*capability) {
                Support::Native => "yes".to_owned(),
                Support::Emulated { cost } => noted("yes", format!("emulated: {cost}")),
                _ => match declaration.reasons.get(capability) {
                    Some(reason) => noted("no", reason.to_string()),
                    None => "no".to_owned(),
                },
            });
        let row: Vec<_> = std::iter::once(label).chain(cells).collect();
        table.row(row);
    }
    for (label, show) in FACTS {
        table.row(std::iter::once((*label).to_owned()).chain(declarations.values().map(show)));
    }
    (table, notes)
}

const fn meaning(capability: Capability) -> Option<&'static str> {
    Some(match capability {
        Capability::AtomicBatch => "several documents, all or nothing",
        Capability::CompareAndSwap => "write an object only over a given version",
        Capability::Copy => "copy an object",
        Capability::CreateIfAbsent => "write an object only where none is",
        Capability::DeleteIf => "delete only a given version of an object",
        Capability::Documents => "documents",
        Capability::Expiry => "documents that expire",
        Capability::GuardedWrite => "document writes fenced by a lease",
        Capability::Indexes => "indexes and queries",
        Capability::Logs => "logs",
        Capability::ObjectGuard => "object writes guarded by another object",
        Capability::Presign => "URLs that anyone can read an object under",
        Capability::StreamingWrite => "objects written piece by piece",
        Capability::UniqueIndexes => "indexes without equal values",
        Capability::Watch => "changes of a collection as they happen",
        _ => return None,
    })
}

type Fact = (&'static str, fn(&Declaration) -> String);

const FACTS: &[Fact] = &[
    ("an acknowledged write survives", |declaration| {
        let objects = durability(declaration.objects.durability);
        let documents = declaration
            .documents
            .as_ref()
            .map_or(objects, |section| durability(section.durability));
        let logs = declaration
            .logs
            .as_ref()
            .map_or(objects, |section| durability(section.durability));
        if objects == documents && objects == logs {
            return objects.to_owned();
        }
        format!("objects: {objects}; documents: {documents}; logs: {logs}")
    }),
    ("others see a write", |declaration| {
        match declaration.objects.consistency {
            Consistency::Linearizable => "at once".to_owned(),
            Consistency::Eventual { bound } => format!("within {bound:?}"),
            _ => "?".to_owned(),
        }
    }),
    ("versions of objects", |declaration| {
        match declaration.objects.versions {
            Versions::Unique => "one per write",
            Versions::ContentHash => "one per content",
            _ => "?",
        }
        .to_owned()
    }),
    ("longest key", |declaration| {
        text::size(declaration.objects.max_key_bytes)
    }),
    ("largest object", |declaration| {
        declaration
            .objects
            .max_object_bytes
            .map_or_else(|| "as the medium has room".to_owned(), text::size)
    }),
    ("largest document", |declaration| {
        declaration.documents.as_ref().map_or_else(
            || "-".to_owned(),
            |section| text::size(section.max_document_bytes),
        )
    }),
];

const fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "nothing",
        Durability::ProcessCrash => "a crash of the process",
        Durability::PowerLoss => "loss of power",
        Durability::Replicated => "loss of a machine",
        _ => "?",
    }
}
