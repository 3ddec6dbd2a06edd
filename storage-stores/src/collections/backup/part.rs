//! Parts, and the lines in them; those about documents are `{"id":…,"document":…}`, with `"expires_at"` in between where there is one.

use serde::{Deserialize, Serialize};
use storage_core::bson::RawDocumentBuf;
use storage_core::value::{Style, read_document, write_document};
use storage_core::{Document, DocumentId, Error, Result, Storage, Timestamp};

use super::manifest::Part;
use crate::collections::migrations::turn::Turn;

/// How large a part grows before the next one is begun: what is held in memory.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// Lines on their way into parts.
pub(super) struct PartWriter<'a> {
    place: &'a Storage,
    turn: &'a Turn,
    /// What the keys of its parts begin with.
    name: String,
    text: Vec<u8>,
    lines: u64,
    parts: Vec<Part>,
}

impl<'a> PartWriter<'a> {
    pub(super) const fn new(place: &'a Storage, turn: &'a Turn, name: String) -> Self {
        Self {
            place,
            turn,
            name,
            text: Vec::new(),
            lines: 0,
            parts: Vec::new(),
        }
    }

    /// Adds the line that `write` writes.
    pub(super) async fn push(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()> + Send) -> Result<()> {
        write(&mut self.text)?;
        self.lines += 1;
        if self.text.len() >= PART_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes what is left, and gives all parts.
    pub(super) async fn finish(mut self) -> Result<Vec<Part>> {
        if self.lines > 0 {
            self.flush().await?;
        }
        Ok(self.parts)
    }

    async fn flush(&mut self) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        let part = Part {
            key: format!("{}-{:05}.jsonl", self.name, self.parts.len()),
            bytes: text.len() as u64,
            documents: std::mem::take(&mut self.lines),
            blake3: blake3::hash(&text).to_hex().to_string(),
        };
        self.turn.check_held()?;
        self.place.objects().write(&part.key, text).await?;
        self.parts.push(part);
        Ok(())
    }
}

/// What stands between a line's head and its document. A quotation mark inside an id is escaped, so it is met nowhere before.
const BETWEEN: &str = ",\"document\":";

/// What a line says about a document beside its fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

/// A document in a backup.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) id: DocumentId,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) body: RawDocumentBuf,
}

/// Adds a document's line.
pub(super) fn write_line(out: &mut Vec<u8>, document: &Document<RawDocumentBuf>) -> Result<()> {
    let head = Head {
        id: document.id.to_string(),
        expires_at: document.expires_at,
    };
    let head = serde_json::to_string(&head).map_err(|error| {
        Error::invalid_argument(format!("the id {:?} cannot be written", document.id.as_str()))
            .with_source(error)
    })?;
    out.extend_from_slice(&head.as_bytes()[..head.len() - 1]);
    out.extend_from_slice(BETWEEN.as_bytes());
    out.extend_from_slice(write_document(&document.value, Style::Compact)?.as_bytes());
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// Reads a line without its end.
///
/// # Errors
/// `Corrupt` for anything that `write_line` did not write.
pub(super) fn read_line(line: &str) -> Result<Line> {
    let wrong = || Error::corrupt("", "it is no line of a backup");
    let (head, document) = line.split_once(BETWEEN).ok_or_else(wrong)?;
    let head: Head =
        serde_json::from_str(&format!("{head}}}")).map_err(|error| wrong().with_source(error))?;
    let document = document.strip_suffix('}').ok_or_else(wrong)?;
    Ok(Line {
        id: DocumentId::new(head.id).map_err(|error| wrong().with_source(error))?,
        expires_at: head.expires_at,
        body: read_document(document.as_bytes())?,
    })
}

#[cfg(test)]
mod tests {
    use storage_core::bson::{doc, oid::ObjectId};
    use storage_core::{Memory, Query, Storage};

    use super::*;

    #[tokio::test]
    async fn a_line_comes_back_whatever_the_id_and_the_values_are() {
        let storage = Storage::new(Memory::new());
        let documents = storage.collection::<RawDocumentBuf>("any");
        let fields = doc! { "a": 1_i64, "b": ObjectId::from_bytes([7; 12]), ",\"document\":": "}", "c": { "$literal": 1.5 } };
        for id in ["a", "}", "\",\"document\":{}", "ü\n\t\\", "{\"id\":1}}}"] {
            documents
                .put(id, &RawDocumentBuf::try_from(&fields).unwrap())
                .await
                .unwrap();
        }
        let mut found = documents.find(Query::all()).await.unwrap();
        while let Some(mut document) = found.next().await.unwrap() {
            for expires_at in [None, Some(Timestamp::from_millis(-5))] {
                document.expires_at = expires_at;
                let mut text = Vec::new();
                write_line(&mut text, &document).unwrap();
                let text = String::from_utf8(text).unwrap();
                let line = read_line(text.strip_suffix('\n').unwrap()).unwrap();
                assert_eq!(
                    (line.id, line.expires_at, line.body),
                    (document.id.clone(), expires_at, document.value.clone())
                );
            }
        }
    }

    #[test]
    fn what_is_no_line_is_corrupt() {
        for text in [
            "",
            "{}",
            "{\"id\":\"a\"}",
            "{\"id\":\"a\",\"document\":{}",
            "{\"id\":\"\",\"document\":{}}",
        ] {
            assert!(read_line(text).is_err(), "{text}");
        }
    }
}
