//! Whether a history of one register is linearizable: whether its operations could have happened one after the other, each at one
//! moment between its call and its return.
//!
//! The search is that of Wing and Gong with the memory of Lowe: which operations are done, and what that left, is looked at once.

use std::collections::HashSet;

/// One operation as its caller saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// When it was called, on a counter all callers share.
    pub(crate) called: u64,
    /// When it returned, on the same counter.
    pub(crate) returned: u64,
    pub(crate) action: Action,
}

/// What was done and what came of it. Every value is written once, so a value stands for its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Write(u64),
    Delete,
    Read(Option<u64>),
    /// Write where nothing is; whether that was so.
    Create(u64, bool),
    /// Replace the first by the second; whether the first was there.
    Swap(u64, u64, bool),
}

impl Action {
    /// What the register holds afterwards; `None` when this cannot have happened in that state.
    fn after(self, state: Option<u64>) -> Option<Option<u64>> {
        match self {
            Self::Write(value) => Some(Some(value)),
            Self::Delete => Some(None),
            Self::Read(seen) => (seen == state).then_some(state),
            Self::Create(value, true) => state.is_none().then_some(Some(value)),
            Self::Create(_, false) => state.is_some().then_some(state),
            Self::Swap(old, new, true) => (state == Some(old)).then_some(Some(new)),
            Self::Swap(old, _, false) => (state != Some(old)).then_some(state),
        }
    }
}

/// The most operations of one history, a bit each.
pub(crate) const MOST_OPERATIONS: usize = 128;

/// Whether the operations, on a register that is empty at first, have an order. At most [`MOST_OPERATIONS`].
pub(crate) fn is_linearizable(history: &[Operation]) -> bool {
    debug_assert!(history.len() <= MOST_OPERATIONS, "a bit for each");
    let all = history
        .iter()
        .enumerate()
        .fold(0_u128, |bits, (at, _)| bits | 1 << at);
    let (mut seen, mut open) = (HashSet::new(), vec![(0_u128, None)]);
    while let Some((done, state)) = open.pop() {
        if done == all {
            return true;
        }
        let waiting = || {
            history
                .iter()
                .enumerate()
                .filter(move |(at, _)| done & (1 << at) == 0)
        };
        // What was called after another one had returned cannot come before it.
        let first_return = waiting()
            .map(|(_, operation)| operation.returned)
            .min()
            .unwrap_or(u64::MAX);
        for (at, operation) in waiting().filter(|(_, operation)| operation.called < first_return) {
            if let Some(next) = operation.action.after(state) {
                let step = (done | 1 << at, next);
                if seen.insert(step) {
                    open.push(step);
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(operations: &[(u64, u64, Action)]) -> Vec<Operation> {
        let made = operations.iter().map(|(called, returned, action)| Operation {
            called: *called,
            returned: *returned,
            action: *action,
        });
        made.collect()
    }

    #[test]
    fn what_overlaps_may_have_happened_in_either_order() {
        use Action::*;
        for seen in [Some(1), Some(2)] {
            assert!(is_linearizable(&history(&[
                (0, 5, Write(1)),
                (1, 6, Write(2)),
                (7, 8, Read(seen))
            ])));
        }
        for seen in [None, Some(1)] {
            assert!(is_linearizable(&history(&[(0, 9, Write(1)), (2, 3, Read(seen))])));
        }
        assert!(is_linearizable(&history(&[
            (0, 1, Write(1)),
            (2, 6, Delete),
            (3, 5, Create(2, false)),
            (7, 8, Read(None))
        ])));
    }

    #[test]
    fn what_no_order_explains_is_found() {
        use Action::*;
        for broken in [
            // A read of what was replaced before it began.
            vec![(0, 1, Write(1)), (2, 3, Write(2)), (4, 5, Read(Some(1)))],
            // A second reader goes back behind the first, during one write.
            vec![
                (0, 1, Write(1)),
                (2, 9, Write(2)),
                (3, 4, Read(Some(2))),
                (5, 6, Read(Some(1))),
            ],
            // Two create, nobody deletes.
            vec![(0, 4, Create(1, true)), (1, 5, Create(2, true))],
            // An update is lost.
            vec![
                (0, 1, Write(1)),
                (2, 5, Swap(1, 2, true)),
                (3, 6, Swap(1, 3, true)),
            ],
            // What nobody wrote.
            vec![(0, 1, Write(1)), (2, 3, Read(Some(7)))],
            // A delete that did nothing.
            vec![(0, 1, Write(1)), (2, 3, Delete), (4, 5, Read(Some(1)))],
            // A swap that failed against what was there all along.
            vec![(0, 1, Write(1)), (2, 3, Swap(1, 2, false))],
        ] {
            assert!(!is_linearizable(&history(&broken)), "{broken:?}");
        }
    }
}
