//! What several groups of cases are made of: plain collections, bulk loads, work in parallel.

use std::sync::Arc;

use futures::future::try_join_all;
use storage_core::bson::Document;
use storage_core::{Collection, ErrorKind, Query, Result, Storage, Version};
use tokio::sync::Barrier;

use crate::case::Failure;

/// Documents as they are, without a type of their own.
pub(super) type Documents = Collection<Document>;

/// The collection of this name.
pub(super) fn documents(storage: &Storage, name: &str) -> Documents {
    storage.collection(name)
}

/// Writes documents in as few calls as may be; each has to succeed.
pub(super) async fn load(collection: &Documents, all: &[(String, Document)]) -> Result<Vec<Version>> {
    let mut versions = Vec::with_capacity(all.len());
    for chunk in all.chunks(200) {
        let results = collection
            .put_many(chunk.iter().map(|(id, value)| (id, value)))
            .await?;
        for result in results {
            versions.push(result?);
        }
    }
    Ok(versions)
}

/// The ids a query finds, in order.
pub(super) async fn ids(collection: &Documents, query: impl Into<Query>) -> Result<Vec<String>> {
    let found = collection.find(query).await?.collect().await?;
    Ok(found
        .into_iter()
        .map(|document| document.id.to_string())
        .collect())
}

/// Runs every future as a task of its own, all beginning when the last is there, and gives what they gave, in order. Begun one by one,
/// the first would be done before the last began on a busy machine, and race nobody.
pub(crate) async fn in_parallel<R, F>(
    work: impl IntoIterator<Item = F>,
) -> std::result::Result<Vec<R>, Failure>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let work: Vec<_> = work.into_iter().collect();
    let start = Arc::new(Barrier::new(work.len()));
    let begin = |work: F| {
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            work.await
        })
    };
    let tasks: Vec<_> = work.into_iter().map(begin).collect();
    let results = try_join_all(tasks).await;
    results.map_err(|error| Failure::from(format!("a task of the case did not end: {error}")))
}

/// How many of the results are `Ok`; every other one has to be an error of this kind.
pub(crate) fn winners<R>(results: &[Result<R>], losing: ErrorKind) -> std::result::Result<usize, Failure> {
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        if error.kind() != losing {
            return Err(Failure::from(format!(
                "a loser sees {losing:?}, not {:?}: {error}",
                error.kind()
            )));
        }
    }
    Ok(results.iter().filter(|result| result.is_ok()).count())
}
