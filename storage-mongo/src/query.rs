//! Queries: the engine finds and orders, by the index the plan names; every document is decided once more here.
//!
//! Where the index delivers the order asked, a page is read in [`segments`]; where it does not, every match is looked at and the least
//! are kept, as the planner says by `sorted`.

pub(crate) mod filter;
mod in_order;
mod page;
mod segments;
mod sorted;

use std::sync::Arc;

use bson::RawDocumentBuf;
use futures::TryStreamExt;
use mongodb::bson::Document;
use mongodb::options::Hint;
use storage_core::{
    Access, Error, ErrorKind, Explanation, FieldPath, FindPage, FindRequest, Name, Plan, Result,
};

use self::filter::{all_of, translate};
use crate::body::decode;
use crate::body::names::path;
use crate::catalog::Indexes;
use crate::documents::live;
use crate::error::{BAD_VALUE, code};
use crate::names::collection;
use crate::store::Inner;

/// What the engine says where no plan follows a hint; older versions say [`BAD_VALUE`].
const NO_QUERY_EXECUTION_PLANS: i32 = 291;

/// A query and the way to answer it.
#[derive(Debug)]
struct Prepared<'a> {
    inner: &'a Inner,
    name: &'a Name,
    request: &'a FindRequest,
    plan: Plan,
    /// What every document must have, in the server's language.
    base: Document,
    /// Whether that is all there is to it.
    exact: bool,
    /// The native index of the plan.
    hint: Option<String>,
}

impl<'a> Prepared<'a> {
    fn new(inner: &'a Inner, name: &'a Name, request: &'a FindRequest, indexes: &Indexes) -> Result<Self> {
        let plan = Plan::of(request, &indexes.ready())?;
        let translation = translate(&request.filter);
        let mut parts = vec![live(request.now), translation.filter];
        let mut hint = None;
        if let Access::Index(access) = &plan.access {
            hint = indexes.get(&access.index.name).map(|index| index.ordered.clone());
            // The engine uses an index that leaves out documents only where the query says that it does not want them.
            if let [field] = access.index.fields.as_slice()
                && access.index.sparse
            {
                parts.push(mongodb::bson::doc! { path(field): { "$exists": true } });
            }
        }
        Ok(Self {
            inner,
            name,
            request,
            plan,
            base: all_of(parts),
            exact: translation.exact,
            hint,
        })
    }

    fn documents(&self) -> mongodb::Collection<RawDocumentBuf> {
        self.inner.collection(&collection(self.name))
    }

    fn native_hint(&self) -> Option<Hint> {
        self.hint.clone().map(Hint::Name)
    }

    /// The fields the index orders by, behind those that are pinned to one value.
    fn open(&self) -> Vec<FieldPath> {
        match &self.plan.access {
            Access::Index(access) => access
                .sorted
                .iter()
                .map(|at| self.request.sort[*at].field.clone())
                .collect(),
            Access::Ids | Access::Scan => Vec::new(),
        }
    }

    fn is_reverse(&self) -> bool {
        matches!(&self.plan.access, Access::Index(access) if access.reverse)
    }
}

/// One page of a query.
pub(crate) async fn find(inner: &Inner, name: &Name, request: &FindRequest) -> Result<FindPage> {
    answer(inner, name, request, |prepared| async move {
        if prepared.plan.sort && !prepared.request.sort.is_empty() {
            sorted::page(&prepared).await
        } else {
            in_order::page(&prepared).await
        }
    })
    .await
}

/// How many documents match.
pub(crate) async fn count(inner: &Inner, name: &Name, request: &FindRequest) -> Result<u64> {
    answer(inner, name, request, |prepared| async move {
        let documents = prepared.documents();
        if prepared.exact {
            let count = documents
                .count_documents(prepared.base.clone())
                .with_options(count_options(&prepared));
            return prepared.inner.read(count).await;
        }
        let find = documents
            .find(prepared.base.clone())
            .with_options(options(&prepared));
        let mut cursor = prepared.inner.read(find).await?;
        let mut count = 0;
        while let Some(found) = prepared.inner.read(cursor.try_next()).await? {
            let stored = decode(&found)?;
            if prepared.request.filter.matches(&stored.document.body)? {
                count += 1;
            }
        }
        Ok(count)
    })
    .await
}

/// How a query would be answered.
pub(crate) async fn explain(inner: &Inner, name: &Name, request: &FindRequest) -> Result<Explanation> {
    let indexes = inner.catalog.fresh(inner, name).await?;
    Ok(Plan::of(request, &indexes.ready())?.explain())
}

fn options(prepared: &Prepared<'_>) -> mongodb::options::FindOptions {
    let mut options = mongodb::options::FindOptions::default();
    options.hint = prepared.native_hint();
    options.allow_disk_use = Some(true);
    options
}

fn count_options(prepared: &Prepared<'_>) -> mongodb::options::CountOptions {
    let mut options = mongodb::options::CountOptions::default();
    options.hint = prepared.native_hint();
    options
}

/// Plans with what is known of the indexes, and once more with what is true now where that does not do: an index may just have been
/// made, or dropped. Where the engine has not the index that is in the catalog, it finds its own way.
async fn answer<'a, T, F>(
    inner: &'a Inner,
    name: &'a Name,
    request: &'a FindRequest,
    work: impl Fn(Prepared<'a>) -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let recent = inner.catalog.recent(inner, name).await?;
    let first = match Prepared::new(inner, name, request, &recent) {
        Ok(prepared) => work(prepared).await,
        Err(error) => Err(error),
    };
    match first {
        Err(error) if error.kind() == ErrorKind::IndexRequired || is_bad_hint(&error) => {}
        answer => return answer,
    }
    let fresh: Arc<Indexes> = inner.catalog.fresh(inner, name).await?;
    match work(Prepared::new(inner, name, request, &fresh)?).await {
        Err(error) if is_bad_hint(&error) => {}
        answer => return answer,
    }
    let mut prepared = Prepared::new(inner, name, request, &fresh)?;
    tracing::warn!(
        collection = %name,
        index = prepared.hint.as_deref().unwrap_or_default(),
        "an index is gone from the database; build it anew with rebuild_index"
    );
    prepared.hint = None;
    work(prepared).await
}

fn is_bad_hint(error: &Error) -> bool {
    matches!(code(error), Some(BAD_VALUE | NO_QUERY_EXECUTION_PLANS))
}
