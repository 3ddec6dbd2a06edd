//! Documents to JSON text, straight from their bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bson::{RawArray, RawBinaryRef, RawBsonRef, RawDocument};
use serde::Serialize;

use super::plain::plain;
use super::{Style, date};
use crate::error::{Error, ErrorKind, Result};
use crate::value::MAX_DEPTH;

/// Writes a canonical document as JSON, by the table at the head of this module.
///
/// # Errors
/// `InvalidArgument` for a document that [`canonical`](crate::value::canonical) would refuse for its types, depth or bytes.
pub fn write_document(document: &RawDocument, style: Style) -> Result<String> {
    let mut writer = Writer {
        // Most documents are about as long either way.
        out: Vec::with_capacity(document.as_bytes().len() + 32),
        style,
        depth: 0,
    };
    writer.document(document)?;
    String::from_utf8(writer.out).map_err(|error| unwritable().with_source(error))
}

fn unwritable() -> Error {
    Error::invalid_argument("the document is not canonical and has no JSON text: check it first")
}

struct Writer {
    out: Vec<u8>,
    style: Style,
    /// Documents and arrays that are open; also the indentation.
    depth: usize,
}

impl Writer {
    fn document(&mut self, document: &RawDocument) -> Result<()> {
        let mut fields = document.iter().peekable();
        let literal = matches!(fields.peek(), Some(Ok((name, _))) if name.as_str().starts_with('$'));
        if literal {
            self.raw("{\"$literal\":");
            self.space();
        }
        self.open(b'{')?;
        let mut empty = true;
        for field in fields {
            let (name, value) = field.map_err(|error| unwritable().with_source(error))?;
            self.next_line(empty);
            empty = false;
            self.string(name.as_str())?;
            self.out.push(b':');
            self.space();
            self.value(value)?;
        }
        self.close(b'}', empty);
        if literal {
            self.out.push(b'}');
        }
        Ok(())
    }

    fn array(&mut self, array: &RawArray) -> Result<()> {
        self.open(b'[')?;
        let mut empty = true;
        for element in array {
            let value = element.map_err(|error| unwritable().with_source(error))?;
            self.next_line(empty);
            empty = false;
            self.value(value)?;
        }
        self.close(b']', empty);
        Ok(())
    }

    fn value(&mut self, value: RawBsonRef<'_>) -> Result<()> {
        match value {
            RawBsonRef::Null => self.raw("null"),
            RawBsonRef::Boolean(boolean) => self.raw(if boolean { "true" } else { "false" }),
            RawBsonRef::Int32(integer) => self.json(&integer)?,
            RawBsonRef::Int64(integer) => self.json(&integer)?,
            RawBsonRef::Double(float) => self.float(float)?,
            RawBsonRef::String(text) => self.string(text)?,
            RawBsonRef::DateTime(time) => self.datetime(time.timestamp_millis())?,
            RawBsonRef::ObjectId(id) => self.wrapped("$oid", &id.to_hex()),
            RawBsonRef::Binary(binary) => self.binary(binary),
            RawBsonRef::Array(array) => self.array(array)?,
            RawBsonRef::Document(document) => self.document(document)?,
            _ => return Err(unwritable()),
        }
        Ok(())
    }

    fn float(&mut self, float: f64) -> Result<()> {
        if float.is_finite() {
            return self.json(&float); // the shortest text that reads back the same, always with a fraction or an exponent
        }
        self.wrapped(
            "$numberDouble",
            match float {
                f64::INFINITY => "Infinity",
                f64::NEG_INFINITY => "-Infinity",
                _ => "NaN",
            },
        );
        Ok(())
    }

    fn datetime(&mut self, milliseconds: i64) -> Result<()> {
        self.raw("{\"$date\":");
        self.space();
        match date::format(milliseconds) {
            Some(text) => {
                self.out.push(b'"');
                self.out.extend_from_slice(&text);
                self.out.push(b'"');
            }
            None => self.wrapped("$numberLong", &milliseconds.to_string()),
        }
        self.out.push(b'}');
        Ok(())
    }

    fn binary(&mut self, binary: RawBinaryRef<'_>) {
        self.raw("{\"$binary\":");
        self.space();
        self.raw("{\"base64\":");
        self.space();
        self.plain(&STANDARD.encode(binary.bytes));
        self.out.push(b',');
        self.space();
        self.raw("\"subType\":");
        self.space();
        self.plain(&format!("{:02x}", u8::from(binary.subtype)));
        self.raw("}}");
    }

    /// A wrapper with one string, neither of which needs an escape.
    fn wrapped(&mut self, name: &str, text: &str) {
        self.out.push(b'{');
        self.plain(name);
        self.out.push(b':');
        self.space();
        self.plain(text);
        self.out.push(b'}');
    }

    fn string(&mut self, text: &str) -> Result<()> {
        if plain(text.as_bytes()) < text.len() {
            return self.json(text);
        }
        self.plain(text);
        Ok(())
    }

    /// A string that needs no escape.
    fn plain(&mut self, text: &str) {
        self.out.push(b'"');
        self.raw(text);
        self.out.push(b'"');
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| {
            Error::new(ErrorKind::Internal, "JSON text could not be written").with_source(error)
        })
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn open(&mut self, bracket: u8) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(unwritable());
        }
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: u8, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.indent();
        }
        self.out.push(bracket);
    }

    fn next_line(&mut self, first: bool) {
        if !first {
            self.out.push(b',');
        }
        self.indent();
    }

    fn indent(&mut self) {
        if self.style == Style::Pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * self.depth, b' ');
        }
    }

    fn space(&mut self) {
        if self.style == Style::Pretty {
            self.out.push(b' ');
        }
    }
}
