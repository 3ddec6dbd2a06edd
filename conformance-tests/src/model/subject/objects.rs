//! Operations on objects.

use storage_core::{
    ByteRange, Condition, ErrorKind, ListEntry, ListPage, ListRequest, ReadRequest, WriteOptions,
};

use super::{Subject, answered, same};
use crate::case::{Failure, Verdict, ensure};
use crate::model::operation::{Content, End, Operation, When, Which};
use crate::model::state::Entry;

/// How long a URL is valid nobody waits for.
const VALID_FOR: std::time::Duration = std::time::Duration::from_secs(60);

impl Subject<'_> {
    pub(super) async fn objects(&mut self, client: usize, operation: &Operation) -> Verdict {
        match operation {
            Operation::Write { key, content, when } => self.write(client, key, *content, *when).await,
            Operation::Upload {
                key,
                pieces,
                when,
                end,
            } => self.upload(client, key, pieces, *when, *end).await,
            Operation::Read { key, range } => self.read(client, key, range.map(ByteRange::from)).await,
            Operation::ReadIf { key, version, other } => self.read_if(client, key, *version, *other).await,
            Operation::Delete { key, version } => self.delete(client, key, *version).await,
            Operation::DeleteMany { keys } => {
                for done in self.storage(client).objects().delete_many(keys).await? {
                    done?;
                }
                self.state.objects.all.retain(|key, _| !keys.contains(key));
                Ok(())
            }
            Operation::Copy { from, to } => self.copy(client, from, to).await,
            Operation::List {
                prefix,
                after,
                delimiter,
                page,
            } => {
                let mut request = ListRequest::new(prefix);
                request.start_after.clone_from(after);
                request.delimiter = *delimiter;
                request.limit = *page;
                self.list(client, request).await
            }
            Operation::Presign { key } => {
                let signed = self.storage(client).objects().presign(key, VALID_FOR).await;
                answered(signed, &self.right(Vec::new()))?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The condition meant; `None` where there is no such version.
    pub(super) fn condition(&self, key: &str, when: When) -> Option<Condition> {
        Some(match when {
            When::Always => Condition::Always,
            When::Absent => Condition::IfAbsent,
            When::Version(which) => Condition::IfVersion(self.state.objects.meant(key, which)?),
        })
    }

    async fn write(&mut self, client: usize, key: &str, content: Content, when: When) -> Verdict {
        let Some(condition) = self.condition(key, when) else {
            return Ok(());
        };
        let refusals = self.right(self.state.objects.refusals(key, &condition));
        let options = WriteOptions::new().condition(condition);
        let objects = self.storage(client).objects();
        let written = objects.write_with(key, content.bytes(), options).await;
        if let Some(version) = answered(written, &refusals)? {
            self.state.objects.wrote(key, content.bytes(), version)?;
        }
        Ok(())
    }

    async fn upload(
        &mut self,
        client: usize,
        key: &str,
        pieces: &[Content],
        when: When,
        end: End,
    ) -> Verdict {
        let Some(condition) = self.condition(key, when) else {
            return Ok(());
        };
        let refusals = self.state.objects.refusals(key, &condition);
        let objects = self.storage(client).objects();
        let opened = objects
            .upload(key, WriteOptions::new().condition(condition))
            .await;
        let Some(mut upload) = answered(opened, &self.right(Vec::new()))? else {
            return Ok(());
        };
        let mut whole = Vec::new();
        for piece in pieces {
            whole.extend_from_slice(&piece.bytes());
            upload.write(piece.bytes()).await?;
        }
        match end {
            End::Drop => drop(upload),
            End::Abort => upload.abort().await?,
            End::Finish => {
                if let Some(version) = answered(upload.finish().await, &refusals)? {
                    self.state.objects.wrote(key, whole.into(), version)?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn read(&self, client: usize, key: &str, range: Option<ByteRange>) -> Verdict {
        let objects = self.storage(client).objects();
        let stat = objects.stat(key).await?;
        let mut request = ReadRequest::default();
        request.range = range;
        let refused = matches!(range, Some(ByteRange::Bounded(start, end)) if start > end);
        let refusals: &[ErrorKind] = if refused {
            &[ErrorKind::InvalidArgument]
        } else {
            &[]
        };
        let read = objects.read_with(key, request).await;
        let Some(read) = answered(read, refusals)? else {
            return Ok(());
        };
        let Some((bytes, version)) = self.state.objects.all.get(key) else {
            ensure!(read.is_none(), "{key:?} is not there: got {read:?}");
            ensure!(stat.is_none(), "{key:?} is not there: stat says {stat:?}");
            return Ok(());
        };
        let (Some(read), Some(stat)) = (read, stat) else {
            return Err(Failure::new(format!("{key:?} is there, and is not found")));
        };
        let size = bytes.len() as u64;
        let expected = range.unwrap_or(ByteRange::From(0)).resolve(size);
        same(
            &(read.meta.size, &read.meta.version),
            &(size, version),
            "what is read",
        )?;
        same(&(stat.size, &stat.version), &(size, version), "what stat says")?;
        same(&read.range, &expected, "which bytes are read")?;
        #[allow(clippy::cast_possible_truncation, reason = "the object is in memory")]
        let expected = &bytes[expected.start as usize..expected.end as usize];
        ensure!(
            read.bytes == expected,
            "{key:?} reads as other bytes than were written"
        );
        Ok(())
    }

    async fn read_if(&self, client: usize, key: &str, which: Which, other: bool) -> Verdict {
        let Some(asked) = self.state.objects.meant(key, which) else {
            return Ok(());
        };
        let current = self.state.objects.version(key);
        let is_current = current == Some(&asked);
        let refusals = match (current, other) {
            (Some(_), true) if is_current => vec![ErrorKind::NotModified],
            (Some(_), false) if !is_current => vec![ErrorKind::PreconditionFailed],
            _ => Vec::new(),
        };
        let mut request = ReadRequest::default();
        if other {
            request.unless_version = Some(asked);
        } else {
            request.if_version = Some(asked);
        }
        let read = self.storage(client).objects().read_with(key, request).await;
        match (answered(read, &refusals)?, self.state.objects.all.get(key)) {
            (None, _) | (Some(None), None) => Ok(()),
            (Some(Some(read)), Some((bytes, _))) if read.bytes == bytes => Ok(()),
            (Some(read), _) => Err(Failure::new(format!("{key:?} reads as {read:?}"))),
        }
    }

    async fn delete(&mut self, client: usize, key: &str, which: Option<Which>) -> Verdict {
        let objects = self.storage(client).objects();
        let (deleted, refusals) = match which {
            None => (objects.delete(key).await, Vec::new()),
            Some(which) => {
                let Some(version) = self.state.objects.meant(key, which) else {
                    return Ok(());
                };
                let refusals = self
                    .state
                    .objects
                    .refusals(key, &Condition::IfVersion(version.clone()));
                (objects.delete_if(key, version).await, refusals)
            }
        };
        if answered(deleted, &self.right(refusals))?.is_some() {
            self.state.objects.all.remove(key);
        }
        Ok(())
    }

    async fn copy(&mut self, client: usize, from: &str, to: &str) -> Verdict {
        let copied = self.storage(client).objects().copy(from, to).await;
        let Some(copied) = answered(copied, &self.right(Vec::new()))? else {
            return Ok(());
        };
        let source = self.state.objects.all.get(from).map(|(bytes, _)| bytes.clone());
        match (copied, source) {
            (Some(version), Some(bytes)) => Ok(self.state.objects.wrote(to, bytes, version)?),
            (None, None) => Ok(()),
            (copied, _) => Err(Failure::new(format!("the copy of {from:?} gave {copied:?}"))),
        }
    }

    pub(super) async fn list(&self, first_client: usize, mut request: ListRequest) -> Verdict {
        let (prefix, after) = (&request.prefix.clone(), request.start_after.clone());
        let expected = self
            .state
            .objects
            .list(prefix, after.as_deref(), request.delimiter);
        let mut listed = Vec::new();
        let (mut client, mut empty) = (first_client, 0);
        loop {
            let page: ListPage = self.storage(client).objects().list_page(request.clone()).await?;
            ensure!(
                page.entries.len() <= request.limit,
                "a page of {} has {} entries",
                request.limit,
                page.entries.len()
            );
            empty = if page.entries.is_empty() { empty + 1 } else { 0 };
            for entry in page.entries {
                listed.push(self.listed(entry, request.with_meta)?);
            }
            ensure!(
                listed.len() <= expected.len() && empty <= expected.len() + 2,
                "the listing does not come to an end: {listed:?}, expected {expected:?}"
            );
            let Some(next) = page.next else { break };
            request.start_after = Some(next);
            client += 1;
        }
        same(&listed, &expected, "the listing")
    }

    /// A line of a listing, whose facts are those of the object.
    fn listed(&self, entry: ListEntry, with_meta: bool) -> Result<Entry, Failure> {
        let (key, meta) = match entry {
            ListEntry::Prefix(prefix) => return Ok(Entry::Prefix(prefix)),
            ListEntry::Object(key, meta) => (key.as_str().to_owned(), meta),
        };
        let known = self.state.objects.all.get(&key);
        if let (true, Some((bytes, version))) = (with_meta, known) {
            let facts = meta.map(|meta| (meta.size, meta.version));
            same(
                &facts,
                &Some((bytes.len() as u64, version.clone())),
                &format!("the facts listed of {key:?}"),
            )?;
        }
        Ok(Entry::Object(key))
    }
}
