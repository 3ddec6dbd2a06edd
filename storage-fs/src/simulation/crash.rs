//! What a disk may hold after power was lost: every mixture of what was durable and what was on its way.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::{Content, Disk, Effect, Node, Part, Thing};
use super::tree::{Branch, Item, SCRATCH, Tree, nodes_in};

/// The most mixtures of one crash point that are all looked at; of more, this many are drawn.
const MAX_MIXTURES: usize = 256;

/// Draws the same ones every time.
const SEED: u64 = 0x5EED;

/// What of a write may have reached the disk, for the last of a file and for those before it.
const LAST: &[Part] = &[
    Part::Nothing,
    Part::Whole,
    Part::Length,
    Part::Cut,
    Part::Beginning,
    Part::End,
];
const EARLIER: &[Part] = &[Part::Nothing, Part::Whole, Part::Length];
const INDIVISIBLE: &[Part] = &[Part::Nothing, Part::Whole];

/// One thing that is not decided by what was synced.
#[derive(Debug)]
enum Open {
    Name {
        directory: Node,
        name: String,
        meanings: Vec<Option<Node>>,
    },
    Effect {
        file: Node,
        at: usize,
        parts: &'static [Part],
    },
    /// Of the scratch directories: as they were, as they are, with everything left over that ever was there, or with the newest.
    Scratch,
}

impl Open {
    fn choices(&self) -> usize {
        match self {
            Self::Name { meanings, .. } => meanings.len(),
            Self::Effect { parts, .. } => parts.len(),
            Self::Scratch => 4,
        }
    }
}

/// Every state a crash now may leave, or a sample where there are too many. The second is whether it is a sample.
pub(crate) fn states(disk: &Disk) -> (Vec<Tree>, bool) {
    let open = undecided(disk);
    let total = open
        .iter()
        .try_fold(1_usize, |total, open| total.checked_mul(open.choices()))
        .unwrap_or(usize::MAX);
    if total <= MAX_MIXTURES {
        let all = (0..total).map(|number| {
            let mut rest = number;
            let choice = open.iter().map(|open| {
                let chosen = rest % open.choices();
                rest /= open.choices();
                chosen
            });
            let choice: Vec<usize> = choice.collect();
            tree(disk, &open, &choice)
        });
        return (all.collect(), false);
    }
    // Nothing and everything always, the rest drawn.
    let mut random = SEED;
    let drawn = (0..MAX_MIXTURES).map(|number| {
        let choice: Vec<usize> = open
            .iter()
            .map(|open| match number {
                0 => 0,
                1 => 1,
                _ => draw(&mut random) % open.choices(),
            })
            .collect();
        tree(disk, &open, &choice)
    });
    (drawn.collect(), true)
}

/// What is there after a crash of the process alone: everything it did.
pub(crate) fn survivor(disk: &Disk) -> Tree {
    let mut disk = disk.clone();
    disk.settle();
    tree(&disk, &[], &[])
}

/// SplitMix64.
fn draw(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0)
}

fn undecided(disk: &Disk) -> Vec<Open> {
    let scratch = scratch(disk);
    let mut open = Vec::new();
    let mut readable = BTreeSet::new();
    for (node, thing) in &disk.nodes {
        let Thing::Directory(directory) = thing else {
            continue;
        };
        if scratch.contains(node) {
            if !directory.pending.is_empty() && !open.iter().any(|open| matches!(open, Open::Scratch)) {
                open.push(Open::Scratch);
            }
            continue;
        }
        readable.extend(directory.durable.values());
        readable.extend(directory.pending.iter().filter_map(|(_, means)| *means));
        let mut names: BTreeMap<&str, Vec<Option<Node>>> = BTreeMap::new();
        for (name, means) in &directory.pending {
            let meanings = names
                .entry(name)
                .or_insert_with(|| vec![directory.durable.get(name).copied()]);
            if !meanings.contains(means) {
                meanings.push(*means);
            }
        }
        open.extend(
            names
                .into_iter()
                .filter(|(_, meanings)| meanings.len() > 1)
                .map(|(name, meanings)| Open::Name {
                    directory: *node,
                    name: name.to_owned(),
                    meanings,
                }),
        );
    }
    for node in readable {
        let Some(Thing::File(file)) = disk.nodes.get(&node) else {
            continue;
        };
        let last = file
            .pending
            .iter()
            .rposition(|effect| matches!(effect, Effect::Write { .. }));
        for (at, effect) in file.pending.iter().enumerate() {
            let parts = match effect {
                Effect::Write { .. } if last == Some(at) => LAST,
                Effect::Write { .. } => EARLIER,
                _ => INDIVISIBLE,
            };
            open.push(Open::Effect {
                file: node,
                at,
                parts,
            });
        }
    }
    open
}

fn scratch(disk: &Disk) -> BTreeSet<Node> {
    let mut scratch = BTreeSet::new();
    for thing in disk.nodes.values() {
        if let Thing::Directory(directory) = thing {
            for name in SCRATCH {
                scratch.extend(directory.durable.get(name));
                scratch.extend(
                    directory
                        .pending
                        .iter()
                        .filter_map(|(pending, means)| means.filter(|_| pending == name)),
                );
            }
        }
    }
    scratch.retain(|node| matches!(disk.nodes.get(node), Some(Thing::Directory(_))));
    scratch
}

fn tree(disk: &Disk, open: &[Open], choice: &[usize]) -> Tree {
    let scratch = scratch(disk);
    let mut names: BTreeMap<Node, BTreeMap<String, Node>> = BTreeMap::new();
    let mut files: BTreeMap<Node, Content> = BTreeMap::new();
    let mut left_over = 0;
    for (node, thing) in &disk.nodes {
        match thing {
            Thing::Directory(directory) => {
                names.insert(*node, directory.durable.clone());
            }
            Thing::File(file) => {
                files.insert(*node, file.durable.clone());
            }
        }
    }
    for (open, chosen) in open.iter().zip(choice) {
        match open {
            Open::Name {
                directory,
                name,
                meanings,
            } => {
                let directory = names.entry(*directory).or_default();
                match meanings[*chosen] {
                    Some(node) => directory.insert(name.clone(), node),
                    None => directory.remove(name),
                };
            }
            Open::Effect { file, at, parts } => {
                if let (Some(Thing::File(file)), Some(content)) = (disk.nodes.get(file), files.get_mut(file))
                {
                    content.apply(&file.pending[*at], parts[*chosen]);
                }
            }
            Open::Scratch => left_over = *chosen,
        }
    }
    for node in scratch {
        if let (Some(Thing::Directory(directory)), Some(names)) =
            (disk.nodes.get(&node), names.get_mut(&node))
        {
            leave_over(&directory.pending, names, left_over);
        }
    }
    let top = disk.nodes.keys().next().copied();
    let mut tree = Tree {
        top: top.map(|top| branch(disk, &names, top)).unwrap_or_default(),
        files: BTreeMap::new(),
    };
    let mut reachable = BTreeSet::new();
    nodes_in(&tree.top, &mut reachable);
    files.retain(|node, _| reachable.contains(node));
    tree.files = files;
    tree
}

fn leave_over(pending: &[(String, Option<Node>)], names: &mut BTreeMap<String, Node>, choice: usize) {
    let newest = pending.iter().rposition(|(_, means)| means.is_some());
    for (at, (name, means)) in pending.iter().enumerate() {
        match means {
            _ if choice == 0 => {}
            Some(node) => {
                names.insert(name.clone(), *node);
            }
            None if choice == 2 => {}
            None if choice == 3 && newest.is_some_and(|newest| pending[newest].0 == *name && newest < at) => {
            }
            None => {
                names.remove(name);
            }
        }
    }
}

fn branch(disk: &Disk, names: &BTreeMap<Node, BTreeMap<String, Node>>, directory: Node) -> Branch {
    let mut branch = Branch::new();
    for (name, node) in names.get(&directory).into_iter().flatten() {
        let item = match disk.nodes.get(node) {
            Some(Thing::Directory(_)) => Item::Directory(self::branch(disk, names, *node)),
            _ => Item::File(*node),
        };
        branch.insert(name.clone(), item);
    }
    branch
}
