//! Which request meets which fault.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Selects requests.
pub(super) trait Select {
    /// What is known of a request.
    type Request;

    /// Whether this is one of them.
    fn selects(&self, request: &Self::Request) -> bool;
}

/// The faults injected, in order, and the counters.
#[derive(Debug)]
pub(super) struct Plan<S, F> {
    rules: Mutex<Vec<Rule<S, F>>>,
}

#[derive(Debug)]
struct Rule<S, F> {
    select: S,
    turn: Turn,
    /// None for a counter.
    fault: Option<F>,
    fired: watch::Sender<usize>,
}

/// Which of the requests selected.
#[derive(Debug)]
pub(super) enum Turn {
    /// The one after so many more.
    After(usize),
    Every,
    /// None any more.
    Over,
}

impl<S: Select, F: Copy> Plan<S, F> {
    pub(super) const fn new() -> Self {
        Self {
            rules: Mutex::new(Vec::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule<S, F>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault behind those there are.
    pub(super) fn inject(&self, select: S, turn: Turn, fault: F) -> Injected {
        self.add(select, turn, Some(fault))
    }

    /// Counts from now on.
    pub(super) fn count(&self, select: S) -> Injected {
        self.add(select, Turn::Every, None)
    }

    fn add(&self, select: S, turn: Turn, fault: Option<F>) -> Injected {
        let (fired, watched) = watch::channel(0);
        self.lock().push(Rule {
            select,
            turn,
            fault,
            fired,
        });
        Injected { watched }
    }

    /// Takes all faults away; counters stay.
    pub(super) fn clear(&self) {
        self.lock().retain(|rule| rule.fault.is_none());
    }

    /// The fault a request meets: the first one whose turn it is. Those behind it do not see the request, counters do.
    pub(super) fn meet(&self, request: &S::Request) -> Option<F> {
        let mut met = None;
        for rule in self.lock().iter_mut().filter(|rule| rule.select.selects(request)) {
            if rule.fault.is_none() || met.is_none() {
                met = met.or(rule.meet());
            }
        }
        met
    }
}

impl<S, F: Copy> Rule<S, F> {
    fn meet(&mut self) -> Option<F> {
        match self.turn {
            Turn::Every => {}
            Turn::After(0) => self.turn = Turn::Over,
            Turn::After(more) => {
                self.turn = Turn::After(more - 1);
                return None;
            }
            Turn::Over => return None,
        }
        self.fired.send_modify(|times| *times += 1);
        self.fault
    }
}

/// A fault that was injected, or a counter.
#[derive(Debug, Clone)]
pub struct Injected {
    watched: watch::Receiver<usize>,
}

impl Injected {
    /// How many requests have met it, or have been counted.
    pub fn fired(&self) -> usize {
        *self.watched.borrow()
    }

    /// Waits until a request has met it; false when the fault was taken away before.
    pub async fn met(&self) -> bool {
        self.watched.clone().wait_for(|times| *times > 0).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Select for char {
        type Request = Self;

        fn selects(&self, request: &Self) -> bool {
            self == request
        }
    }

    #[test]
    fn each_fault_meets_the_request_whose_turn_it_is() {
        let plan = Plan::new();
        let second = plan.inject('a', Turn::After(1), 2);
        let first = plan.inject('a', Turn::After(0), 1);
        let every = plan.inject('b', Turn::Every, 3);
        let counter = plan.count('a');
        let meet = |requests: &str| {
            requests
                .chars()
                .map(|request| plan.meet(&request))
                .collect::<Vec<_>>()
        };
        assert_eq!(meet("aabbca"), [Some(1), Some(2), Some(3), Some(3), None, None]);
        assert_eq!(
            (first.fired(), second.fired(), every.fired(), counter.fired()),
            (1, 1, 2, 3)
        );
        plan.clear();
        assert_eq!(meet("ab"), [None, None]);
        assert_eq!((every.fired(), counter.fired()), (2, 4));
    }
}
