//! The operations that only look.

use storage_core::{Direction, DocumentId, Explanation, FindRequest, Sort, StorageAdapter};

use super::pair::{Pair, both};
use super::values::{IDS, filter, text};
use crate::case::{Failure, Verdict, ensure_eq};

/// What a random query is ordered by, each field seldom.
const ORDERS: [&str; 6] = ["a", "b", "c", r"$d\.e", "%", "inner.x"];

impl Pair<'_> {
    /// Some documents by their ids, there or not, one perhaps twice.
    pub(super) async fn get_many(&mut self) -> Verdict {
        let mut ids = Vec::new();
        for _ in 0..self.random.below(6) {
            ids.push(DocumentId::new(text(&mut self.random, &IDS))?);
        }
        let what = format!("get_many {ids:?}");
        let client = self.client();
        let expected = self.memory.get_many(&self.collection, &ids, self.now).await?;
        let got = client.get_many(&self.collection, &ids, self.now).await?;
        ensure_eq!(got.len(), expected.len(), "{what}: the results");
        for (expected, got) in expected.iter().zip(&got) {
            match (expected, got) {
                (Some(expected), Some(got)) => self.same_document(expected, got, &what)?,
                (None, None) => {}
                _ => {
                    return Err(Failure::new(format!(
                        "{what}: got {got:?}, expected {expected:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// A query to its end, in small pages, its count and its explanation.
    pub(super) async fn query(&mut self) -> Verdict {
        let filter = filter(&mut self.random, 2);
        let mut sort = Vec::new();
        for field in ORDERS {
            if self.random.below(6) == 0 {
                let direction = *self.random.pick(&[Direction::Ascending, Direction::Descending]);
                sort.push(Sort::new(field.into(), direction));
            }
        }
        let mut request = FindRequest::new(filter, sort, self.now);
        request.limit = self.random.below(4) + 1;
        request.allow_scan = self.random.below(3) > 0;
        let what = format!("{request:?}");

        let client = self.client();
        let expected = self.memory.count(&self.collection, request.clone()).await;
        let got = client.count(&self.collection, request.clone()).await;
        let Some((expected, count)) = both(expected, got, &what)? else {
            // What cannot be counted cannot be found or explained either.
            let expected = self.memory.find(&self.collection, request.clone()).await;
            both(
                expected,
                client.find(&self.collection, request.clone()).await,
                &what,
            )?;
            let expected = self.memory.explain(&self.collection, &request).await;
            both(expected, client.explain(&self.collection, &request).await, &what)?;
            return Ok(());
        };
        ensure_eq!(count, expected, "{what}: the count");
        // Which of two equally good indexes answers is each engine's own matter.
        let way = |explanation: Explanation| {
            (
                explanation.access,
                explanation.index.is_some(),
                explanation.filtered,
                explanation.sorted,
            )
        };
        let expected = self.memory.explain(&self.collection, &request).await?;
        let got = client.explain(&self.collection, &request).await?;
        ensure_eq!(way(got), way(expected), "{what}: the explanation");

        let mut found = 0;
        loop {
            // A position is one for every client.
            let client = self.client();
            let expected = self.memory.find(&self.collection, request.clone()).await?;
            let got = client.find(&self.collection, request.clone()).await?;
            ensure_eq!(got.documents.len(), expected.documents.len(), "{what}: a page");
            for (expected, got) in expected.documents.iter().zip(&got.documents) {
                self.same_document(expected, got, &what)?;
                let alone = client.get(&self.collection, &got.id, self.now).await?;
                ensure_eq!(alone.as_ref(), Some(got), "{what}: a document by its id");
            }
            found += got.documents.len() as u64;
            ensure_eq!(
                got.next.is_some(),
                expected.next.is_some(),
                "{what}: whether there is more"
            );
            match got.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }
        ensure_eq!(found, count, "{what}: what was found, against the count");
        Ok(())
    }
}
