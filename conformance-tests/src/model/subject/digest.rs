//! Everything a place holds, against everything the model holds.

use std::collections::BTreeSet;

use storage_core::{Capability, IndexInfo, ListRequest, Query};

use super::indexes::Asked;
use super::{Subject, same};
use crate::case::{Verdict, ensure};

/// How many documents one page holds: a few, so that there are pages.
const PAGE: usize = 3;

impl Subject<'_> {
    /// Compares everything, as this client sees it.
    pub(super) async fn look(&mut self, client: usize) -> Verdict {
        let mut request = ListRequest::new("");
        request.with_meta = true;
        self.list(client, request).await?;
        let keys: Vec<String> = self.state.objects.all.keys().cloned().collect();
        for key in keys {
            self.read(client, &key, None).await?;
        }
        let has = |capability| self.declaration.support(capability).is_present();
        let (documents, indexes, logs) = (
            has(Capability::Documents),
            has(Capability::Indexes),
            has(Capability::Logs),
        );
        if documents {
            self.look_at_documents(client, indexes).await?;
            self.look_at_leases(client).await?;
        }
        if logs {
            let names: Vec<String> = self
                .storage(client)
                .logs()
                .await?
                .iter()
                .map(ToString::to_string)
                .collect();
            let expected: Vec<String> = self.state.logs.keys().cloned().collect();
            same(&names, &expected, "the names of logs")?;
            for name in names {
                self.read_log(client, &name, 0, 1000).await?;
            }
        }
        Ok(())
    }

    async fn look_at_documents(&mut self, client: usize, indexes: bool) -> Verdict {
        let now = self.now();
        let listed = self.storage(client).collections().await?;
        let listed: BTreeSet<String> = listed.iter().map(ToString::to_string).collect();
        let names: Vec<String> = self.state.collections.keys().cloned().collect();
        for name in &listed {
            let ever = self.state.collections.get(name).is_some_and(|model| model.ever);
            ensure!(ever, "collection {name:?} is listed, and nothing was ever in it");
        }
        for name in names {
            let model = self.state.collection(&name);
            let expected: Vec<String> = model.live(now).map(|(id, _)| id.clone()).collect();
            let known: Vec<_> = model.indexes.values().cloned().collect();
            ensure!(
                (expected.is_empty() && known.is_empty()) || listed.contains(&name),
                "collection {name:?} is not listed"
            );
            self.find(
                client,
                &name,
                Asked {
                    query: Query::all(),
                    scan: false,
                    page: PAGE,
                },
                &expected,
            )
            .await?;
            if !indexes {
                continue;
            }
            let documents = self.raw(client, &name);
            let expected: Vec<IndexInfo> = known
                .iter()
                .map(|index| IndexInfo {
                    index: index.clone(),
                    ready: true,
                })
                .collect();
            same(&documents.indexes().await?, &expected, "the indexes")?;
            for index in known {
                let figures = documents.index_stats(&index.name).await?;
                let expected = self.state.collection(&name).figures(&index, now);
                let what = format!("distinct keys and entries of index {:?}", index.name);
                same(&(figures.unique_keys, figures.total_entries), &expected, &what)?;
            }
        }
        Ok(())
    }

    async fn look_at_leases(&mut self, client: usize) -> Verdict {
        let listed = self.storage(client).leases().await?;
        let listed: Vec<_> = listed
            .into_iter()
            .map(|lease| (lease.name, lease.token, lease.held))
            .collect();
        let records = self.state.leases.records.iter();
        let expected: Vec<_> = records
            .map(|(name, record)| (name.clone(), record.token, record.held))
            .collect();
        same(&listed, &expected, "the leases")
    }
}
