//! One line of a log's file.
//!
//! ```json
//! {"format":1,"incarnation":"5e8c…"}
//! {"seq":0,"left":1,"crc":"8a21…","text":"hello"}
//! {"seq":1,"left":0,"crc":"03f7…","base64":"AP8="}
//! {"seq":2,"left":0,"crc":"77c0…","closed":true}
//! ```
//!
//! The checksum also covers the incarnation and the number of the append's first entry, so a line proves which append it is of.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rustix::fd::BorrowedFd;
use serde::{Deserialize, Serialize};
use storage_core::{Error, ErrorKind, Name, Result, random_u128};

use crate::error::failed;
use crate::files::read_at;

/// The format of logs this library writes and reads.
const FORMAT: u32 = 1;

/// The longest header looked for, in bytes; ours has 61.
const MAX_HEADER_BYTES: usize = 1024;

/// The first line.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) incarnation: u128,
    /// Where the first entry begins.
    pub(super) end: u64,
}

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    format: u32,
    #[serde(default)]
    incarnation: String,
}

impl Header {
    /// Of a log that does not exist yet.
    pub(super) fn fresh() -> Self {
        Self {
            incarnation: random_u128(),
            end: 0,
        }
    }

    /// As a line.
    pub(super) fn line(&self) -> Result<Vec<u8>> {
        line(&HeaderLine {
            format: FORMAT,
            incarnation: format!("{:032x}", self.incarnation),
        })
    }

    /// Reads it from the beginning of a file.
    pub(super) fn read(file: BorrowedFd<'_>, log: &Name) -> Result<Self> {
        let bytes = read_at(file, 0, MAX_HEADER_BYTES).map_err(failed)?;
        let corrupt = || {
            Error::corrupt(
                log.as_str(),
                "line 1 does not say which log it is; restore the file from a backup",
            )
        };
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(corrupt)?;
        let header: HeaderLine =
            serde_json::from_slice(&bytes[..end]).map_err(|error| corrupt().with_source(error))?;
        if header.format > FORMAT {
            let message = format!(
                "the log is in format {} and this program reads up to {FORMAT}; upgrade the program",
                header.format
            );
            return Err(Error::new(ErrorKind::FormatTooNew, message).with_key(log.as_str()));
        }
        let incarnation =
            u128::from_str_radix(&header.incarnation, 16).map_err(|error| corrupt().with_source(error))?;
        Ok(Self {
            incarnation,
            end: u64::try_from(end + 1).unwrap_or(u64::MAX),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine<'a> {
    seq: u64,
    left: u64,
    #[serde(borrow)]
    crc: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    base64: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<bool>,
}

/// A line after the first, as it was read.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) seq: u64,
    /// How many lines of the same append follow.
    pub(super) left: u64,
    /// The entry; `None` in the line that closes the log.
    pub(super) entry: Option<Bytes>,
    crc: u32,
}

impl Line {
    /// `None` for anything that is no such line.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let line: EntryLine<'_> = serde_json::from_slice(text).ok()?;
        let entry = match (line.text, line.base64, line.closed) {
            (Some(text), None, None) => Some(Bytes::from(text.into_owned())),
            (None, Some(base64), None) => Some(Bytes::from(STANDARD.decode(base64.as_bytes()).ok()?)),
            (None, None, Some(true)) => None,
            _ => return None,
        };
        Some(Self {
            seq: line.seq,
            left: line.left,
            entry,
            crc: u32::from_str_radix(&line.crc, 16).ok()?,
        })
    }

    /// Whether it is, unchanged, of the append that begins at `first`.
    pub(super) fn is_of(&self, incarnation: u128, first: u64) -> bool {
        self.crc == checksum(incarnation, first, self.seq, self.left, self.entry.as_deref())
    }
}

/// Appends the line of an entry.
pub(super) fn entry_line(
    incarnation: u128,
    first: u64,
    seq: u64,
    left: u64,
    entry: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    let text = std::str::from_utf8(entry).ok().map(Cow::Borrowed);
    let base64 = if text.is_some() {
        None
    } else {
        Some(Cow::Owned(STANDARD.encode(entry)))
    };
    let crc = checksum(incarnation, first, seq, left, Some(entry));
    out.extend(line(&EntryLine {
        seq,
        left,
        crc: format!("{crc:08x}").into(),
        text,
        base64,
        closed: None,
    })?);
    Ok(())
}

/// The line that closes a log whose next entry would be `seq`.
pub(super) fn closing_line(incarnation: u128, seq: u64) -> Result<Vec<u8>> {
    let crc = checksum(incarnation, seq, seq, 0, None);
    let crc = format!("{crc:08x}").into();
    line(&EntryLine {
        seq,
        left: 0,
        crc,
        text: None,
        base64: None,
        closed: Some(true),
    })
}

fn line(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)
        .map_err(|error| Error::new(ErrorKind::Internal, "a line could not be written").with_source(error))?;
    line.push(b'\n');
    Ok(line)
}

fn checksum(incarnation: u128, first: u64, seq: u64, left: u64, entry: Option<&[u8]>) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&incarnation.to_le_bytes());
    for number in [first, seq, left] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(&[u8::from(entry.is_some())]);
    hash.update(entry.unwrap_or_default());
    hash.finalize()
}
