//! The order of events: causes before effects, ties by hash. It is a function of the set alone, whatever came first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use super::event::Event;
use super::hash::Hash;

/// The events of a channel that were read, in order.
#[derive(Default)]
pub(super) struct Order {
    known: BTreeMap<Hash, Event>,
    /// Every event all of whose ancestors are there.
    events: Vec<Event>,
    /// The others, by hash, each with those of its parents that are not there; none where an older ancestor is missing.
    waiting: Vec<(Event, Vec<Hash>)>,
    /// Those in order that no other in order names as a parent, ascending.
    heads: Vec<Hash>,
    /// Moves on when more changed than events at the end.
    epoch: u64,
    is_stale: bool,
}

impl Order {
    pub(super) fn contains(&self, hash: &Hash) -> bool {
        self.known.contains_key(hash)
    }

    /// Takes in an event; [`settle`](Self::settle) has to be called before anything is looked at.
    pub(super) fn insert(&mut self, event: Event) {
        if self.contains(&event.hash()) {
            return;
        }
        // It follows everything there is, so it is the last in every order.
        if !self.is_stale && self.waiting.is_empty() && event.parents() == self.heads {
            self.heads = vec![event.hash()];
            self.events.push(event.clone());
        } else {
            self.is_stale = true;
        }
        self.known.insert(event.hash(), event);
    }

    pub(super) fn settle(&mut self) {
        if !self.is_stale {
            return;
        }
        self.is_stale = false;
        self.epoch += 1;
        self.sort();
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(super) fn waiting(&self) -> &[(Event, Vec<Hash>)] {
        &self.waiting
    }

    pub(super) fn heads(&self) -> &[Hash] {
        &self.heads
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    fn sort(&mut self) {
        let known = &self.known;
        let mut children: HashMap<Hash, Vec<Hash>> = HashMap::new();
        let mut missing: HashMap<Hash, usize> = HashMap::new();
        let mut ready = BinaryHeap::new();
        for (hash, event) in known {
            missing.insert(*hash, event.parents().len());
            for parent in event.parents() {
                children.entry(*parent).or_default().push(*hash);
            }
            if event.parents().is_empty() {
                ready.push(Reverse(*hash));
            }
        }
        let mut events = Vec::with_capacity(known.len());
        let mut placed = HashSet::with_capacity(known.len());
        while let Some(Reverse(hash)) = ready.pop() {
            let Some(event) = known.get(&hash) else { continue };
            events.push(event.clone());
            placed.insert(hash);
            for child in children.get(&hash).into_iter().flatten() {
                if let Some(left) = missing.get_mut(child) {
                    *left -= 1;
                    if *left == 0 {
                        ready.push(Reverse(*child));
                    }
                }
            }
        }
        let waiting = known
            .iter()
            .filter(|(hash, _)| !placed.contains(hash))
            .map(|(_, event)| {
                let gone = event
                    .parents()
                    .iter()
                    .filter(|parent| !known.contains_key(parent));
                (event.clone(), gone.copied().collect())
            })
            .collect();
        let is_head = |hash: &&Hash| {
            let mut children = children.get(hash).into_iter().flatten();
            placed.contains(hash) && !children.any(|child| placed.contains(child))
        };
        self.heads = known.keys().filter(is_head).copied().collect();
        self.waiting = waiting;
        self.events = events;
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::HashAlgorithm;
    use super::super::signing::Ed25519Key;
    use super::*;

    fn event(parents: &[&Event], payload: &'static str) -> Event {
        let parents = parents.iter().map(|parent| parent.hash()).collect();
        Event::sign(
            HashAlgorithm::Sha256,
            &Ed25519Key::from_seed([1; 32]),
            parents,
            payload,
        )
        .unwrap()
    }

    fn ordered<'a>(events: impl IntoIterator<Item = &'a Event>) -> Order {
        let mut order = Order::default();
        for event in events {
            order.insert(event.clone());
        }
        order.settle();
        order
    }

    #[test]
    fn causes_come_before_effects_and_ties_by_hash() {
        let root = event(&[], "root");
        let (left, right) = (event(&[&root], "left"), event(&[&root], "right"));
        let merge = event(&[&left, &right], "merge");
        let ordered = ordered([&merge, &right, &left, &root]);
        let hashes: Vec<Hash> = ordered.events.iter().map(Event::hash).collect();
        let (first, second) = (left.hash().min(right.hash()), left.hash().max(right.hash()));
        assert_eq!(hashes, [root.hash(), first, second, merge.hash()]);
        assert_eq!(ordered.heads, [merge.hash()]);
        assert!(ordered.waiting.is_empty());
    }

    #[test]
    fn events_that_come_in_order_are_put_where_sorting_puts_them() {
        let root = event(&[], "root");
        let (left, right) = (event(&[&root], "left"), event(&[&root], "right"));
        let merge = event(&[&left, &right], "merge");
        let last = event(&[&merge], "last");
        let set = [&root, &left, &right, &merge, &last];
        let at_once = ordered(set);
        let mut one_by_one = Order::default();
        for event in set {
            one_by_one.insert(event.clone());
            one_by_one.settle();
        }
        assert_eq!(one_by_one.events, at_once.events);
        assert_eq!(one_by_one.heads, at_once.heads);
        // Only the second child of the root came between others.
        assert_eq!(one_by_one.epoch, 1);
    }

    #[test]
    fn what_lacks_an_ancestor_waits_and_says_which() {
        let root = event(&[], "root");
        let child = event(&[&root], "child");
        let grandchild = event(&[&child], "grandchild");
        let other = event(&[], "other");
        let ordered = ordered([&grandchild, &child, &other]);
        assert_eq!(ordered.events, std::slice::from_ref(&other));
        assert_eq!(ordered.heads, [other.hash()]);
        let mut waiting = ordered.waiting;
        waiting.sort_by_key(|(event, _)| event.hash() != child.hash());
        assert_eq!(waiting, [(child, vec![root.hash()]), (grandchild, vec![])]);
    }
}
