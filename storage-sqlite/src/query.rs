//! Queries: candidates in the order their access gives them, filtered, sorted where need be, cut into pages.

mod candidates;

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use storage_core::{
    Access, Error, ErrorKind, Explanation, Filter, FindPage, FindRequest, Name, Plan, Position, Result,
    StoredDocument, sort_key,
};

use self::candidates::{count_range, walk, walk_rows};
use crate::catalog::Collection;
use crate::connect::Session;
use crate::documents::{by_row, cached};
use crate::error::classify;
use crate::short::{Budget, Short};

/// The most bytes of JSON in a page, unless a single document has more: what a client can hold while it waits for the rest.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// One page of a query.
pub(crate) fn find(
    session: &mut Session,
    name: &Name,
    request: &FindRequest,
    mut budget: Budget,
) -> Result<Short<FindPage>> {
    let Some((collection, plan)) = plan(session, name, request)? else {
        return Ok(Short::Done(FindPage::default()));
    };
    if plan.sort {
        sorted(session, &collection, &plan, request, &mut budget)
    } else {
        in_order(session, &collection, &plan, request, &mut budget)
    }
}

/// A page that a single statement gives, which sees one state of the database without a transaction around it. `None` where it takes more
/// than that, or where anything failed.
///
/// What is remembered of the schema may be old here. An index that is gone since makes the statement fail, as its table is never used
/// again; one that came since could not do better, as only an exact access by one range is answered so.
pub(crate) fn find_at_once(
    session: &mut Session,
    name: &Name,
    request: &FindRequest,
) -> Option<Short<FindPage>> {
    let (collection, plan) = plan(session, name, request).ok()??;
    let Access::Index(access) = &plan.access else {
        return None;
    };
    let single = access.ranges.len() == 1 && !access.reverse && !plan.sort && plan.residual == Filter::All;
    if !single {
        return None;
    }
    in_order(session, &collection, &plan, request, &mut Budget::SHORT.clone()).ok()
}

/// How a query would be answered.
pub(crate) fn explain(session: &mut Session, name: &Name, request: &FindRequest) -> Result<Explanation> {
    let collection = session.catalog.collection(&session.connection, name)?;
    let indexes = collection
        .as_ref()
        .map_or(&[][..], |collection| &collection.definitions);
    Ok(Plan::of(request, indexes)?.explain())
}

/// How many documents match.
pub(crate) fn count(session: &mut Session, name: &Name, request: &FindRequest) -> Result<u64> {
    let Some((collection, plan)) = plan(session, name, request)? else {
        return Ok(0);
    };
    let exact = plan.residual == Filter::All;
    match &plan.access {
        Access::Ids | Access::Scan if exact => {
            let mut statement = cached(session, &collection.sql.count)?;
            let count: i64 = statement
                .query_row([request.now.as_millis()], |row| row.get(0))
                .map_err(classify)?;
            Ok(count.unsigned_abs())
        }
        // A document has several entries only in an index over each element, and then perhaps in several ranges.
        Access::Index(access) if exact && (!access.index.each || access.ranges.len() == 1) => {
            count_range(session, &collection, access, request)
        }
        _ => {
            let mut rows = HashSet::new();
            let mut budget = Budget::LONG;
            if exact {
                walk_rows(session, &collection, &plan.access, request, &mut |row| {
                    rows.insert(row);
                })?;
            } else {
                walk(
                    session,
                    &collection,
                    &plan.access,
                    request,
                    false,
                    &mut budget,
                    &mut |candidate| {
                        if plan.residual.matches(&candidate.document()?)? {
                            rows.insert(candidate.row);
                        }
                        Ok(ControlFlow::Continue(()))
                    },
                )?;
            }
            Ok(rows.len() as u64)
        }
    }
}

/// The plan, and the collection it is for. `None` where there is no collection and so nothing to find.
fn plan(
    session: &mut Session,
    name: &Name,
    request: &FindRequest,
) -> Result<Option<(std::sync::Arc<Collection>, Plan)>> {
    let collection = session.catalog.collection(&session.connection, name)?;
    let indexes = collection
        .as_ref()
        .map_or(&[][..], |collection| &collection.definitions);
    // Also where there is nothing, a query without an index is refused: whether it is must not depend on the data.
    let plan = Plan::of(request, indexes)?;
    Ok(collection.map(|collection| (collection, plan)))
}

/// A page where candidates come in the order asked.
fn in_order(
    session: &Session,
    collection: &Collection,
    plan: &Plan,
    request: &FindRequest,
    budget: &mut Budget,
) -> Result<Short<FindPage>> {
    let mut documents: Vec<StoredDocument> = Vec::new();
    let mut unreadable = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    let complete = walk(
        session,
        collection,
        &plan.access,
        request,
        true,
        budget,
        &mut |candidate| {
            let Some(body) = readable(candidate.document(), &mut unreadable)? else {
                return Ok(ControlFlow::Continue(()));
            };
            if !plan.residual.matches(&body)? {
                return Ok(ControlFlow::Continue(()));
            }
            if documents.len() >= request.limit || is_full(bytes, candidate.body.len()) {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            bytes += candidate.body.len();
            documents.push(candidate.with_body(body)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    if !complete {
        return Ok(Short::TooLong);
    }
    page(documents, unreadable, more, request).map(Short::Done)
}

/// A page where candidates have to be sorted: keeps the least keys and their rows, then reads those documents.
fn sorted(
    session: &Session,
    collection: &Collection,
    plan: &Plan,
    request: &FindRequest,
    budget: &mut Budget,
) -> Result<Short<FindPage>> {
    let after = request
        .after
        .as_ref()
        .map(|position| position.sort_key(&request.sort));
    let mut least: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let mut unreadable = Vec::new();
    let complete = walk(
        session,
        collection,
        &plan.access,
        request,
        false,
        budget,
        &mut |candidate| {
            // Where ids are the order and the access is exact, the body says nothing more.
            let key = if request.sort.is_empty() && plan.residual == Filter::All {
                candidate.id.as_bytes().to_vec()
            } else {
                let Some(body) = readable(candidate.document(), &mut unreadable)? else {
                    return Ok(ControlFlow::Continue(()));
                };
                if !plan.residual.matches(&body)? {
                    return Ok(ControlFlow::Continue(()));
                }
                sort_key(
                    &body,
                    &storage_core::DocumentId::new(candidate.id)?,
                    &request.sort,
                )?
            };
            if after.as_ref().is_none_or(|after| key > *after) {
                // One more than the page holds, to know whether another follows. A document with several entries has one key.
                least.insert(key, candidate.row);
                if least.len() > request.limit.saturating_add(1) {
                    least.pop_last();
                }
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    if !complete {
        return Ok(Short::TooLong);
    }
    let mut more = least.len() > request.limit;
    let mut documents = Vec::new();
    let mut bytes = 0;
    let mut last = None;
    for row in least.into_values().take(request.limit) {
        let stored = by_row(session, collection, row)?;
        last = Some(stored.id.clone());
        if is_full(bytes, stored.body.len()) {
            more = true;
            break;
        }
        bytes += stored.body.len();
        documents.extend(readable(stored.into_document(), &mut unreadable)?);
    }
    // Every page walks over everything, so the pages after the first would only say it again.
    if request.after.is_some() {
        unreadable.clear();
    }
    // Only where ids are the order can a whole page turn out unreadable: elsewhere the order was read from the bodies.
    if documents.is_empty()
        && more
        && let Some(id) = last
    {
        let id = storage_core::DocumentId::new(id)?;
        let next = Some(Position {
            values: Vec::new(),
            id,
        });
        return Ok(Short::Done(FindPage {
            documents,
            unreadable,
            next,
        }));
    }
    page(documents, unreadable, more, request).map(Short::Done)
}

/// Whether a page with so many bytes has no room for so many more.
const fn is_full(bytes: usize, more: usize) -> bool {
    bytes > 0 && bytes + more > PAGE_BYTES
}

/// What could be read; what could not is kept, so that it hides nothing.
fn readable<T>(read: Result<T>, unreadable: &mut Vec<Error>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            unreadable.push(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn page(
    documents: Vec<StoredDocument>,
    unreadable: Vec<Error>,
    more: bool,
    request: &FindRequest,
) -> Result<FindPage> {
    let next = match documents.last() {
        Some(last) if more => Some(Position::of(&last.body, &last.id, &request.sort)?),
        Some(_) => None,
        None if more => {
            return Err(Error::invalid_argument(
                "a page has room for at least one document",
            ));
        }
        None => None,
    };
    Ok(FindPage {
        documents,
        unreadable,
        next,
    })
}
