//! Where it all lies, and how to look at it.

use std::path::Path;

use storage_factory::StorageUrl;

use super::keep::{COLLECTION, PREFIX};
use super::run::{ID, LOG};
use crate::session::{Said, Session};

/// What to say at the end.
pub(super) fn places(session: &Session, said: &Said) -> Vec<String> {
    let (first, second) = said.urls();
    let mut lines = vec![
        String::new(),
        format!(
            "It lies in {}{}.",
            first,
            second.map_or(String::new(), |url| format!(" and {url}"))
        ),
    ];
    if first.scheme() == "memory" && second.is_none() {
        lines.push(
            "That was memory: it is gone with this process. Without --url and STORAGE_URL it would be files in ./data.".into(),
        );
        return lines;
    }
    lines.push("Look at it with the same settings:".into());
    let mut program = program();
    if session.url().is_some() {
        program.push_str(&format!(" --url '{first}'"));
    }
    for arguments in [
        format!("ls --long {PREFIX}"),
        format!("doc find {COLLECTION} --sort -size --limit 3"),
        format!("log read {LOG}"),
        format!("exec output {ID}"),
    ] {
        lines.push(format!("  {program} {arguments}"));
    }
    lines.push("or without this program:".into());
    let before = lines.len();
    for url in std::iter::once(first).chain(second) {
        lines.extend(by_hand(url).into_iter().map(|line| format!("  {line}")));
    }
    if lines.len() == before {
        lines.pop();
    }
    lines
}

/// This program as it was called, so that the line works where `storage` is not installed.
fn program() -> String {
    std::env::args()
        .next()
        .map_or_else(|| "storage".to_owned(), |program| quoted(&program))
}

/// Commands every machine has, as far as what they name is there.
fn by_hand(url: &StorageUrl) -> Vec<String> {
    let root = url.path().trim_end_matches('/');
    match url.scheme() {
        "fs" | "file" => [
            ("ls", format!("{root}/{PREFIX}")),
            ("ls", format!("{root}/.storage/documents/{COLLECTION}/")),
            ("tail -f", format!("{root}/.storage/logs/{LOG}.jsonl")),
        ]
        .into_iter()
        .filter(|(_, path)| Path::new(path).exists())
        .map(|(command, path)| format!("{command} {}", quoted(&path)))
        .collect(),
        "sqlite" if Path::new(root).exists() => vec![format!(
            "sqlite3 {} 'SELECT path, size FROM {COLLECTION} ORDER BY size DESC LIMIT 5'",
            quoted(root)
        )],
        _ => Vec::new(),
    }
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = path
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "./_-%+,@:".contains(c));
    if plain {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}
