//! [`Scanner`]: the tokens of JSON text, and where in it a mistake is.
//!
//! JSON is scanned here rather than by `serde_json`, which stops at 127 levels of nesting: a document may have 64, each of which may
//! wear a `$literal`. Strings with escapes are still read by it, and a property test holds the two grammars together.

use std::borrow::Cow;
use std::fmt;

use super::plain::plain;
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Result<Self> {
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => Err(damaged(&text[..error.valid_up_to()], "the text is not UTF-8")),
        }
    }

    /// `Corrupt`: something is wrong just here.
    pub(super) fn fail(&self, problem: impl fmt::Display) -> Error {
        let before = self.at.min(self.text.len()); // a backslash at the very end leads past it
        damaged(&self.text.as_bytes()[..before], problem)
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Result<u8> {
        self.skip_white_space();
        self.byte().ok_or_else(|| self.fail("the text ends too early"))
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek()? != byte {
            return Err(self.fail(format_args!("{:?} is missing", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    /// After `{`: the first name, or `None` past the closing brace.
    pub(super) fn first_name(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(None);
        }
        self.name().map(Some)
    }

    /// After the value of a field: the next name, or `None` past the closing brace.
    pub(super) fn next_name(&mut self) -> Result<Option<Cow<'a, str>>> {
        if self.next(b'}')? {
            self.name().map(Some)
        } else {
            Ok(None)
        }
    }

    /// After `[`: whether there is an element, or else past the closing bracket.
    pub(super) fn first_element(&mut self) -> Result<bool> {
        let empty = self.peek()? == b']';
        self.at += usize::from(empty);
        Ok(!empty)
    }

    /// After an element: whether there is another one, or else past the closing bracket.
    pub(super) fn next_element(&mut self) -> Result<bool> {
        self.next(b']')
    }

    pub(super) fn word(&mut self, word: &str) -> Result<()> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.fail("a value is missing"));
        }
        self.at += word.len();
        Ok(())
    }

    pub(super) fn string(&mut self) -> Result<Cow<'a, str>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => return Err(self.fail("a control character must be escaped")),
                None => return Err(self.fail("a string has no end")),
            }
        }
        let end = self.at;
        self.at += 1;
        if !escaped {
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        let unescaped = serde_json::from_str(&self.text[start - 1..=end]);
        unescaped
            .map(Cow::Owned)
            .map_err(|error| self.fail("a string has an invalid escape").with_source(error))
    }

    pub(super) fn number(&mut self) -> Result<Number> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        let mut integer = true;
        if self.byte() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if integer {
            let number = text.parse().ok().filter(|_| text != "-0").map(Number::Integer);
            return number.ok_or_else(|| self.fail(format_args!("{text} is not an integer of 64 bits")));
        }
        let number = text
            .parse()
            .ok()
            .filter(|float: &f64| float.is_finite())
            .map(Number::Float);
        number.ok_or_else(|| self.fail(format_args!("{text} is not a float of 64 bits")))
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<()> {
        self.skip_white_space();
        if self.at < self.text.len() {
            Err(self.fail("something follows the document"))
        } else {
            Ok(())
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_white_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fail("a digit is missing"))
        } else {
            Ok(())
        }
    }

    fn name(&mut self) -> Result<Cow<'a, str>> {
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    fn next(&mut self, close: u8) -> Result<bool> {
        let byte = self.peek()?;
        if byte != b',' && byte != close {
            return Err(self.fail(format_args!("',' or {:?} is missing", char::from(close))));
        }
        self.at += 1;
        Ok(byte == b',')
    }
}

fn damaged(before: &[u8], problem: impl fmt::Display) -> Error {
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let message = format!("the JSON text is damaged at line {line}, byte {column}: {problem}");
    Error::new(ErrorKind::Corrupt, message)
}
