//! Logs: one file of JSON lines each, which a person can read with `tail -f`.
//!
//! The first line names the format and the incarnation; after it each line is an entry. An append is one write of all its lines,
//! each saying how many are still to come, so that an append a crash cut short is known from one that is whole. Bytes of a whole
//! append never change again, which is why what was learned about a log stays true until it is deleted.
//!
//! Appends of one handle that wait for their turn are written by the first that has it, with one write and one sync for all. Each is an
//! append of its own all the same: a crash leaves the first few of them.

mod line;
mod lines;
mod names;
mod scan;
mod state;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::fstat;
use rustix::io::Errno;
use storage_core::{AppendRequest, Appended, Applied, Error, ErrorKind, LogPage, Name, Result, Version};

use self::line::{Header, closing_line, entry_line};
pub(crate) use self::names::names;
use self::state::Known;
pub(crate) use self::waiting::Ticket;
use self::waiting::{Append, Waiting};
use crate::atomic::{Publication, publish, unlink};
use crate::error::{doubtful, failed};
use crate::layout::Place;
use crate::lock::Claim;
use crate::root::Root;
use crate::version::size;

/// How many logs' ends are remembered; one forgotten costs reading the log once.
const MAX_KNOWN: usize = 1_000;

/// What a handle knows about its logs.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    known: Mutex<HashMap<Name, Arc<Mutex<Known>>>>,
    /// Logs whose last append may not survive: only read until the handle is opened again.
    poisoned: Mutex<HashSet<Name>>,
    waiting: Arc<Waiting>,
}

/// An open log.
struct Open {
    file: OwnedFd,
    /// Bytes in it when it was opened.
    length: u64,
    known: Arc<Mutex<Known>>,
}

/// An append whose lines are about to be written.
struct Part {
    /// Where they end among the lines that are written with them.
    end: u64,
    /// The number of the entry after its last one.
    next: u64,
    closes: bool,
}

impl Logs {
    /// Has an append wait until somebody whose turn it is does it.
    pub(crate) fn wait(&self, log: &Name, request: AppendRequest) -> Ticket {
        self.waiting.push(log, request)
    }

    /// Does the append that waits longest, and those that can be written with it.
    pub(crate) fn append_waiting(&self, root: &Root, log: &Name, claim: Claim) {
        let held = claim.hold().map_err(failed);
        let mut appends = self.waiting.take(log);
        let outcome = held.and_then(|held| {
            let outcome = match appends.as_slice() {
                [] => Ok(Vec::new()),
                [one] => self
                    .append(root, log, &one.request)
                    .map(|appended| vec![appended]),
                several => self.append_together(root, log, several),
            };
            drop(held);
            outcome
        });
        match outcome {
            Ok(appended) => {
                let rest = appends.split_off(appended.len());
                for (append, appended) in appends.into_iter().zip(appended) {
                    append.tell(Ok(appended));
                }
                self.waiting.give_back(log, rest);
            }
            Err(error) => {
                let unknown = error.applied() == Applied::Unknown;
                let rest = appends.split_off(appends.len().min(1));
                if let Some(first) = appends.pop() {
                    first.tell(Err(error));
                }
                if unknown {
                    rest.into_iter()
                        .for_each(|append| append.tell(Err(doubtful(Errno::IO))));
                } else {
                    // Nothing of theirs is there: what happens to them is seen when it is their turn.
                    self.waiting.give_back(log, rest);
                }
            }
        }
    }

    /// Appends entries at the end, or finds them where they were expected. The log is held.
    fn append(&self, root: &Root, log: &Name, request: &AppendRequest) -> Result<Appended> {
        self.check(root, log)?;
        let place = root.layout.log(log);
        let Some(open) = self.open(root, log, &place, true)? else {
            return match request.expected {
                Some(expected) if expected > 0 => Err(Error::log_moved(expected, 0)),
                _ if request.entries.is_empty() => Ok(Appended { first: 0, next: 0 }),
                _ => self
                    .create(root, log, &place, |incarnation| {
                        lines_of(incarnation, 0, &request.entries)
                    })
                    .map(|()| Appended {
                        first: 0,
                        next: count(&request.entries),
                    }),
            };
        };
        let (end, next, closed, incarnation) = {
            let mut known = lock(&open.known);
            known.extend(open.file.as_fd(), log, open.length)?.sound()?;
            (known.end, known.next, known.closed, known.incarnation)
        };
        if let Some(expected) = request.expected
            && expected != next
        {
            lock(&open.known).stand(open.file.as_fd(), log, expected, &request.entries)?;
            // Whoever appended them may have died before they were durable.
            self.sync(root, log, &open.file)?;
            return Ok(Appended {
                first: expected,
                next: expected + count(&request.entries),
            });
        }
        if closed {
            return match request.expected {
                Some(first) if request.entries.is_empty() => Ok(Appended { first, next: first }),
                _ => Err(closed_log()),
            };
        }
        let appended = Appended {
            first: next,
            next: next + count(&request.entries),
        };
        if !request.entries.is_empty() {
            let lines = lines_of(incarnation, next, &request.entries)?;
            let part = Part {
                end: length(&lines),
                next: appended.next,
                closes: false,
            };
            self.write(root, log, &open, end, &lines, &[part])?;
        }
        Ok(appended)
    }

    /// Appends one after the other, wherever the end is, and syncs once. Gives those that stand, from the first on; the others were not
    /// written. The log is held.
    fn append_together(&self, root: &Root, log: &Name, appends: &[Append]) -> Result<Vec<Appended>> {
        self.check(root, log)?;
        let Some(open) = self.open(root, log, &root.layout.log(log), true)? else {
            // The first creates the log.
            let first = self.append(root, log, &appends[0].request)?;
            return Ok(vec![first]);
        };
        let (end, mut next, incarnation) = {
            let mut known = lock(&open.known);
            known.extend(open.file.as_fd(), log, open.length)?.sound()?;
            if known.closed {
                return Err(closed_log());
            }
            (known.end, known.next, known.incarnation)
        };
        let (mut lines, mut parts, mut appended) = (Vec::new(), Vec::new(), Vec::new());
        for append in appends {
            let first = next;
            lines.extend(lines_of(incarnation, first, &append.request.entries)?);
            next += count(&append.request.entries);
            parts.push(Part {
                end: length(&lines),
                next,
                closes: false,
            });
            appended.push(Appended { first, next });
        }
        let whole = self.write(root, log, &open, end, &lines, &parts)?;
        appended.truncate(whole);
        Ok(appended)
    }

    /// Closes a log, creating it where there is none.
    pub(crate) fn close(&self, root: &Root, log: &Name, claim: Claim) -> Result<()> {
        self.check(root, log)?;
        let place = root.layout.log(log);
        let _held = claim.hold().map_err(failed)?;
        let Some(open) = self.open(root, log, &place, true)? else {
            return self.create(root, log, &place, |incarnation| closing_line(incarnation, 0));
        };
        let (end, next, closed, incarnation) = {
            let mut known = lock(&open.known);
            known.extend(open.file.as_fd(), log, open.length)?.sound()?;
            (known.end, known.next, known.closed, known.incarnation)
        };
        if closed {
            return self.sync(root, log, &open.file);
        }
        let line = closing_line(incarnation, next)?;
        let part = Part {
            end: length(&line),
            next,
            closes: true,
        };
        self.write(root, log, &open, end, &line, &[part]).map(|_| ())
    }

    /// Removes a log. The next of its name is another incarnation.
    pub(crate) fn delete(&self, root: &Root, log: &Name, claim: Claim) -> Result<()> {
        root.durable.check()?;
        let place = root.layout.log(log);
        let Some(directory) = root.directory(place.directory())? else {
            return Ok(());
        };
        let held = claim.hold().map_err(failed)?;
        root.durable
            .judge(unlink(&root.system, directory.as_fd(), place.file()))?;
        lock(&self.known).remove(log);
        lock(&self.poisoned).remove(log);
        drop(held);
        root.durable.directory(directory.as_fd())
    }

    /// Reads a page. `None` where it must be read again under a lock, because what looks cut short may be an append under way.
    pub(crate) fn read(
        &self,
        root: &Root,
        log: &Name,
        from: u64,
        limit: usize,
        claim: Option<Claim>,
    ) -> Result<Option<LogPage>> {
        let locked = claim.is_some();
        // On a disk that cannot be written there is no append under way, either.
        let _held = claim.map(Claim::hold).transpose().or_else(|errno| match errno {
            Errno::ROFS | Errno::ACCESS | Errno::PERM => Ok(None),
            errno => Err(failed(errno)),
        })?;
        let Some(open) = self.open(root, log, &root.layout.log(log), false)? else {
            return Ok(Some(LogPage::default()));
        };
        let mut known = lock(&open.known);
        let length = size(&fstat(&open.file).map_err(failed)?);
        let tail = known.extend(open.file.as_fd(), log, length)?;
        if tail.torn_bytes > 0 && !locked {
            return Ok(None);
        }
        let mut page = LogPage::default();
        page.entries = known.page(open.file.as_fd(), log, from, limit)?;
        page.end = known.next;
        page.closed = known.closed;
        page.incarnation = Some(Version::from_u128(known.incarnation));
        page.torn_bytes = tail.torn_bytes;
        // Entries before the damage are read; whoever comes to it is told.
        if from >= known.next {
            tail.sound()?;
        }
        Ok(Some(page))
    }

    fn check(&self, root: &Root, log: &Name) -> Result<()> {
        root.durable.check()?;
        if lock(&self.poisoned).contains(log) {
            return Err(Error::new(
                ErrorKind::Io,
                "an earlier append could not be made durable, so this handle only reads the log; check the disk and open it again",
            ));
        }
        Ok(())
    }

    /// Opens a log's file and finds what is known of this incarnation.
    fn open(&self, root: &Root, log: &Name, place: &Place, writing: bool) -> Result<Option<Open>> {
        let Some((file, length)) = root.log_file(place, writing)? else {
            return Ok(None);
        };
        if writing && !root.durable.knows(place.path()) {
            // Its creator may not have come to it.
            let directory = root.directory_for_writing(place.directory())?;
            root.durable.directory(directory.as_fd())?;
            root.durable.remember(place.path());
        }
        let header = Header::read(file.as_fd(), log)?;
        let mut all = lock(&self.known);
        make_room(&mut all, log);
        let known = all
            .entry(log.clone())
            .or_insert_with(|| Arc::new(Mutex::new(Known::new(&header))));
        let stale = {
            let known = lock(known);
            // What is longer than the file was may have been appended since.
            known.incarnation != header.incarnation
                || (known.end > length && known.end > size(&fstat(&file).map_err(failed)?))
        };
        if stale {
            *known = Arc::new(Mutex::new(Known::new(&header)));
        }
        Ok(Some(Open {
            file,
            length,
            known: Arc::clone(known),
        }))
    }

    /// Publishes a log's file with its first lines in it.
    fn create(
        &self,
        root: &Root,
        log: &Name,
        place: &Place,
        lines: impl FnOnce(u128) -> Result<Vec<u8>>,
    ) -> Result<()> {
        let mut header = Header::fresh();
        let mut text = header.line()?;
        header.end = length(&text);
        text.extend(lines(header.incarnation)?);
        let mut temporary = root.staging.create()?;
        temporary.write(&text)?;
        root.durable.file(temporary.file())?;
        let directory = root.directory_for_writing(place.directory())?;
        let published = publish(
            &root.staging,
            &mut temporary,
            directory.as_fd(),
            place.file(),
            Publication::Create,
        );
        root.durable.judge(published)?;
        root.durable.directory(directory.as_fd())?;
        root.durable.remember(place.path());
        let mut known = Known::new(&header);
        known.durable = length(&text);
        let mut all = lock(&self.known);
        make_room(&mut all, log);
        all.insert(log.clone(), Arc::new(Mutex::new(known)));
        Ok(())
    }

    /// Writes the lines of appends at the end of what is whole, over whatever a crash left there. Gives how many of the appends stand:
    /// fewer than all where the disk took no more.
    fn write(
        &self,
        root: &Root,
        log: &Name,
        open: &Open,
        end: u64,
        lines: &[u8],
        parts: &[Part],
    ) -> Result<usize> {
        let file = open.file.as_fd();
        if open.length > end {
            self.cut(root, log, open, end)?;
        } else if lock(&open.known).durable < end {
            // Whoever appended before may have died before it was durable, and this must not be the only one that is.
            self.sync(root, log, &open.file)
                .map_err(|error| error.with_applied(Applied::No))?;
        }
        let (mut at, mut rest) = (end, lines);
        let mut whole = parts.len();
        while !rest.is_empty() {
            match root.system.write_at(file, rest, at) {
                Ok(written) => {
                    at += u64::try_from(written).unwrap_or(0);
                    rest = &rest[written..];
                }
                Err(Errno::INTR) => {}
                Err(errno) => {
                    whole = parts.partition_point(|part| end + part.end <= at);
                    // What is there of an append that is not whole counts for nothing even where it cannot be removed. One that is whole
                    // may have been read by now, and stays.
                    let Some(last) = whole.checked_sub(1) else {
                        let _ = self.cut(root, log, open, end);
                        return Err(failed(errno));
                    };
                    let _ = root.system.truncate(file, end + parts[last].end);
                    break;
                }
            }
        }
        self.sync(root, log, &open.file)?;
        let mut known = lock(&open.known);
        let mut start = end;
        for part in &parts[..whole] {
            // A reader may have come to it first.
            if known.end == start {
                known.grow(part.next, end + part.end, part.closes);
            }
            start = end + part.end;
        }
        known.durable = known.durable.max(start);
        Ok(whole)
    }

    /// Removes what stands behind the whole part, for good before anything is written there: a crash must not leave some lines of
    /// the one beside some of the other, which would look like one append.
    fn cut(&self, root: &Root, log: &Name, open: &Open, end: u64) -> Result<()> {
        root.system.truncate(open.file.as_fd(), end).map_err(failed)?;
        self.sync(root, log, &open.file)
            .map_err(|error| error.with_applied(Applied::No))
    }

    fn sync(&self, root: &Root, log: &Name, file: &OwnedFd) -> Result<()> {
        root.durable.data(file.as_fd()).map_err(|errno| {
            lock(&self.poisoned).insert(log.clone());
            doubtful(errno)
        })
    }
}

fn closed_log() -> Error {
    Error::new(ErrorKind::LogClosed, "the log is closed; delete it to begin anew")
}

fn make_room(known: &mut HashMap<Name, Arc<Mutex<Known>>>, log: &Name) {
    if known.len() >= MAX_KNOWN && !known.contains_key(log) {
        known.clear();
    }
}

fn lines_of(incarnation: u128, first: u64, entries: &[Bytes]) -> Result<Vec<u8>> {
    let mut lines = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 64).sum());
    let count = count(entries);
    for (at, entry) in (0_u64..).zip(entries) {
        entry_line(incarnation, first, first + at, count - at - 1, entry, &mut lines)?;
    }
    Ok(lines)
}

fn length(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn count(entries: &[Bytes]) -> u64 {
    u64::try_from(entries.len()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
