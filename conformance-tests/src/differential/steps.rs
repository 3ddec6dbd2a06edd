//! The operations that change something.

use storage_core::{
    BatchOperation, BatchRequest, Capability, Condition, DeleteDocumentRequest, DocumentId, Index, Name,
    PutRequest, Result, StorageAdapter, Timestamp,
};

use super::pair::{Pair, both};
use super::values::{IDS, body, text};
use crate::case::{Failure, Verdict, ensure_eq};

impl Pair<'_> {
    /// One random operation, on both.
    pub(super) async fn step(&mut self) -> Verdict {
        match self.random.below(20) {
            0..=7 => self.put().await,
            8 => self.put_many().await,
            9 if self.has(Capability::AtomicBatch) => self.commit().await,
            10 | 11 => self.delete().await,
            12 => {
                self.now = later(self.now, 3);
                Ok(())
            }
            13 if self.has(Capability::Indexes) => self.index().await,
            14 => self.sweep().await,
            15 => self.get_many().await,
            _ => self.query().await,
        }
    }

    /// The same put for each side, but for versions.
    fn a_put(&mut self) -> Result<(PutRequest, PutRequest)> {
        let id = DocumentId::new(text(&mut self.random, &IDS))?;
        let mut one = PutRequest::new(id, body(&mut self.random)?, self.now);
        if self.random.below(4) == 0 && self.has(Capability::Expiry) {
            let after = *self.random.pick(&[-2, -1, 0, 1, 2, 3, 4, 5, 6, 7]);
            one.expires_at = Some(later(self.now, after));
        }
        let mut other = one.clone();
        match self.random.below(5) {
            0 => (one.condition, other.condition) = (Condition::IfAbsent, Condition::IfAbsent),
            1 => {
                if let Some((a, b)) = self.known(one.id.as_str()) {
                    (one.condition, other.condition) = (Condition::IfVersion(a), Condition::IfVersion(b));
                }
            }
            _ => {}
        }
        Ok((one, other))
    }

    /// The same deletion for each side, but for versions.
    fn a_delete(&mut self) -> Result<(DeleteDocumentRequest, DeleteDocumentRequest)> {
        let id = DocumentId::new(text(&mut self.random, &IDS))?;
        let mut one = DeleteDocumentRequest::new(id, self.now);
        let mut other = one.clone();
        if self.random.below(5) == 0
            && let Some((a, b)) = self.known(one.id.as_str())
        {
            (one.if_version, other.if_version) = (Some(a), Some(b));
        }
        Ok((one, other))
    }

    async fn put(&mut self) -> Verdict {
        let ((one, other), client) = (self.a_put()?, self.client());
        let (id, what) = (one.id.clone(), format!("{one:?}"));
        let expected = self.memory.put(&self.collection, one).await;
        let got = client.put(&self.collection, other).await;
        if let Some(versions) = both(expected, got, &what)? {
            self.learn(id.as_str(), versions);
        }
        Ok(())
    }

    async fn put_many(&mut self) -> Verdict {
        // Which of several that want one key of a unique index gets it is not said.
        let indexes = self.memory.indexes(&self.collection).await?;
        let unique = indexes.iter().any(|info| info.index.unique);
        let mut requests = (Vec::new(), Vec::new());
        for _ in 0..self.random.below(if unique { 2 } else { 6 }) {
            let (one, other) = self.a_put()?;
            requests.0.push(one);
            requests.1.push(other);
        }
        let client = self.client();
        let (asked, what) = (requests.0.clone(), format!("put_many {:?}", requests.0));
        let expected = self.memory.put_many(&self.collection, requests.0).await?;
        let got = client.put_many(&self.collection, requests.1).await?;
        ensure_eq!(got.len(), expected.len(), "{what}: the results");
        for ((asked, expected), got) in asked.iter().zip(expected).zip(got) {
            if let Some(versions) = both(expected, got, &what)? {
                self.learn(asked.id.as_str(), versions);
            }
        }
        Ok(())
    }

    async fn commit(&mut self) -> Verdict {
        let mut batches = (BatchRequest::default(), BatchRequest::default());
        let mut ids = Vec::new();
        for _ in 0..self.random.below(5) {
            let (id, one, other) = if self.random.below(3) == 0 {
                let (one, other) = self.a_delete()?;
                let id = one.id.clone();
                (id, BatchOperation::Delete(one), BatchOperation::Delete(other))
            } else {
                let (one, other) = self.a_put()?;
                let id = one.id.clone();
                (id, BatchOperation::Put(one), BatchOperation::Put(other))
            };
            ids.push(id);
            batches.0.operations.push((self.collection.clone(), one));
            batches.1.operations.push((self.collection.clone(), other));
        }
        let client = self.client();
        let what = format!("{:?}", batches.0);
        let expected = self.memory.commit(batches.0).await;
        let got = client.commit(batches.1).await;
        let Some((expected, got)) = both(expected, got, &what)? else {
            return Ok(());
        };
        ensure_eq!(got.len(), expected.len(), "{what}: the results");
        for ((id, expected), got) in ids.iter().zip(expected).zip(got) {
            match (expected, got) {
                (Some(expected), Some(got)) => self.learn(id.as_str(), (expected, got)),
                (None, None) => {}
                (expected, got) => {
                    let message = format!("{what}: of {id} got {got:?}, expected {expected:?}");
                    return Err(Failure::new(message));
                }
            }
        }
        Ok(())
    }

    async fn delete(&mut self) -> Verdict {
        let ((one, other), client) = (self.a_delete()?, self.client());
        let what = format!("{one:?}");
        let expected = self.memory.delete_document(&self.collection, one).await;
        let got = client.delete_document(&self.collection, other).await;
        if let Some((expected, got)) = both(expected, got, &what)? {
            ensure_eq!(got, expected, "{what}");
        }
        Ok(())
    }

    /// An index made, made anew or dropped, and what is said of it afterwards.
    async fn index(&mut self) -> Verdict {
        let indexes = [
            Index::btree("by_a", ["a"]),
            Index::btree("by_a_b", ["a", "b"]),
            Index::btree("by_b", ["b"]).unique(),
            Index::btree("by_c", ["c"]).sparse(),
            Index::btree("by_tag", ["tags"]).each(),
            Index::btree("one_tag", ["tags"]).each().unique(),
            Index::hash("by_hash", ["a", "c"]),
            Index::btree("by_odd", [r"$d\.e", "%"]),
            Index::btree("by_inner", ["inner.x"]).sparse(),
            Index::btree("of_nothing", ["_id"]),
        ];
        let index = self.random.pick(&indexes);
        if index.unique && !self.has(Capability::UniqueIndexes) {
            return Ok(());
        }
        let (name, client) = (Name::new(&index.name)?, self.client());
        match self.random.below(4) {
            0 => {
                let expected = self.memory.drop_index(&self.collection, &name).await?;
                let got = client.drop_index(&self.collection, &name).await?;
                ensure_eq!(got, expected, "dropping {name}");
            }
            1 => {
                let expected = self.memory.rebuild_index(&self.collection, &name, self.now).await;
                let got = client.rebuild_index(&self.collection, &name, self.now).await;
                both(expected, got, &format!("rebuilding {name}"))?;
            }
            _ => {
                let what = format!("ensuring {index:?}");
                let expected = self.memory.ensure_index(&self.collection, index, self.now).await;
                let got = client.ensure_index(&self.collection, index, self.now).await;
                if let Some((expected, got)) = both(expected, got, &what)? {
                    ensure_eq!(got, expected, "{what}");
                }
            }
        }
        let client = self.client();
        let expected = self.memory.index_stats(&self.collection, &name, self.now).await;
        let got = client.index_stats(&self.collection, &name, self.now).await;
        if let Some((expected, got)) = both(expected, got, "the figures of an index")? {
            ensure_eq!(got, expected, "the figures of {name}");
        }
        let expected = self.memory.indexes(&self.collection).await?;
        ensure_eq!(client.indexes(&self.collection).await?, expected, "the indexes");
        Ok(())
    }

    /// How much there is to purge is each engine's own matter; afterwards nothing is.
    async fn sweep(&mut self) -> Verdict {
        let client = self.client();
        self.memory.sweep(self.now).await?;
        client.sweep(self.now).await?;
        let again = self.client().sweep(self.now).await?;
        ensure_eq!(again.purged_documents, 0, "what a second sweep purges");
        Ok(())
    }
}

fn later(time: Timestamp, milliseconds: i64) -> Timestamp {
    Timestamp::from_millis(time.as_millis() + milliseconds)
}
