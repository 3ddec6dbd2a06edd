//! [`StorageUrl`]: the parts of `scheme:path?option=value`, and how they are shown without secrets.

mod redact;

use std::fmt;
use std::str::FromStr;

use storage_core::{Error, Result};

pub(crate) use self::redact::{is_secret, redact};

/// A URL taken apart. `Display` and `Debug` show it without passwords, keys and tokens.
///
/// `scheme:path`, `scheme:///absolute/path` or `scheme://host/path`, then `?option=value&option=value`. Escapes (`%20`) are
/// decoded in path, option names and values; `+` is a plus.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageUrl {
    text: String,
    scheme: String,
    authority: Option<String>,
    path: String,
    options: Vec<(String, String)>,
}

impl StorageUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// `InvalidArgument`, showing the URL without its secrets: no scheme, a bare `#`, an escape that is none, an option without
    /// `=` or given twice.
    pub fn parse(text: &str) -> Result<Self> {
        Self::take_apart(text).map_err(|problem| refused(text, &problem))
    }

    fn take_apart(text: &str) -> Result<Self, String> {
        let (scheme, rest) = split_scheme(text)?;
        if rest.contains('#') {
            return Err("a # in it must be written %23".into());
        }
        let (place, query) = rest
            .split_once('?')
            .map_or((rest, None), |(place, query)| (place, Some(query)));
        let (authority, path) = match place.strip_prefix("//") {
            None => (None, place),
            Some(after) => {
                let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
                (Some(authority).filter(|authority| !authority.is_empty()), path)
            }
        };
        let mut options: Vec<(String, String)> = Vec::new();
        for pair in query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').ok_or("an option is written name=value")?;
            let (name, value) = (decode(name)?, decode(value)?);
            if options.iter().any(|(known, _)| *known == name) {
                return Err(format!("option {name:?} is given twice"));
            }
            options.push((name, value));
        }
        Ok(Self {
            text: text.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.map(str::to_owned),
            path: decode(path)?,
            options,
        })
    }

    /// The URL of a path on this machine, which is taken as it is: nothing in it is decoded.
    pub fn from_path(scheme: &str, path: &str) -> Self {
        let scheme = scheme.to_ascii_lowercase();
        let url = Self {
            text: String::new(),
            scheme,
            authority: None,
            path: String::new(),
            options: Vec::new(),
        };
        url.with_path(path)
    }

    /// The same URL with another path, taken as it is; host and options stay.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let slashes = if self.authority.is_some() || path.starts_with('/') {
            "//"
        } else {
            ""
        };
        let authority = self.authority.as_deref().unwrap_or_default();
        let query = self.text.find('?').map_or("", |at| &self.text[at..]);
        let text = format!("{}:{slashes}{authority}{}{query}", self.scheme, encode(path));
        Self {
            text,
            path: path.to_owned(),
            ..self.clone()
        }
    }

    /// The scheme in lower case, such as `fs`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between `//` and the next `/`: user, password, host. It may hold secrets.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The path, decoded: `./data` in `fs:./data`, `/srv/data` in `fs:///srv/data`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Options in the order given, decoded. Values may be secrets.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The whole URL as it was given, secrets included: for a driver, never for a person.
    pub fn with_secrets(&self) -> &str {
        &self.text
    }

    /// The URL with its secrets, without the options of these names; what stays is as it was given. For a driver, never for a person.
    pub fn without_options(&self, left_out: impl Fn(&str) -> bool) -> String {
        let Some((place, query)) = self.text.split_once('?') else {
            return self.text.clone();
        };
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| {
                let name = pair.split_once('=').and_then(|(name, _)| decode(name).ok());
                !name.is_some_and(|name| left_out(&name))
            })
            .collect();
        if kept.iter().all(|pair| pair.is_empty()) {
            return place.to_owned();
        }
        format!("{place}?{}", kept.join("&"))
    }

    /// Adds an option given in code.
    pub(crate) fn push_option(&mut self, name: &str, value: &str) -> Result<()> {
        if self.options.iter().any(|(known, _)| known == name) {
            return Err(refused(
                &self.text,
                &format!("option {name:?} is given in the URL and in code"),
            ));
        }
        let separator = if self.text.contains('?') { '&' } else { '?' };
        self.text = format!(
            "{}{separator}{}={}",
            self.text,
            encode_option(name),
            encode_option(value)
        );
        self.options.push((name.to_owned(), value.to_owned()));
        Ok(())
    }
}

/// The scheme of a URL and what follows its colon.
pub(crate) fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    let valid = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    match text.split_once(':') {
        Some((scheme, rest)) if valid(scheme) => Ok((scheme, rest)),
        _ if text.is_empty() => Err("it is empty".into()),
        _ => {
            Err("it has no scheme; a directory is written fs:./data, a database file sqlite:./app.db".into())
        }
    }
}

/// An error about a URL, which is shown without its secrets.
pub(crate) fn refused(text: &str, problem: &str) -> Error {
    Error::invalid_argument(format!("the URL cannot be used: {problem}")).with_key(redact(text))
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (Some(high), Some(low)) = (
            after.first().copied().and_then(digit),
            after.get(1).copied().and_then(digit),
        ) else {
            return Err("a % in it must be followed by two hex digits; a percent sign is written %25".into());
        };
        bytes.push(high << 4 | low);
        rest = &after[2..];
    }
    let text = String::from_utf8(bytes).map_err(|_| "what its escapes stand for is not UTF-8")?;
    if text.contains('\0') {
        return Err("it contains NUL".into());
    }
    Ok(text)
}

fn encode(text: &str) -> String {
    escape(text, |c| matches!(c, '%' | '?' | '#') || c.is_ascii_control())
}

fn encode_option(text: &str) -> String {
    escape(text, |c| {
        matches!(c, '%' | '?' | '#' | '&' | '=') || c.is_ascii_control()
    })
}

fn escape(text: &str, special: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special(c) {
            out.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

impl FromStr for StorageUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.text))
    }
}

impl fmt::Debug for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageUrl({:?})", redact(&self.text))
    }
}

#[cfg(test)]
mod tests;
