//! Logs in a backup: a line of JSON for each entry, a string where the entry is text, and `{"hex":…}` where it is not.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_core::{Capability, Error, ErrorKind, Log, LogEntry, Name, Result, Retry, Version};

use super::Backups;
use super::content::{Content, ContentWriter, Described, PIECE_BYTES, write_description};
use super::create::TELL_EVERY;
use super::manifest::Contents;
use super::part::PartWriter;
use super::restore::RestoreReport;
use crate::collections::migrations::Task;
use crate::collections::migrations::turn::Turn;

/// What progress about logs is told under.
const LOGS: &str = "(logs)";
/// How many entries the first page has; the later ones have as many as fit, by the size of those before.
const FIRST_PAGE: usize = 10;
/// The most entries of a page.
const LARGEST_PAGE: usize = 1000;
/// How often a log is read anew that others delete while it is read.
const MAX_ATTEMPTS: usize = 20;

/// A log in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogLine {
    log: String,
    closed: bool,
    entries: u64,
    content: Content,
}

impl Described for LogLine {
    fn name(&self) -> &str {
        &self.log
    }

    fn content(&self) -> &Content {
        &self.content
    }
}

/// An entry in a line.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Binary { hex: String },
}

/// A walk over the entries of one life of a log, in pages as large as memory allows.
struct Entries {
    log: Log,
    incarnation: Option<Version>,
    next: u64,
    limit: usize,
    closed: bool,
}

impl Entries {
    const fn of(log: Log) -> Self {
        Self {
            log,
            incarnation: None,
            next: 0,
            limit: FIRST_PAGE,
            closed: false,
        }
    }

    /// The next page; an empty one at the end. `None` where the log is no longer the one it was, or is not there.
    async fn page(&mut self) -> Result<Option<Vec<LogEntry>>> {
        let page = self.log.read(self.next, self.limit).await?;
        if page.incarnation.is_none() || (self.incarnation.is_some() && page.incarnation != self.incarnation)
        {
            return Ok(None);
        }
        self.incarnation = page.incarnation;
        self.closed = page.closed;
        let bytes: usize = page.entries.iter().map(|entry| entry.bytes.len()).sum();
        if let Some(fitting) = (PIECE_BYTES * page.entries.len()).checked_div(bytes) {
            self.limit = fitting.clamp(1, LARGEST_PAGE);
        }
        if let Some(last) = page.entries.last() {
            self.next = last.sequence + 1;
        }
        Ok(Some(page.entries))
    }
}

impl Backups {
    /// Copies every log; `None` where the backend has none.
    pub(super) async fn back_up_logs(
        &self,
        turn: &Turn,
        name: &str,
        attempt: &str,
    ) -> Result<Option<Contents>> {
        if !self.has_logs() {
            return Ok(None);
        }
        let task = Task::BackUp(name.to_owned());
        let mut lines = PartWriter::new(&self.place, turn, format!("{attempt}/logs"));
        let names = self.storage.logs().await?;
        let total = names.len() as u64;
        let (mut count, mut bytes) = (0, 0);
        for log in names {
            let to = format!("{attempt}/logs/{count:010}");
            let Some(line) = self.copy_log(turn, &log, to).await? else {
                continue;
            };
            count += 1;
            bytes += line.content.bytes;
            lines.push(|text| write_description(text, &line)).await?;
            if count % TELL_EVERY == 0 {
                self.options.tell(&task, LOGS, count, total);
            }
        }
        self.options.tell(&task, LOGS, count, count);
        Ok(Some(Contents {
            count,
            bytes,
            parts: lines.finish().await?,
        }))
    }

    /// Copies one log; `None` when it is gone.
    async fn copy_log(&self, turn: &Turn, name: &Name, to: String) -> Result<Option<LogLine>> {
        for _ in 0..MAX_ATTEMPTS {
            let mut entries = Entries::of(self.storage.log(name));
            let mut content = ContentWriter::new(&self.place, turn, to.clone());
            while let Some(page) = entries.page().await? {
                if page.is_empty() {
                    return Ok(Some(LogLine {
                        log: name.to_string(),
                        closed: entries.closed,
                        entries: entries.next,
                        content: content.finish().await?,
                    }));
                }
                content.write(&lines(&page)?).await?;
            }
            if entries.incarnation.is_none() {
                return Ok(None);
            }
        }
        let message = "others deleted it and began it anew each time it was read; try again";
        Err(Error::new(ErrorKind::Conflict, message)
            .with_retry(Retry::Later)
            .with_key(name.as_str()))
    }

    /// Makes the logs what they are in the backup. One that is not the same is deleted and written anew, because no log can be cut.
    pub(super) async fn restore_logs(
        &self,
        turn: &Turn,
        backup: &str,
        contents: &Contents,
        report: &mut RestoreReport,
    ) -> Result<()> {
        let task = Task::Restore(backup.to_owned());
        let present = if self.has_logs() {
            self.storage.logs().await?
        } else {
            Vec::new()
        };
        let mut surplus: BTreeMap<String, Name> =
            present.into_iter().map(|name| (name.to_string(), name)).collect();
        let mut done = 0;
        for part in &contents.parts {
            for line in self.read_descriptions::<LogLine>(part).await? {
                let is_there = surplus.remove(&line.log).is_some();
                if !(is_there && self.is_same_log(&line).await?) {
                    self.restore_log(turn, &line, is_there).await?;
                    report.logs_written += 1;
                }
                done += 1;
                if done % TELL_EVERY == 0 {
                    self.options.tell(&task, LOGS, done, contents.count);
                }
            }
        }
        for name in surplus.values() {
            turn.check_held()?;
            self.storage.log(name).delete().await?;
            report.logs_deleted += 1;
        }
        self.options.tell(&task, LOGS, done, contents.count);
        Ok(())
    }

    async fn is_same_log(&self, line: &LogLine) -> Result<bool> {
        let mut entries = Entries::of(self.storage.log(&line.log));
        let mut hasher = blake3::Hasher::new();
        while let Some(page) = entries.page().await? {
            if page.is_empty() {
                return Ok((entries.next, entries.closed) == (line.entries, line.closed)
                    && hasher.finalize().to_hex().as_str() == line.content.blake3);
            }
            hasher.update(&lines(&page)?);
        }
        Ok(false)
    }

    async fn restore_log(&self, turn: &Turn, line: &LogLine, is_there: bool) -> Result<()> {
        let log = self.storage.log(&line.log);
        if is_there {
            turn.check_held()?;
            log.delete().await?;
        }
        let mut writer = LogWriter {
            turn,
            limits: self.limits(),
            log: &log,
            next: 0,
            bytes: 0,
            entries: Vec::new(),
        };
        // A line may begin in one piece and end in the next.
        let mut rest = Vec::new();
        for piece in &line.content.pieces {
            rest.extend_from_slice(&self.read_piece(piece).await?);
            let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else {
                continue;
            };
            let whole: Vec<u8> = rest.drain(..=end).collect();
            for text in whole[..end].split(|byte| *byte == b'\n') {
                writer.push(read_entry(text)?).await?;
            }
        }
        writer.flush().await?;
        if line.closed {
            turn.check_held()?;
            log.close().await?;
        }
        Ok(())
    }

    fn has_logs(&self) -> bool {
        let declaration = self.storage.declaration();
        declaration.support(Capability::Logs).is_present()
    }

    /// The most entries and bytes of one append.
    fn limits(&self) -> (usize, usize) {
        let section = self.storage.declaration().logs.as_ref();
        let most = |limit: Option<u64>, own: usize| {
            limit.map_or(own, |limit| usize::try_from(limit).unwrap_or(own).min(own))
        };
        (
            most(section.map(|section| section.max_entries), LARGEST_PAGE),
            most(section.map(|section| section.max_append_bytes), PIECE_BYTES),
        )
    }
}

/// Entries on their way into a log, each append of them where the last one ended.
struct LogWriter<'a> {
    turn: &'a Turn,
    limits: (usize, usize),
    log: &'a Log,
    next: u64,
    bytes: usize,
    entries: Vec<Bytes>,
}

impl LogWriter<'_> {
    async fn push(&mut self, entry: Bytes) -> Result<()> {
        let (most_entries, most_bytes) = self.limits;
        if self.entries.len() >= most_entries || self.bytes + entry.len() > most_bytes {
            self.flush().await?;
        }
        self.bytes += entry.len();
        self.entries.push(entry);
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let entries = std::mem::take(&mut self.entries);
        if !entries.is_empty() {
            self.turn.check_held()?;
            self.next = self.log.append_at(self.next, entries).await?.next;
        }
        Ok(())
    }
}

fn lines(entries: &[LogEntry]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for entry in entries {
        match std::str::from_utf8(&entry.bytes) {
            Ok(entry) => write_description(&mut text, &entry)?,
            Err(_) => {
                let hex: String = entry.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                write_description(&mut text, &BTreeMap::from([("hex", hex)]))?;
            }
        }
    }
    Ok(text)
}

fn read_entry(line: &[u8]) -> Result<Bytes> {
    let wrong = || Error::corrupt("", "it is no entry of a log in a backup");
    match serde_json::from_slice(line).map_err(|error| wrong().with_source(error))? {
        Entry::Text(text) => Ok(text.into()),
        Entry::Binary { hex } => {
            let digits = hex.as_bytes().chunks(2).map(|pair| {
                let is_digits = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
                let pair = std::str::from_utf8(pair).ok().filter(|_| is_digits)?;
                u8::from_str_radix(pair, 16).ok()
            });
            digits
                .collect::<Option<Vec<u8>>>()
                .map(Bytes::from)
                .ok_or_else(wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_whatever_its_bytes_are() {
        for bytes in [
            &b""[..],
            b"text\n\"",
            b"{\"hex\":\"00\"}",
            &[0xFF, 0, 0x0A],
            "ü".as_bytes(),
        ] {
            let entry = LogEntry {
                sequence: 0,
                bytes: Bytes::copy_from_slice(bytes),
            };
            let text = lines(&[entry]).unwrap();
            assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1, "{text:?}");
            assert_eq!(read_entry(&text[..text.len() - 1]).unwrap(), bytes);
        }
    }

    #[test]
    fn what_is_no_entry_is_corrupt() {
        for text in [
            "",
            "{}",
            "{\"hex\":\"0\"}",
            "{\"hex\":\"+1\"}",
            "{\"hex\":\"zz\"}",
            "1",
        ] {
            let entry = read_entry(text.as_bytes());
            assert!(entry.is_err(), "{text}: {entry:?}");
        }
    }
}
