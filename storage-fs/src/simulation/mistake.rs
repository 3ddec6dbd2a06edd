//! Mistakes one could make in a write path, made in the replay: the code stays as it is, and the disk behaves as if a step of it were
//! missing or elsewhere. Each must be noticed, or nothing the simulation says is worth anything.

use super::disk::Node;
use super::event::{Event, Synced};

/// A step that is left out or made too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Files are not synced before they get their name.
    NoFileSync,
    /// A directory is not synced after a file in it got its name.
    NoDirectorySyncAfterRename,
    /// A directory is not synced after a name in it was removed.
    NoDirectorySyncAfterUnlink,
    /// What a new directory stands in is not synced.
    NoSyncOfParent,
    /// A file gets its name first and is synced then.
    RenameBeforeSync,
    /// The version is put on the file when it has its name.
    AttributeAfterRename,
    /// An append is acknowledged and synced then.
    AppendAcknowledgedBeforeSync,
    /// A temporary is written where listings look.
    TemporaryInSight,
}

impl Mistake {
    pub(crate) const ALL: [Self; 8] = [
        Self::NoFileSync,
        Self::NoDirectorySyncAfterRename,
        Self::NoDirectorySyncAfterUnlink,
        Self::NoSyncOfParent,
        Self::RenameBeforeSync,
        Self::AttributeAfterRename,
        Self::AppendAcknowledgedBeforeSync,
        Self::TemporaryInSight,
    ];

    /// What would have happened once the root was open. As many events as before, so that a place in them means the same.
    pub(crate) fn make(self, events: &mut [Event]) {
        let opened = events.iter().position(|event| *event == Event::Answered(0));
        let opened = opened.map_or(0, |at| at + 1);
        match self {
            Self::NoFileSync => skip(events, opened, |_, event| is_sync(event, Synced::File).is_some()),
            Self::NoDirectorySyncAfterRename => skip(events, opened, |before, event| {
                is_sync(event, Synced::Directory)
                    .is_some_and(|node| last_name_in(before, node) == Some(Changed::File))
            }),
            Self::NoDirectorySyncAfterUnlink => skip(events, opened, |before, event| {
                is_sync(event, Synced::Directory)
                    .is_some_and(|node| last_name_in(before, node) == Some(Changed::Removed))
            }),
            Self::NoSyncOfParent => skip(events, opened, |before, event| {
                is_sync(event, Synced::Directory)
                    .is_some_and(|node| last_name_in(before, node) == Some(Changed::Directory))
            }),
            Self::RenameBeforeSync => delay(&mut events[opened..], |event| is_sync(event, Synced::File)),
            Self::AttributeAfterRename => delay(&mut events[opened..], |event| match event {
                Event::Attribute { file, .. } => Some(*file),
                _ => None,
            }),
            Self::AppendAcknowledgedBeforeSync => {
                for at in opened..events.len().saturating_sub(1) {
                    if is_sync(&events[at], Synced::Data).is_some()
                        && matches!(events[at + 1], Event::Answered(_))
                    {
                        events.swap(at, at + 1);
                    }
                }
            }
            Self::TemporaryInSight => in_sight(events, opened),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    File,
    Directory,
    Removed,
}

fn is_sync(event: &Event, wanted: Synced) -> Option<Node> {
    match event {
        Event::Sync { node, what } if *what == wanted => Some(*node),
        _ => None,
    }
}

/// What the last change of names in a directory was.
fn last_name_in(before: &[Event], node: Node) -> Option<Changed> {
    before.iter().rev().find_map(|event| match event {
        Event::Name { directory, means, .. } if *directory == node => Some(match means {
            None => Changed::Removed,
            Some(means) if before.contains(&Event::Directory(*means)) => Changed::Directory,
            Some(_) => Changed::File,
        }),
        _ => None,
    })
}

fn skip(events: &mut [Event], opened: usize, which: impl Fn(&[Event], &Event) -> bool) {
    for at in opened..events.len() {
        let (before, rest) = events.split_at_mut(at);
        if which(before, &rest[0]) {
            rest[0] = Event::Skipped;
        }
    }
}

/// Moves events about a file behind the next one that gives it another name.
fn delay(events: &mut [Event], which: impl Fn(&Event) -> Option<Node>) {
    let mut at = 0;
    while at < events.len() {
        if let Some(file) = which(&events[at]) {
            let named = events[at..]
                .iter()
                .position(|event| matches!(event, Event::Name { means, .. } if *means == Some(file)));
            if let Some(named) = named {
                events[at..=at + named].rotate_left(1);
                // What moved up is looked at, too; what was moved is done with.
                if which(&events[at]) == Some(file) {
                    continue;
                }
            }
        }
        at += 1;
    }
}

/// Gives every temporary a name in the top directory of the root instead of that of temporaries.
fn in_sight(events: &mut [Event], opened: usize) {
    let named = |events: &[Event], wanted: &str| {
        events.iter().find_map(|event| match event {
            Event::Name { name, means, .. } if name == wanted => *means,
            _ => None,
        })
    };
    let (Some(root), Some(staging)) = (named(events, "root"), named(events, "staging")) else {
        return;
    };
    for event in &mut events[opened..] {
        if let Event::Name { directory, name, .. } = event
            && *directory == staging
        {
            *directory = root;
            name.push_str(".tmp");
        }
    }
}
