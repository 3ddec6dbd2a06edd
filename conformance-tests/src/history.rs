//! Whether a history of one register is linearizable: whether its operations could have happened one after the other, each at one
//! moment between its call and its return.
//!
//! The search is that of Wing and Gong with the memory of Lowe: which operations are done, and what that left, is looked at once.

use std::collections::HashSet;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::case::{Failure, Verdict};

/// One operation as its caller saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operation {
    /// When it was called, on a clock all callers share.
    pub(crate) called: u64,
    /// When it returned, on the same clock; `None` when nobody learned how it ended: it may have happened at any time since, or never.
    pub(crate) returned: Option<u64>,
    /// What it did; what it would have done, where nobody learned that.
    pub(crate) action: Action,
}

/// What was done and what came of it. Every value is written once, so a value stands for its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Write(u64),
    /// Delete; whether something was there, if that is said.
    Delete(Option<bool>),
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
            Self::Delete(there) => there.is_none_or(|there| there == state.is_some()).then_some(None),
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

/// After so many states the search gives up: about a second of a debug build, and a hundred times what a history of the suite needs.
const MOST_STATES: usize = 200_000;

/// What can be said of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    Linearizable,
    Broken,
    /// There are too many orders to look at.
    Undecided,
}

/// Checks a history and says what is wrong with it. One that cannot be decided is inconclusive, never right.
pub(crate) fn check(history: &[Operation]) -> Verdict {
    match judge(history) {
        Judgement::Linearizable => Ok(()),
        Judgement::Broken => Err(Failure::new(explain(history))),
        Judgement::Undecided => Err(Failure::inconclusive(format!(
            "{} operations on one key can be ordered in too many ways",
            history.len()
        ))),
    }
}

/// Whether the operations, on a register that is empty at first, have an order.
pub(crate) fn judge(history: &[Operation]) -> Judgement {
    if history.len() > MOST_OPERATIONS {
        return Judgement::Undecided;
    }
    // What nobody knows the end of need not have happened.
    let bits = history.iter().enumerate();
    let known = bits
        .filter(|(_, operation)| operation.returned.is_some())
        .fold(0_u128, |bits, (at, _)| bits | 1 << at);
    let (mut seen, mut open) = (HashSet::new(), vec![(0_u128, None)]);
    while let Some((done, state)) = open.pop() {
        if done & known == known {
            return Judgement::Linearizable;
        }
        if seen.len() > MOST_STATES {
            return Judgement::Undecided;
        }
        let waiting = || {
            history
                .iter()
                .enumerate()
                .filter(move |(at, _)| done & (1 << at) == 0)
        };
        // What was called after another one had returned cannot come before it.
        let first_return = waiting()
            .filter_map(|(_, operation)| operation.returned)
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
    Judgement::Broken
}

/// How much of the end of a broken history is shown.
const SHOWN: usize = 12;

/// The shortest beginning of a broken history that no order explains, and its last operations.
fn explain(history: &[Operation]) -> String {
    let mut returns: Vec<u64> = history
        .iter()
        .filter_map(|operation| operation.returned)
        .collect();
    returns.sort_unstable();
    let until = |end: u64| -> Vec<Operation> {
        let begun = history.iter().filter(|operation| operation.called <= end);
        let known = |returned: Option<u64>| returned.filter(|returned| *returned <= end);
        begun
            .map(|operation| Operation {
                returned: known(operation.returned),
                ..operation.clone()
            })
            .collect()
    };
    let shortest = returns.into_iter().map(until);
    let mut shortest = shortest
        .into_iter()
        .find(|beginning| judge(beginning) == Judgement::Broken)
        .unwrap_or_else(|| history.to_vec());
    shortest.sort_by_key(|operation| operation.called);
    let mut text = format!(
        "no order explains the first {} operations on one key; the last of them:",
        shortest.len()
    );
    for operation in &shortest[shortest.len().saturating_sub(SHOWN)..] {
        let returned = operation
            .returned
            .map_or_else(|| "?".to_owned(), |at| at.to_string());
        let _ = write!(
            text,
            "\n  {}..{returned} {:?}",
            operation.called, operation.action
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(operations: &[(u64, u64, Action)]) -> Vec<Operation> {
        let made = operations.iter().map(|(called, returned, action)| Operation {
            called: *called,
            returned: Some(*returned),
            action: *action,
        });
        made.collect()
    }

    fn holds(history: &[Operation]) -> bool {
        judge(history) == Judgement::Linearizable
    }

    #[test]
    fn what_overlaps_may_have_happened_in_either_order() {
        use Action::*;
        for seen in [Some(1), Some(2)] {
            assert!(holds(&history(&[
                (0, 5, Write(1)),
                (1, 6, Write(2)),
                (7, 8, Read(seen))
            ])));
        }
        for seen in [None, Some(1)] {
            assert!(holds(&history(&[(0, 9, Write(1)), (2, 3, Read(seen))])));
        }
        assert!(holds(&history(&[
            (0, 1, Write(1)),
            (2, 6, Delete(None)),
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
            vec![(0, 1, Write(1)), (2, 3, Delete(None)), (4, 5, Read(Some(1)))],
            // A swap that failed against what was there all along.
            vec![(0, 1, Write(1)), (2, 3, Swap(1, 2, false))],
        ] {
            assert!(judge(&history(&broken)) == Judgement::Broken, "{broken:?}");
        }
    }

    /// As `history`, with the last operation's end unknown.
    fn with_unknown_end(operations: &[(u64, u64, Action)], at: usize) -> Vec<Operation> {
        let mut history = history(operations);
        history[at].returned = None;
        history
    }

    #[test]
    fn what_nobody_knows_the_end_of_happened_at_any_time_since_or_never() {
        use Action::*;
        for seen in [Some(1), Some(2)] {
            let late = [(0, 1, Write(1)), (2, 3, Write(2)), (8, 9, Read(seen))];
            assert!(holds(&with_unknown_end(&late, 1)), "{seen:?}");
        }
        // Not before it was called, nor twice.
        let early = [(0, 1, Write(1)), (2, 3, Read(Some(2))), (4, 5, Write(2))];
        assert_eq!(judge(&with_unknown_end(&early, 2)), Judgement::Broken);
        let twice = [
            (0, 1, Write(2)),
            (2, 3, Read(Some(2))),
            (4, 5, Delete(Some(true))),
            (6, 7, Read(Some(2))),
        ];
        assert_eq!(judge(&with_unknown_end(&twice, 0)), Judgement::Broken);
    }

    #[test]
    fn what_a_delete_says_was_there_was_there() {
        use Action::*;
        assert!(holds(&history(&[(0, 1, Write(1)), (2, 3, Delete(Some(true)))])));
        assert_eq!(
            judge(&history(&[(0, 1, Write(1)), (2, 3, Delete(Some(false)))])),
            Judgement::Broken
        );
    }

    #[test]
    fn what_cannot_be_decided_is_never_right() {
        // Sixty writes at once of which nobody knows the end, and a read of what nobody wrote: every subset is a state.
        let mut history: Vec<Operation> = (1..=60)
            .map(|value| Operation {
                called: 0,
                returned: None,
                action: Action::Write(value),
            })
            .collect();
        history.push(Operation {
            called: 100,
            returned: Some(101),
            action: Action::Read(Some(99)),
        });
        assert_eq!(judge(&history), Judgement::Undecided);
        let failure = check(&history).unwrap_err();
        assert!(failure.is_inconclusive(), "{failure}");
    }

    #[test]
    fn what_is_wrong_is_shown_without_what_follows() {
        use Action::*;
        let mut operations = vec![(0, 1, Write(1)), (2, 3, Read(Some(9)))];
        operations.extend((10..40).map(|at| (at * 2, at * 2 + 1, Write(at))));
        let shown = check(&history(&operations)).unwrap_err().to_string();
        assert!(
            shown.contains("the first 2 operations") && shown.contains("2..3 Read(Some(9))"),
            "{shown}"
        );
    }
}
