//! Messages of MongoDB's wire protocol, as far as a proxy has to know them.
//!
//! <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

const OP_MSG: i32 = 2013;
/// The form of the first message of a connection.
const OP_QUERY: i32 = 2004;

/// Length, request id, response to, code: four numbers of four bytes.
const HEADER_BYTES: usize = 16;

/// The longest message, 48,000,000 bytes by `maxMessageSizeBytes` in the server's hello, with room for its head.
const MAX_BYTES: usize = 48_000_000 + 16_384;

/// One message, whole.
#[derive(Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// `insert`, `find`, …
    pub(super) name: String,
    /// What the command is for: the collection of most.
    pub(super) target: Option<String>,
}

impl Message {
    /// Reads the next message; `None` at the end of the connection.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut bytes = vec![0; HEADER_BYTES];
        match stream.read_exact(&mut bytes).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let length = number(&bytes, 0)
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or_default();
        if !(HEADER_BYTES..=MAX_BYTES).contains(&length) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this is not MongoDB's protocol",
            ));
        }
        bytes.resize(length, 0);
        stream.read_exact(&mut bytes[HEADER_BYTES..]).await?;
        Ok(Some(Self { bytes }))
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number an answer refers to.
    pub(super) fn request_id(&self) -> i32 {
        number(&self.bytes, 4).unwrap_or_default()
    }

    /// The request this answers.
    pub(super) fn response_to(&self) -> i32 {
        number(&self.bytes, 8).unwrap_or_default()
    }

    /// Whether the message has this text anywhere.
    pub(super) fn contains(&self, text: &str) -> bool {
        text.is_empty()
            || self
                .bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
    }

    /// The command, where there is one: the first field of its document.
    pub(super) fn command(&self) -> Option<Command> {
        let document = self.bytes.get(self.document()?..)?;
        let kind = *document.get(4)?;
        let name = document.get(5..)?;
        let end = name.iter().position(|byte| *byte == 0)?;
        // A string is a length, the text, and a zero.
        let value = name.get(end + 1..)?;
        let target = (kind == 2).then(|| {
            let length = usize::try_from(number(value, 0)?).ok()?.checked_sub(1)?;
            String::from_utf8(value.get(4..4 + length)?.to_vec()).ok()
        });
        Some(Command {
            name: String::from_utf8(name[..end].to_vec()).ok()?,
            target: target.flatten(),
        })
    }

    /// Where the document of the command begins.
    fn document(&self) -> Option<usize> {
        match number(&self.bytes, 12)? {
            OP_MSG => {
                // Flags, then sections: 0 is the document, 1 a sequence of documents, which begins with its length.
                let mut section = HEADER_BYTES + 4;
                while *self.bytes.get(section)? == 1 {
                    section += 1 + usize::try_from(number(&self.bytes, section + 1)?).ok()?;
                }
                Some(section + 1)
            }
            OP_QUERY => {
                // Flags, the name of a collection ended by zero, two numbers.
                let name = self.bytes.get(HEADER_BYTES + 4..)?;
                let end = name.iter().position(|byte| *byte == 0)?;
                Some(HEADER_BYTES + 4 + end + 1 + 8)
            }
            _ => None,
        }
    }
}

/// The number of four bytes at this place.
fn number(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(code: i32, body: &[u8]) -> Vec<u8> {
        let length = i32::try_from(HEADER_BYTES + body.len()).unwrap();
        let mut bytes: Vec<u8> = [length, 7, 3, code]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        bytes.extend_from_slice(body);
        bytes
    }

    async fn read(bytes: &[u8]) -> Message {
        Message::read(&mut &bytes[..]).await.unwrap().unwrap()
    }

    /// `{insert: "users"}`.
    const INSERT: &[u8] = b"\x17\0\0\0\x02insert\0\x06\0\0\0users\0\0";

    #[tokio::test]
    async fn the_command_is_the_first_field_of_the_document() {
        let expected = Command {
            name: "insert".to_owned(),
            target: Some("users".to_owned()),
        };
        let plain = read(&message(OP_MSG, &[b"\0\0\0\0\0", INSERT].concat())).await;
        assert_eq!(plain.command().unwrap(), expected);
        assert_eq!((plain.request_id(), plain.response_to()), (7, 3));
        assert!(plain.contains("sers") && !plain.contains("other"));

        let behind_a_sequence = [b"\0\0\0\0\x01\x08\0\0\0abc\0\0", INSERT].concat();
        assert_eq!(
            read(&message(OP_MSG, &behind_a_sequence))
                .await
                .command()
                .unwrap(),
            expected
        );

        // `{isMaster: 1}`, as the first message of a connection.
        let hello = b"\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff\x13\0\0\0\x10isMaster\0\x01\0\0\0\0";
        let command = read(&message(OP_QUERY, hello)).await.command().unwrap();
        assert_eq!(
            command,
            Command {
                name: "isMaster".to_owned(),
                target: None
            }
        );
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused_and_the_end_is_the_end() {
        assert!(Message::read(&mut &b""[..]).await.unwrap().is_none());
        assert!(Message::read(&mut &b"GET / HTTP/1.1\r\n\r\n"[..]).await.is_err());
        let short = message(OP_MSG, b"\0\0\0\0\0");
        assert!(Message::read(&mut &short[..short.len() - 1]).await.is_err());
        assert_eq!(read(&short).await.command(), None);
    }
}
