//! What options a scheme takes: one table from which reading, error messages and documents are made.

use std::fmt;
use std::time::Duration;

use storage_core::{Error, Result};

use crate::url::{StorageUrl, is_secret, refused};

/// One option of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UrlOption {
    /// Its name; one with a unit ends in it, such as `busy_timeout_ms`.
    pub name: &'static str,
    /// What its value can be.
    pub kind: UrlOptionKind,
    /// The value where none is given, in words.
    pub default: &'static str,
    /// What it does, in one sentence without a full stop.
    pub meaning: &'static str,
}

/// What the value of an option can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlOptionKind {
    /// A number of bytes.
    Bytes,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A number, at least this.
    Count {
        /// The least value taken.
        at_least: u64,
    },
    /// `true` or `false`.
    Flag,
    /// A number of milliseconds.
    Milliseconds,
    /// A number of seconds.
    Seconds,
    /// Any text but none; what it can be, in a word or two.
    Text(&'static str),
}

impl UrlOption {
    /// An option.
    pub const fn new(
        name: &'static str,
        kind: UrlOptionKind,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            default,
            meaning,
        }
    }
}

impl fmt::Display for UrlOptionKind {
    /// The type and its unit, for people: `power-loss, process-crash`, `milliseconds`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes => f.write_str("bytes, such as 65536 or 64KiB"),
            Self::Choice(words) => f.write_str(&words.join(", ")),
            Self::Count { at_least: 0 } => f.write_str("number"),
            Self::Count { at_least } => write!(f, "number, at least {at_least}"),
            Self::Flag => f.write_str("true, false"),
            Self::Milliseconds => f.write_str("milliseconds"),
            Self::Seconds => f.write_str("seconds"),
            Self::Text(what) => f.write_str(what),
        }
    }
}

/// A URL whose options are all known to its scheme and have values that can be: what a scheme is opened with.
#[derive(Debug, Clone)]
pub struct Address {
    url: StorageUrl,
    values: Values,
}

/// Options that were given, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(Vec<(&'static str, Value)>);

#[derive(Debug, Clone)]
enum Value {
    Number(u64),
    Word(&'static str),
    Flag(bool),
    Text(String),
    Time(Duration),
}

impl Address {
    /// Reads the options of a URL by the table of its scheme. What is not in it is an error, unless others are the driver's.
    pub(crate) fn read(url: StorageUrl, table: &[UrlOption], others: Option<&str>) -> Result<Self> {
        let mut values = Values::default();
        for (name, text) in url.options() {
            let Some(option) = table.iter().find(|option| option.name == name) else {
                if others.is_some() {
                    continue;
                }
                return Err(unknown(&url, name, table));
            };
            let value = option
                .kind
                .read(text)
                .ok_or_else(|| bad_value(&url, option, text))?;
            values.0.push((option.name, value));
        }
        Ok(Self { url, values })
    }

    /// The URL.
    pub const fn url(&self) -> &StorageUrl {
        &self.url
    }

    /// The path, decoded.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// A `Flag`, if given.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.values.flag(name)
    }

    /// A `Choice`, if given.
    pub fn choice(&self, name: &str) -> Option<&'static str> {
        self.values.choice(name)
    }

    /// A `Count` or a number of `Bytes`, if given.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.values.number(name)
    }

    /// A number of `Milliseconds` or `Seconds`, if given.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.values.duration(name)
    }

    /// A `Text`, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.text(name)
    }

    /// The URL for a driver: with its secrets, without the options of the scheme's table.
    pub fn for_driver(&self) -> String {
        let own = |name: &str| self.values.0.iter().any(|(known, _)| *known == name);
        self.url.without_options(own)
    }

    /// An error about this URL, for what only the backend can judge.
    pub fn refuse(&self, problem: &str) -> Error {
        refused(self.url.with_secrets(), problem)
    }
}

impl Values {
    /// Takes the value of an option; `false` if it cannot be one.
    pub(crate) fn take(&mut self, option: &UrlOption, text: &str) -> bool {
        let value = option.kind.read(text);
        value.map(|value| self.0.push((option.name, value))).is_some()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.find(name, |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    pub(crate) fn choice(&self, name: &str) -> Option<&'static str> {
        self.find(name, |value| match value {
            Value::Word(word) => Some(*word),
            _ => None,
        })
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.find(name, |value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        })
    }

    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        self.find(name, |value| match value {
            Value::Time(time) => Some(*time),
            _ => None,
        })
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.find(name, |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    fn find<'a, T>(&'a self, name: &str, pick: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
        pick(value)
    }
}

impl UrlOptionKind {
    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Bytes => bytes(text).map(Value::Number),
            Self::Count { at_least } => number(text)
                .filter(|number| *number >= at_least)
                .map(Value::Number),
            Self::Choice(words) => words
                .iter()
                .find(|word| **word == text)
                .map(|word| Value::Word(word)),
            Self::Flag => match text {
                "true" => Some(Value::Flag(true)),
                "false" => Some(Value::Flag(false)),
                _ => None,
            },
            Self::Milliseconds => number(text).map(|number| Value::Time(Duration::from_millis(number))),
            Self::Seconds => number(text).map(|number| Value::Time(Duration::from_secs(number))),
            Self::Text(_) => (!text.is_empty()).then(|| Value::Text(text.to_owned())),
        }
    }
}

/// Digits, and perhaps a unit behind them: `64MiB`.
fn bytes(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let unit = units
        .iter()
        .find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, bits)));
    match unit {
        None => number(text),
        Some((digits, bits)) => number(digits)?.checked_mul(1 << bits),
    }
}

/// Digits only: `+5` and ` 5` are typing errors, not numbers.
fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn unknown(url: &StorageUrl, name: &str, table: &[UrlOption]) -> Error {
    let known: Vec<_> = table.iter().map(|option| option.name).collect();
    let scheme = url.scheme();
    let known = match known.as_slice() {
        [] => format!("{scheme}: takes none"),
        known => format!("{scheme}: takes {}", known.join(", ")),
    };
    refused(
        url.with_secrets(),
        &format!("there is no option {name:?}; {known}"),
    )
}

fn bad_value(url: &StorageUrl, option: &UrlOption, text: &str) -> Error {
    let shown = if is_secret(option.name) {
        "what is given".to_owned()
    } else {
        format!("{text:?}")
    };
    let what = match option.kind {
        UrlOptionKind::Choice(_) | UrlOptionKind::Flag => "one of",
        UrlOptionKind::Text(_) => "a text:",
        _ => "a whole number:",
    };
    refused(
        url.with_secrets(),
        &format!("option {:?} is {what} {}, not {shown}", option.name, option.kind),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[UrlOption] = &[
        UrlOption::new("create", UrlOptionKind::Flag, "true", "x"),
        UrlOption::new(
            "durability",
            UrlOptionKind::Choice(&["strong", "weak"]),
            "strong",
            "x",
        ),
        UrlOption::new("readers", UrlOptionKind::Count { at_least: 1 }, "1", "x"),
        UrlOption::new("wait_ms", UrlOptionKind::Milliseconds, "1", "x"),
        UrlOption::new("where", UrlOptionKind::Text("a place"), "here", "x"),
    ];

    fn read(query: &str) -> Result<Address> {
        Address::read(StorageUrl::parse(&format!("x:.?{query}")).unwrap(), TABLE, None)
    }

    #[test]
    fn values_have_types() {
        let address = read("create=false&durability=weak&readers=3&wait_ms=250&where=th%26re").unwrap();
        assert_eq!(address.flag("create"), Some(false));
        assert_eq!(address.choice("durability"), Some("weak"));
        assert_eq!(address.number("readers"), Some(3));
        assert_eq!(address.duration("wait_ms"), Some(Duration::from_millis(250)));
        assert_eq!(address.text("where"), Some("th&re"));
        let address = read("").unwrap();
        assert_eq!((address.flag("create"), address.number("readers")), (None, None));
    }

    #[test]
    fn an_unknown_option_is_refused_with_those_there_are() {
        let error = read("colour=red").unwrap_err().to_string();
        for part in ["colour", "create", "durability", "readers", "wait_ms"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_can_be_left_to_a_driver() {
        let url = StorageUrl::parse("x://ada:pw@h/db?maxPoolSize=3&wait_ms=250&tls=true").unwrap();
        let address = Address::read(url, TABLE, Some("the driver's")).unwrap();
        assert_eq!(address.duration("wait_ms"), Some(Duration::from_millis(250)));
        assert_eq!(address.for_driver(), "x://ada:pw@h/db?maxPoolSize=3&tls=true");
    }

    #[test]
    fn a_bad_value_is_refused_with_what_it_can_be() {
        for (query, hint) in [
            ("create=yes", "true, false"),
            ("durability=none", "strong, weak"),
            ("readers=0", "at least 1"),
            ("readers=+1", "at least 1"),
            ("wait_ms=1s", "milliseconds"),
            ("wait_ms=", "milliseconds"),
            ("wait_ms=99999999999999999999", "milliseconds"),
            ("where=", "a place"),
        ] {
            let error = read(query).unwrap_err().to_string();
            assert!(error.contains(hint), "{query}: {error}");
        }
    }
}
