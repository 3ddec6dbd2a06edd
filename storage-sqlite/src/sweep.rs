//! Housekeeping in small steps, so that no writer waits long.

use std::time::{Duration, SystemTime};

use rusqlite::params;
use storage_core::{Result, SweepReport, Timestamp};

use crate::connect::Session;
use crate::documents::{self, Stored, cached};
use crate::error::classify;
use crate::objects;
use crate::store::Inner;

/// How many documents one step purges.
const STEP_DOCUMENTS: i64 = 200;

/// Purges expired documents and frees what streamed writes left that a crash cut short.
pub(crate) async fn sweep(inner: &Inner, now: Timestamp) -> Result<SweepReport> {
    let mut report = SweepReport::default();
    let mut after = None;
    loop {
        let page = inner
            .readers
            .long(move |session| documents::collections(session, after.as_ref(), 1000))
            .await?;
        let Some(last) = page.last().cloned() else { break };
        for name in page {
            loop {
                let name = name.clone();
                let purged = inner
                    .writer
                    .run(0, move |session| purge(session, &name, now))
                    .await?;
                report.purged_documents += purged;
                if purged == 0 {
                    break;
                }
            }
        }
        after = Some(last);
    }
    let rested = before(inner.config.staging_age);
    loop {
        let handle = std::sync::Arc::clone(&inner.handle);
        match inner
            .writer
            .run(0, move |session| objects::sweep_one(session, rested, &handle))
            .await?
        {
            None => break,
            Some(done) => report.temporaries += u64::from(done),
        }
    }
    Ok(report)
}

/// The point in time so long ago.
fn before(age: Duration) -> Timestamp {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(Timestamp::from(SystemTime::now()).as_millis().saturating_sub(age))
}

fn purge(session: &mut Session, name: &storage_core::Name, now: Timestamp) -> Result<u64> {
    let Some(collection) = session.catalog.collection(&session.connection, name)? else {
        return Ok(0);
    };
    let mut expired = Vec::new();
    {
        let mut statement = cached(session, &collection.sql.expired)?;
        let mut rows = statement
            .query(params![now.as_millis(), STEP_DOCUMENTS])
            .map_err(classify)?;
        while let Some(row) = rows.next().map_err(classify)? {
            expired.push(Stored::of(row)?);
        }
    }
    for stored in &expired {
        documents::remove(session, &collection, stored)?;
    }
    Ok(expired.len() as u64)
}
