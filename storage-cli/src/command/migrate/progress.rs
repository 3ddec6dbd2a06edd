//! How far long work has come: a bar on a terminal, a line for each collection elsewhere.

use std::io::{IsTerminal, Write};

use storage_stores::collections::{MigrationOptions, Progress, Task};

use crate::text;

/// The width of the bar, so that it fits a line of 80 with what stands beside it.
const WIDTH: u64 = 30;

/// The options, with the progress shown on standard error.
pub(crate) fn shown(options: MigrationOptions) -> MigrationOptions {
    let terminal = std::io::stderr().is_terminal();
    options.progress(move |progress| {
        if terminal {
            let end = if progress.done >= progress.total { "\n" } else { "" };
            // Who cannot see it does not need it.
            let _ = write!(
                std::io::stderr(),
                "\r\x1b[K{} {}{end}",
                line(progress),
                bar(progress)
            );
        } else if progress.done >= progress.total {
            say(&line(progress));
        }
    })
}

/// Tells a person something.
pub(crate) fn say(message: &str) {
    eprintln!("storage: {message}");
}

fn line(progress: &Progress) -> String {
    let task = match &progress.task {
        Task::Migrate(version) => format!("migrate to {version}"),
        Task::RollBack(version) => format!("roll back {version}"),
        Task::BackUp(name) => format!("back up {}", text::name(name)),
        Task::Restore(name) => format!("restore {}", text::name(name)),
        _ => "work".to_owned(),
    };
    let of = format!("{} of {}", progress.done, progress.total);
    match progress.collection.as_str() {
        "(objects)" => format!("{task}: objects, {of}"),
        "(logs)" => format!("{task}: logs, {of}"),
        collection => format!("{task}: {}, {of} documents", text::name(collection)),
    }
}

fn bar(progress: &Progress) -> String {
    let full = match progress.total {
        0 => WIDTH,
        total => (progress.done.min(total) * WIDTH) / total,
    };
    let cells = (0..WIDTH).map(|cell| if cell < full { '#' } else { '.' });
    format!("[{}]", cells.collect::<String>())
}
