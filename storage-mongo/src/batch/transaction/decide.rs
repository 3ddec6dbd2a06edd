//! What each operation of a transaction comes to, by what is there.

use std::collections::HashMap;

use mongodb::bson::{Bson, doc};
use storage_core::{BatchOperation, Condition, DocumentGuard, Error, Name, PutRequest, Result, Version};

use super::super::{Update, raw};
use super::read::{State, live};
use super::send::{Change, What};
use super::{Attempt, Done, Place};
use crate::body::{GUARDED, encode, version_value};
use crate::indexes;

impl Attempt {
    /// Decides one operation.
    pub(super) async fn step(
        &self,
        at: usize,
        name: &Name,
        operation: &BatchOperation,
        states: &mut HashMap<Place, Result<State>>,
        guards: &mut Vec<(DocumentGuard, State)>,
    ) -> Result<(Done, Option<Change>)> {
        let (guard, now) = match operation {
            BatchOperation::Put(put) => (&put.guard, put.now),
            BatchOperation::Delete(delete) => (&delete.guard, delete.now),
        };
        if let Some(guard) = guard {
            let place = (guard.collection.clone(), guard.id.clone());
            match live(states, &place, now)? {
                Some(state) if state.version == guard.version => guards.push((guard.clone(), state)),
                _ => return Err(Error::guard_failed(guard.id.as_str())),
            }
        }
        let change = |what| Change {
            at: Some(at),
            name: name.clone(),
            what,
        };
        match operation {
            BatchOperation::Put(put) => {
                let place = (name.clone(), put.id.clone());
                let current = live(states, &place, now)?;
                put.condition
                    .check(current.as_ref().map(|state| &state.version))?;
                self.check(name, put).await?;
                let version = Version::random();
                let stored = encode(&put.id, &version, put.expires_at, &put.body)?;
                let state = State {
                    version: version.clone(),
                    expires_at: put.expires_at,
                    foreign: false,
                };
                states.insert(place, Ok(state));
                let update = Update::new(&doc! { "_id": put.id.as_str() }, stored, true)?;
                Ok((Done::Put(version), Some(change(What::Update(update)))))
            }
            BatchOperation::Delete(delete) => {
                let place = (name.clone(), delete.id.clone());
                // Whatever is there can be deleted, except by somebody who believes to know what it is.
                let was_there = match (live(states, &place, now), &delete.if_version) {
                    (Ok(current), None) => current.is_some(),
                    (Err(_), None) => true,
                    (current, Some(expected)) => {
                        let version = current?.map(|state| state.version);
                        Condition::IfVersion(expected.clone()).check(version.as_ref())?;
                        true
                    }
                };
                let known = states.remove(&place).is_some();
                let change = known.then(|| change(What::Delete(delete.id.clone())));
                Ok((Done::Delete(was_there), change))
            }
        }
    }

    async fn check(&self, name: &Name, put: &PutRequest) -> Result<()> {
        let recent = self.inner.catalog.recent(&self.inner, name).await?;
        if indexes::check(&recent, &put.body).is_ok() {
            return Ok(());
        }
        // The index may just have been dropped.
        let fresh = self.inner.catalog.fresh(&self.inner, name).await?;
        indexes::check(&fresh, &put.body)
    }
}

/// Changes a guard without changing what it says.
pub(super) fn touch((name, id): Place, state: &State) -> Result<Change> {
    let nonce = version_value(&Version::random()).unwrap_or(Bson::Null);
    let change = match version_value(&state.version) {
        Some(version) if state.foreign => {
            doc! { "$set": { "_storage": { "version": version, "guarded": nonce } } }
        }
        _ => doc! { "$set": { GUARDED: nonce } },
    };
    let update = Update::new(&doc! { "_id": id.as_str() }, raw(&change)?, false)?;
    Ok(Change {
        at: None,
        name,
        what: What::Update(update),
    })
}
