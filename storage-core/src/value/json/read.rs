//! JSON text to documents, straight into their bytes.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bson::oid::ObjectId;
use bson::{DateTime, RawBinaryRef, RawBsonRef, RawDocumentBuf};

use super::date;
use super::scan::{Number, Scanner};
use crate::error::Result;
use crate::value::MAX_DEPTH;
use crate::value::build::{Builder, Field};
use crate::value::check::duplicate;

/// Reads a document that [`write_document`](super::write_document) wrote, in either style.
///
/// # Errors
/// `Corrupt`, saying where and why, for anything else: the text comes from a medium, where anybody may have changed it.
pub fn read_document(text: &[u8]) -> Result<RawDocumentBuf> {
    // Most documents are about as long either way; one of many short numbers makes it grow, once.
    let builder = Builder::with_capacity(text.len() + 32);
    let mut reader = Reader {
        scan: Scanner::new(text)?,
        builder,
        names: Vec::new(),
    };
    reader.document()?;
    reader.scan.end()?;
    reader.builder.finish()
}

struct Reader<'a> {
    scan: Scanner<'a>,
    builder: Builder,
    /// The names met so far of every document that is open, innermost last: one buffer for all levels.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<()> {
        self.scan.expect(b'{')?;
        match self.scan.first_name()? {
            Some(name) if name == "$literal" => {
                self.literal(1)?;
                self.close()
            }
            Some(name) if name.starts_with('$') => Err(self.scan.fail("a document is missing")),
            first => self.fields(first, 1),
        }
    }

    /// A value inside a document or array at this depth.
    fn value(&mut self, field: &Field, depth: usize) -> Result<()> {
        match self.scan.peek()? {
            b'{' => self.object(field, depth + 1),
            b'[' => self.array(field, depth + 1),
            b'"' => {
                let text = self.scan.string()?;
                self.builder.set(field, RawBsonRef::String(&text))
            }
            b't' => {
                self.scan.word("true")?;
                self.builder.set(field, RawBsonRef::Boolean(true))
            }
            b'f' => {
                self.scan.word("false")?;
                self.builder.set(field, RawBsonRef::Boolean(false))
            }
            b'n' => {
                self.scan.word("null")?;
                self.builder.set(field, RawBsonRef::Null)
            }
            b'-' | b'0'..=b'9' => match self.scan.number()? {
                Number::Integer(integer) => self.builder.set(field, RawBsonRef::Int64(integer)),
                Number::Float(float) => self.builder.set(field, RawBsonRef::Double(float)),
            },
            _ => Err(self.scan.fail("a value is missing")),
        }
    }

    fn array(&mut self, field: &Field, depth: usize) -> Result<()> {
        self.check_depth(depth)?;
        self.scan.expect(b'[')?;
        self.builder.set_array(field);
        let open = self.builder.open();
        let mut more = self.scan.first_element()?;
        for index in 0.. {
            if !more {
                break;
            }
            let element = self.builder.element(index);
            self.value(&element, depth)?;
            more = self.scan.next_element()?;
        }
        self.builder.close(&open)
    }

    fn object(&mut self, field: &Field, depth: usize) -> Result<()> {
        self.scan.expect(b'{')?;
        match self.scan.first_name()? {
            Some(name) if name.starts_with('$') => {
                self.wrapped(&name, field, depth)?;
                self.close()
            }
            first => {
                self.builder.set_document(field);
                self.fields(first, depth)
            }
        }
    }

    /// The fields of a document from its first name on, to and past the closing brace.
    fn fields(&mut self, first: Option<Cow<'a, str>>, depth: usize) -> Result<()> {
        self.check_depth(depth)?;
        let open = self.builder.open();
        let names = self.names.len();
        let mut next = first;
        while let Some(name) = next {
            if name.contains('\0') {
                return Err(self.scan.fail(format_args!("the name {name:?} has NUL in it")));
            }
            let field = self.builder.field(&name);
            self.names.push(name);
            self.value(&field, depth)?;
            next = self.scan.next_name()?;
        }
        if let Some(name) = duplicate(&mut self.names[names..]) {
            return Err(self
                .scan
                .fail(format_args!("the name {name:?} occurs twice in this object")));
        }
        self.names.truncate(names);
        self.builder.close(&open)
    }

    /// The value of a wrapper, whose name is read.
    fn wrapped(&mut self, name: &str, field: &Field, depth: usize) -> Result<()> {
        match name {
            "$literal" => {
                self.builder.set_document(field);
                self.literal(depth)
            }
            "$oid" => {
                let id = self.parsed("an ObjectId", |text| {
                    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
                    ObjectId::parse_str(text).ok().filter(|_| lower)
                })?;
                self.builder.set(field, RawBsonRef::ObjectId(id))
            }
            "$date" => {
                let milliseconds = self.date()?;
                self.builder
                    .set(field, RawBsonRef::DateTime(DateTime::from_millis(milliseconds)))
            }
            "$numberDouble" => {
                let float = self.parsed("NaN or an infinity", |text| match text {
                    "NaN" => Some(f64::NAN),
                    "Infinity" => Some(f64::INFINITY),
                    "-Infinity" => Some(f64::NEG_INFINITY),
                    _ => None,
                })?;
                self.builder.set(field, RawBsonRef::Double(float))
            }
            "$binary" => self.binary(field),
            _ => Err(self.scan.fail(format_args!(
                "{name:?} is none of $binary, $date, $literal, $numberDouble, $oid"
            ))),
        }
    }

    fn literal(&mut self, depth: usize) -> Result<()> {
        self.scan.expect(b'{')?;
        match self.scan.first_name()? {
            Some(name) if name.starts_with('$') => self.fields(Some(name), depth),
            _ => Err(self
                .scan
                .fail("$literal is only for an object whose first name starts with '$'")),
        }
    }

    fn date(&mut self) -> Result<i64> {
        if self.scan.peek()? == b'"' {
            return self.parsed("a time like 2024-02-29T12:00:00.000Z", date::parse);
        }
        self.scan.expect(b'{')?;
        let name = self.scan.first_name()?;
        self.named(name.as_deref(), "$numberLong")?;
        let milliseconds = self.parsed("milliseconds outside the years 0000 to 9999", |text| {
            let number: i64 = text.parse().ok()?;
            (date::format(number).is_none() && number.to_string() == text).then_some(number)
        })?;
        self.close()?;
        Ok(milliseconds)
    }

    fn binary(&mut self, field: &Field) -> Result<()> {
        self.scan.expect(b'{')?;
        let name = self.scan.first_name()?;
        self.named(name.as_deref(), "base64")?;
        let bytes = self.parsed("padded base64", |text| STANDARD.decode(text).ok())?;
        let name = self.scan.next_name()?;
        self.named(name.as_deref(), "subType")?;
        let subtype = self.parsed("two lower-case hex digits", |text| {
            let subtype = u8::from_str_radix(text, 16).ok()?;
            (format!("{subtype:02x}") == text).then_some(subtype)
        })?;
        self.close()?;
        self.builder.set(
            field,
            RawBsonRef::Binary(RawBinaryRef {
                subtype: subtype.into(),
                bytes: &bytes,
            }),
        )
    }

    /// A string that means something. The error does not repeat it: it may be long, and nobody else's business.
    fn parsed<T>(&mut self, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let text = self.scan.string()?;
        parse(&text).ok_or_else(|| self.scan.fail(format_args!("the string is not {what}")))
    }

    fn named(&self, name: Option<&str>, expected: &str) -> Result<()> {
        if name == Some(expected) {
            return Ok(());
        }
        Err(self.scan.fail(format_args!("{expected:?} is missing")))
    }

    /// The end of a wrapper, which holds one thing.
    fn close(&mut self) -> Result<()> {
        self.scan.expect(b'}')
    }

    fn check_depth(&self, depth: usize) -> Result<()> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        Err(self
            .scan
            .fail(format_args!("the document has more than {MAX_DEPTH} levels")))
    }
}
