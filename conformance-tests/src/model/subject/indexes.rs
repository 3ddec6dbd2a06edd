//! Queries and indexes.

use storage_core::bson::Document;
use storage_core::{Explanation, FindRequest, Index, Plan, Query};

use super::documents::same_document;
use super::{Subject, answered, same};
use crate::case::{Verdict, ensure};
use crate::model::operation::Operation;
use crate::reference::{Condition, answer};

/// A query, how many documents a page of it has, and whether it allows a scan.
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) scan: bool,
    pub(super) page: usize,
}

impl Subject<'_> {
    pub(super) async fn indexes(&mut self, client: usize, operation: &Operation) -> Verdict {
        match operation {
            Operation::Find {
                collection,
                condition,
                order,
                page,
                scan,
            } => {
                let mut query = condition.as_ref().map_or_else(Query::all, Condition::query);
                for (field, descending) in order {
                    query = if *descending {
                        query.sort_descending(field)
                    } else {
                        query.sort(field)
                    };
                }
                if *scan {
                    query = query.allow_scan();
                }
                let asked = Asked {
                    query,
                    scan: *scan,
                    page: *page,
                };
                let all: Vec<(String, Document)> = self.bodies(collection);
                let expected = answer(&all, condition.as_ref(), order);
                self.find(client, collection, asked, &expected).await
            }
            Operation::EnsureIndex { collection, index } => self.ensure(client, collection, index).await,
            Operation::DropIndex { collection, index } => {
                let dropped = self.raw(client, collection).drop_index(index).await;
                if let Some(dropped) = answered(dropped, &self.right(Vec::new()))? {
                    let there = self.state.collection(collection).indexes.remove(index).is_some();
                    same(&dropped, &there, "whether it was there")?;
                }
                Ok(())
            }
            Operation::RebuildIndex { collection, index } => {
                let there = self.state.collection(collection).indexes.contains_key(index);
                let refusals = if there {
                    vec![]
                } else {
                    vec![storage_core::ErrorKind::NotFound]
                };
                let rebuilt = self.raw(client, collection).rebuild_index(index).await;
                answered(rebuilt, &self.right(refusals))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn bodies(&mut self, collection: &str) -> Vec<(String, Document)> {
        let now = self.now();
        let live = self.state.collection(collection).live(now);
        live.map(|(id, stored)| (id.clone(), stored.body.clone()))
            .collect()
    }

    /// A query, its count, its explanation and its pages, against the ids that are to be found.
    pub(super) async fn find(
        &mut self,
        client: usize,
        collection: &str,
        asked: Asked,
        expected: &[String],
    ) -> Verdict {
        let plan = self.plan(collection, &asked);
        let Asked { query, page, .. } = asked;
        let refusals = plan.as_ref().err().map(storage_core::Error::kind);
        let refusals = self.right(refusals.into_iter().collect());
        let documents = self.raw(client, collection);
        let limited = query.clone().limit(page as u64);
        let explained = answered(documents.explain(query.clone()).await, &refusals)?;
        let counted = answered(documents.count(query.clone()).await, &refusals)?;
        let first = answered(documents.find_page(limited.clone()).await, &refusals)?;
        let (Some(explained), Some(counted), Some(mut found), Ok(plan)) = (explained, counted, first, plan)
        else {
            return Ok(());
        };
        // Which of two equally good indexes answers is each engine's own affair.
        let way = |explanation: Explanation| {
            let Explanation {
                access,
                index,
                filtered,
                sorted,
                ..
            } = explanation;
            (access, index.is_some(), filtered, sorted)
        };
        same(&way(explained), &way(plan.explain()), "the explanation")?;
        same(&counted, &(expected.len() as u64), "the count")?;
        let (mut ids, mut client, now) = (Vec::new(), client, self.now());
        loop {
            ensure!(found.unreadable.is_empty(), "unreadable: {:?}", found.unreadable);
            ensure!(
                found.documents.len() <= page,
                "a page of {page} has {}",
                found.documents.len()
            );
            for document in &found.documents {
                if let Some(stored) = self.state.collection(collection).get(document.id.as_str(), now) {
                    same_document(document.id.as_str(), stored, document)?;
                }
                ids.push(document.id.as_str().to_owned());
            }
            ensure!(
                ids.len() <= expected.len(),
                "too much is found: {ids:?}, expected {expected:?}"
            );
            let Some(next) = found.next else { break };
            client += 1;
            let documents = self.raw(client, collection);
            found = documents.find_page(limited.clone().after(next)).await?;
        }
        same(&ids.as_slice(), &expected, "what is found")
    }

    /// How the one planner there is answers: which queries are refused is part of the contract.
    fn plan(&mut self, collection: &str, asked: &Asked) -> storage_core::Result<Plan> {
        let query = &asked.query;
        let mut request = FindRequest::new(query.filter_ref().clone(), query.effective_sort(), self.now());
        request.allow_scan = asked.scan;
        let indexes: Vec<Index> = self
            .state
            .collection(collection)
            .indexes
            .values()
            .cloned()
            .collect();
        Plan::of(&request, &indexes)
    }

    async fn ensure(&mut self, client: usize, collection: &str, index: &Index) -> Verdict {
        let now = self.now();
        let expected = self.state.collection(collection).new_index(index, now);
        let refusals = self.right(expected.as_ref().err().cloned().unwrap_or_default());
        let made = self.raw(client, collection).ensure_index(index.clone()).await;
        if let Some(made) = answered(made, &refusals)? {
            same(&Some(made), &expected.ok(), "whether it was created")?;
            self.state.collection(collection).add_index(index);
        }
        Ok(())
    }
}
