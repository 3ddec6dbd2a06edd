//! What the contract says of leases, each client with the requests it made, the leases it holds and what it watches.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long every lease here lives.
pub(in crate::model) const TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// All records, and what each client knows.
#[derive(Debug, Clone)]
pub(in crate::model) struct Leases {
    pub(in crate::model) records: BTreeMap<String, Record>,
    clients: Vec<Client>,
    /// The next number of a request or of a state.
    next: u64,
}

/// A lease as everybody sees it.
#[derive(Debug, Clone)]
pub(in crate::model) struct Record {
    pub(in crate::model) token: u64,
    pub(in crate::model) held: bool,
    owner: u64,
    state: u64,
}

#[derive(Debug, Clone, Default)]
struct Client {
    /// The request by which it asks for a lease.
    requests: BTreeMap<String, u64>,
    holds: BTreeMap<String, Held>,
    /// The state it saw somebody else hold, and since when.
    watches: BTreeMap<String, (u64, Duration)>,
}

/// A lease as its holder knows it.
#[derive(Debug, Clone)]
struct Held {
    owner: u64,
    token: u64,
    since: Duration,
    lost: bool,
}

/// What asking for a lease gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Asked {
    /// It is acquired under this token.
    Acquired(u64),
    /// Somebody else has it.
    Taken,
    /// It has just run out; a contender may wait a little longer.
    Either(u64),
}

impl Leases {
    pub(super) fn new(clients: usize) -> Self {
        Self {
            records: BTreeMap::new(),
            clients: vec![Client::default(); clients],
            next: 1,
        }
    }

    const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The client forgets everything.
    pub(in crate::model) fn forget(&mut self, client: usize) {
        self.clients[client] = Client::default();
    }

    /// What this client's next call gives. It begins to watch what somebody else holds.
    pub(in crate::model) fn ask(&mut self, client: usize, lease: &str, now: Duration) -> Asked {
        let fresh = self.number();
        let owner = *self.clients[client]
            .requests
            .entry(lease.to_owned())
            .or_insert(fresh);
        let Some(record) = self.records.get(lease) else {
            return Asked::Acquired(1);
        };
        if record.held && record.owner == owner {
            return Asked::Acquired(record.token);
        }
        if !record.held {
            return Asked::Acquired(record.token + 1);
        }
        let watches = &mut self.clients[client].watches;
        match watches.get(lease) {
            Some((state, since)) if *state == record.state => {
                let age = now.saturating_sub(*since);
                if age < TIME_TO_LIVE {
                    Asked::Taken
                } else if age < TIME_TO_LIVE * 2 {
                    Asked::Either(record.token + 1)
                } else {
                    Asked::Acquired(record.token + 1)
                }
            }
            _ => {
                watches.insert(lease.to_owned(), (record.state, now));
                Asked::Taken
            }
        }
    }

    /// It was acquired under this token.
    pub(in crate::model) fn acquired(&mut self, client: usize, lease: &str, token: u64, now: Duration) {
        let state = self.number();
        let client = &mut self.clients[client];
        let owner = client.requests.get(lease).copied().unwrap_or_default();
        client.watches.remove(lease);
        let held = Held {
            owner,
            token,
            since: now,
            lost: false,
        };
        client.holds.insert(lease.to_owned(), held);
        let record = Record {
            token,
            held: true,
            owner,
            state,
        };
        self.records.insert(lease.to_owned(), record);
    }

    /// Whether the client, by its own clock, still holds it; `None` where that is about to change.
    pub(in crate::model) fn believes(&self, client: usize, lease: &str, now: Duration) -> Option<bool> {
        let held = self.clients[client].holds.get(lease)?;
        let age = now.saturating_sub(held.since);
        if held.lost || age >= TIME_TO_LIVE {
            Some(false)
        } else {
            (age < TIME_TO_LIVE * 9 / 10).then_some(true)
        }
    }

    /// Renews what the client holds, or with `held` false releases it; `false` where it is lost.
    pub(in crate::model) fn rewrite(
        &mut self,
        client: usize,
        lease: &str,
        held: bool,
        now: Duration,
    ) -> bool {
        let state = self.number();
        let Some(own) = self.clients[client].holds.get_mut(lease) else {
            return false;
        };
        let record = self.records.get_mut(lease);
        let record =
            record.filter(|record| record.held && record.owner == own.owner && record.token == own.token);
        let Some(record) = record.filter(|_| !own.lost) else {
            own.lost = true;
            return false;
        };
        (record.held, record.state) = (held, state);
        own.since = now;
        true
    }

    /// The client no longer has the lease in its hands.
    pub(in crate::model) fn let_go(&mut self, client: usize, lease: &str) {
        self.clients[client].holds.remove(lease);
    }

    /// Takes it from whoever holds it; whether it was held.
    pub(in crate::model) fn broken(&mut self, lease: &str) -> bool {
        let state = self.number();
        let record = self.records.get_mut(lease).filter(|record| record.held);
        record.is_some_and(|record| {
            (record.held, record.state) = (false, state);
            true
        })
    }

    /// Whether a write under the fence of what this client holds is let through; `None` where it has nothing in its hands.
    pub(in crate::model) fn fenced(&self, client: usize, lease: &str) -> Option<bool> {
        let own = self.clients[client].holds.get(lease)?;
        let record = self.records.get(lease);
        Some(record.is_some_and(|record| record.held && record.token == own.token))
    }
}
