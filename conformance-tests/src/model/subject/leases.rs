//! Operations on leases.

use storage_core::{Clock, ErrorKind};

use super::{Subject, answered, same};
use crate::case::{Verdict, ensure};
use crate::model::operation::Operation;
use crate::model::state::{Asked, TIME_TO_LIVE};

impl Subject<'_> {
    pub(super) async fn leases(&mut self, client: usize, operation: &Operation) -> Verdict {
        match operation {
            Operation::Acquire { lease } => self.acquire(client, lease).await,
            Operation::Renew { lease } => {
                let Some(held) = self.clients[client].leases.get(lease).cloned() else {
                    return Ok(());
                };
                self.check_belief(client, lease)?;
                let now = self.clock.elapsed();
                let kept = self.state.leases.rewrite(client, lease, true, now);
                answered(held.renew().await, &refusal(kept))?;
                self.check_belief(client, lease)
            }
            Operation::Release { lease } => {
                let Some(held) = self.clients[client].leases.remove(lease) else {
                    return Ok(());
                };
                let now = self.clock.elapsed();
                let kept = self.state.leases.rewrite(client, lease, false, now);
                self.state.leases.let_go(client, lease);
                answered(held.release().await, &refusal(kept))?;
                Ok(())
            }
            Operation::BreakLease { lease } => {
                let broken = self.storage(client).break_lease(lease).await;
                if let Some(broken) = answered(broken, &self.right(Vec::new()))? {
                    same(&broken, &self.state.leases.broken(lease), "whether it was held")?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn acquire(&mut self, client: usize, lease: &str) -> Verdict {
        let storage = self.storage(client).clone();
        let requests = &mut self.clients[client].requests;
        let request = requests
            .entry(lease.to_owned())
            .or_insert_with(|| storage.lease(lease, TIME_TO_LIVE))
            .clone();
        let acquired = answered(request.try_acquire().await, &self.right(Vec::new()))?;
        let Some(acquired) = acquired else { return Ok(()) };
        let now = self.clock.elapsed();
        let expected = self.state.leases.ask(client, lease, now);
        match (&acquired, expected) {
            (None, Asked::Taken | Asked::Either(_)) => return Ok(()),
            (Some(held), Asked::Acquired(token) | Asked::Either(token)) => {
                same(&held.token(), &token, "the token")?;
                self.state.leases.acquired(client, lease, token, now);
            }
            (acquired, expected) => {
                let message = format!("got {acquired:?}, expected {expected:?}");
                return Err(message.into());
            }
        }
        self.clients[client]
            .leases
            .extend(acquired.map(|held| (lease.to_owned(), held)));
        self.check_belief(client, lease)
    }

    /// Whether a holder is told that it may still work.
    fn check_belief(&self, client: usize, lease: &str) -> Verdict {
        let held = self.clients[client]
            .leases
            .get(lease)
            .map(storage_core::Lease::is_held);
        if let (Some(held), Some(expected)) = (
            held,
            self.state.leases.believes(client, lease, self.clock.elapsed()),
        ) {
            ensure!(
                held == expected,
                "its holder is told {held}, and {expected} is true"
            );
        }
        Ok(())
    }
}

fn refusal(kept: bool) -> Vec<ErrorKind> {
    if kept {
        Vec::new()
    } else {
        vec![ErrorKind::LeaseLost]
    }
}
