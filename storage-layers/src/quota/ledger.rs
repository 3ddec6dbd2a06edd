//! [`Ledger`]: what this handle wrote and freed, and its share of what is left.
//!
//! The record is written seldom: a handle takes a share of what is left, writes against it, and accounts for it when it needs more, when
//! it closes, or when it is asked. What is written is taken from the share before it happens, so a crash leaves at worst a share nobody
//! uses: usage is told too high, never too low, until a recount.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage_core::{
    Applied, Clock, Condition, DocumentId, Error, ErrorKind, Name, PutRequest, Result, Retry, StorageAdapter,
    SystemClock, Version, random_u128,
};
use tokio::time::Instant;

use super::QuotaOptions;
use super::amount::Usage;
use super::record::{COLLECTION, ID, Record, Share};

/// A handle takes at most this part of what is left beyond what it needs, so that several leave each other room.
const PART: u64 = 16;

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) options: QuotaOptions,
    /// This handle in the record.
    handle: String,
    local: Mutex<Local>,
    /// Held while the record is read and written: one at a time in this handle.
    asking: tokio::sync::Mutex<Option<Instant>>,
    clock: SystemClock,
}

#[derive(Debug, Default)]
struct Local {
    share: Usage,
    /// Writes that are under way.
    under_way: Usage,
    /// Writes that happened and are not in `used` yet.
    done: Usage,
    /// What was freed since the record was written last, in this epoch.
    freed: Usage,
    epoch: u64,
    /// When the share must be confirmed.
    until: Option<Instant>,
}

impl Local {
    fn take(&mut self, need: Usage) -> bool {
        let fresh = self.until.is_some_and(|until| Instant::now() < until);
        let fits = fresh && self.under_way.plus(self.done).plus(need).fits(self.share);
        if fits {
            self.under_way = self.under_way.plus(need);
        }
        fits
    }
}

/// Something that is about to be written. Dropped without an outcome it counts as written.
#[derive(Debug)]
pub(super) struct Ticket {
    ledger: Arc<Ledger>,
    amount: Usage,
    epoch: u64,
    open: bool,
}

impl Ticket {
    /// It happened, or not, or that is not known; `freed` is what it takes away if it happened.
    pub(super) fn settle<T>(mut self, answer: &Result<T>, freed: Usage) {
        match answer {
            Ok(_) => self.close(self.amount, freed),
            Err(error) if error.applied() == Applied::No => self.close(Usage::default(), Usage::default()),
            Err(_) => self.close(self.amount, Usage::default()),
        }
    }

    /// So much of it happened.
    pub(super) fn settle_part(mut self, done: Usage, freed: Usage) {
        self.close(done, freed);
    }

    /// More is about to be written.
    pub(super) async fn grow<A: StorageAdapter>(&mut self, inner: &A, need: Usage) -> Result<()> {
        let more = Ledger::take(&self.ledger, inner, need).await?;
        self.amount = self.amount.plus(more.amount);
        more.forget();
        Ok(())
    }

    fn forget(mut self) {
        self.open = false;
    }

    fn close(&mut self, done: Usage, freed: Usage) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let mut local = self.ledger.local();
        local.under_way = local.under_way.minus(self.amount);
        local.done = local.done.plus(done);
        // A recount that ended meanwhile may not have met what is gone: then it is not to be taken off again.
        if local.epoch == self.epoch {
            local.freed = local.freed.plus(freed);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.close(self.amount, Usage::default());
    }
}

impl Ledger {
    pub(super) fn new(options: QuotaOptions) -> Self {
        Self {
            options,
            handle: format!("{:032x}", random_u128()),
            local: Mutex::default(),
            asking: tokio::sync::Mutex::new(None),
            clock: SystemClock::default(),
        }
    }

    /// Takes what is about to be written from the share, asking for a larger one if need be.
    pub(super) async fn take<A: StorageAdapter>(self: &Arc<Self>, inner: &A, need: Usage) -> Result<Ticket> {
        if let Some(ticket) = self.take_at_once(need) {
            return Ok(ticket);
        }
        let mut counted = self.asking.lock().await;
        if let Some(ticket) = self.take_at_once(need) {
            return Ok(ticket);
        }
        if !self.ask(inner, need).await? {
            // What is told as used may be what crashed writers reserved, or what expired: look before refusing.
            let recent = counted.is_some_and(|at| at.elapsed() < self.options.recount_at_most_every);
            if !recent {
                super::recount::recount(self, inner).await.map_err(not_applied)?;
                *counted = Some(Instant::now());
            }
            if recent || !self.ask(inner, need).await? {
                return Err(self.full(inner, need).await?);
            }
        }
        self.take_at_once(need).ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "the share that was given is not there").with_retry(Retry::Later)
        })
    }

    fn take_at_once(self: &Arc<Self>, need: Usage) -> Option<Ticket> {
        let mut local = self.local();
        local.take(need).then(|| Ticket {
            ledger: Arc::clone(self),
            amount: need,
            epoch: local.epoch,
            open: true,
        })
    }

    /// The epoch to free in, from before what is freed is touched: a ticket for nothing.
    pub(super) fn nothing(self: &Arc<Self>) -> Ticket {
        Ticket {
            ledger: Arc::clone(self),
            amount: Usage::default(),
            epoch: self.local().epoch,
            open: true,
        }
    }

    /// Accounts for what was done and asks for a share with room for this. `false` if there is none; what was done is accounted for then
    /// too.
    async fn ask<A: StorageAdapter>(&self, inner: &A, need: Usage) -> Result<bool> {
        self.update(inner, |record, under_way| {
            record.shares.remove(&self.handle);
            let limits = Usage::from(self.options.limits);
            let room = limits.minus(record.used).minus(record.shared()).minus(under_way);
            let enough = need.fits(room);
            let wanted = if enough {
                let spare = room.minus(need).share(PART).least(self.options.share);
                under_way.plus(need).plus(spare)
            } else {
                under_way
            };
            (wanted, enough)
        })
        .await
        .map_err(not_applied)
    }

    /// Accounts for everything and gives the share back.
    pub(super) async fn settle<A: StorageAdapter>(&self, inner: &A) -> Result<()> {
        let _asking = self.asking.lock().await;
        self.update(inner, |record, under_way| {
            record.shares.remove(&self.handle);
            (under_way, ())
        })
        .await
    }

    /// Swaps the record: what was done goes into it, and this handle's share becomes what `decide` says.
    async fn update<A: StorageAdapter, T>(
        &self,
        inner: &A,
        decide: impl Fn(&mut Record, Usage) -> (Usage, T) + Send,
    ) -> Result<T> {
        let mut attempt = 0;
        loop {
            let (mut record, condition) = read(inner, &self.clock).await?;
            let (done, freed, under_way) = {
                let mut local = self.local();
                // Nothing is taken from the share while it is decided anew.
                local.until = None;
                (local.done, local.freed, local.under_way)
            };
            record.used = record.used.plus(done);
            record.added = record.added.plus(done);
            if record.epoch == self.local().epoch {
                record.used = record.used.minus(freed);
            }
            let (share, answer) = decide(&mut record, under_way);
            let until = Instant::now() + self.options.abandoned_after / 2;
            if share != Usage::default() {
                let at = self.clock.now();
                record
                    .shares
                    .insert(self.handle.clone(), Share { amount: share, at });
            }
            match write(inner, &self.clock, &record, condition).await {
                Ok(()) => {
                    let mut local = self.local();
                    local.done = local.done.minus(done);
                    local.freed = if record.epoch == local.epoch {
                        local.freed.minus(freed)
                    } else {
                        Usage::default()
                    };
                    local.epoch = record.epoch;
                    local.share = share;
                    local.until = Some(until);
                    return Ok(answer);
                }
                Err(error) if lost(&error) => pause(&mut attempt).await,
                Err(error) => {
                    // If it did happen, what was freed is taken off already; done twice it is only too much.
                    if error.applied() != Applied::No {
                        self.local().freed = Usage::default();
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn full<A: StorageAdapter>(&self, inner: &A, need: Usage) -> Result<Error> {
        let (record, _) = read(inner, &self.clock).await.map_err(not_applied)?;
        let (used, limits) = (
            record.used.plus(record.shared()),
            Usage::from(self.options.limits),
        );
        let told = need.named().into_iter().zip(used.named()).zip(limits.named());
        for (((what, need), (_, used)), (_, limit)) in told {
            if used.saturating_add(need) > limit {
                let message = format!(
                    "the quota allows {limit} {what}, {used} are used and {need} more are needed; delete something or raise it"
                );
                return Ok(Error::new(ErrorKind::NoSpace, message)
                    .with_context("quota", what)
                    .with_context("limit", limit.to_string())
                    .with_context("used", used.to_string())
                    .with_context("needed", need.to_string()));
            }
        }
        // Others gave something back since it was asked for.
        Ok(Error::new(
            ErrorKind::NoSpace,
            "the quota was used up by others at that moment; try again",
        )
        .with_retry(Retry::Later))
    }

    /// What is used and reserved.
    pub(super) async fn usage<A: StorageAdapter>(&self, inner: &A) -> Result<Usage> {
        self.settle(inner).await?;
        let (record, _) = read(inner, &self.clock).await?;
        Ok(record.used.plus(record.shared()))
    }

    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn clock(&self) -> &SystemClock {
        &self.clock
    }
}

/// The record, and the condition under which it may be replaced.
pub(super) async fn read<A: StorageAdapter>(inner: &A, clock: &SystemClock) -> Result<(Record, Condition)> {
    match inner
        .get(&Name::new(COLLECTION)?, &DocumentId::new(ID)?, clock.now())
        .await?
    {
        None => Ok((Record::default(), Condition::IfAbsent)),
        Some(stored) => Ok((Record::decode(&stored)?, Condition::IfVersion(stored.version))),
    }
}

pub(super) async fn write<A: StorageAdapter>(
    inner: &A,
    clock: &SystemClock,
    record: &Record,
    condition: Condition,
) -> Result<()> {
    let mut request = PutRequest::new(DocumentId::new(ID)?, record.encode()?, clock.now());
    request.condition = condition;
    let _: Version = inner.put(&Name::new(COLLECTION)?, request).await?;
    Ok(())
}

/// Whether somebody else was first.
pub(super) fn lost(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists | ErrorKind::PreconditionFailed
    )
}

/// Waits a random time, longer each time.
pub(super) async fn pause(attempt: &mut u32) {
    *attempt += 1;
    let longest = 1_000_u128 << (*attempt).min(7);
    let micros = u64::try_from(random_u128() % longest).unwrap_or(0);
    tokio::time::sleep(Duration::from_micros(micros)).await;
}

/// The record could not be asked: nothing was written of what this is about.
fn not_applied(error: Error) -> Error {
    error.with_applied(Applied::No)
}
