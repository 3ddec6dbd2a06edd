//! `compress(codec=zstd,level=3),encrypt(key_file=/etc/key),cache`: taking a list of layers apart.

use std::fmt;

use storage_core::{Error, Result};

/// Layers by name, each with its options, from the application down to the medium. `Display` and `Debug` show no values.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LayerList(pub(crate) Vec<Named>);

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) options: Vec<(String, String)>,
}

impl LayerList {
    /// Of these, those that decide where keys lie; `None` where nothing is sealed.
    #[cfg(feature = "chunks")]
    pub(crate) fn sealing(&self) -> Option<Self> {
        let is_one = |layer: &&Named| matches!(layer.name.as_str(), "encrypt" | "namespace");
        let some: Vec<Named> = self.0.iter().filter(is_one).cloned().collect();
        let seals = some.iter().any(|layer| layer.name == "encrypt");
        seals.then_some(Self(some))
    }

    /// `name`, or `name(option=value,option="value, with a comma")`, one after the other with commas between them. In quotes `\"` is a
    /// quote and `\\` a backslash.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut rest = Rest(text.trim());
        let mut layers = Vec::new();
        loop {
            layers.push(rest.layer()?);
            if rest.0.is_empty() {
                return Ok(Self(layers));
            }
            rest.expect(',')?;
        }
    }
}

/// What is left of the text.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn layer(&mut self) -> Result<Named> {
        let name = self.word("a layer")?;
        let mut options: Vec<(String, String)> = Vec::new();
        if self.take('(') && !self.take(')') {
            loop {
                let option = self.word("an option")?;
                self.expect('=')?;
                let value = self.value(&option)?;
                if options.iter().any(|(known, _)| *known == option) {
                    return Err(refused(format!("option {option:?} of {name} is given twice")));
                }
                options.push((option, value));
                if self.take(')') {
                    break;
                }
                self.expect(',')?;
            }
        }
        Ok(Named { name, options })
    }

    fn word(&mut self, what: &str) -> Result<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let end = self.0.find(|c| !plain(c)).unwrap_or(self.0.len());
        if end == 0 {
            return Err(self.unexpected(&format!("the name of {what}")));
        }
        let (word, rest) = self.0.split_at(end);
        self.0 = rest.trim_start();
        Ok(word.to_owned())
    }

    fn value(&mut self, option: &str) -> Result<String> {
        let Some(quoted) = self.0.strip_prefix('"') else {
            let end = self.0.find([',', ')']).unwrap_or(self.0.len());
            let (value, rest) = self.0.split_at(end);
            self.0 = rest;
            return Ok(value.trim().to_owned());
        };
        let (mut value, mut characters) = (String::new(), quoted.char_indices());
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.0 = quoted[at + 1..].trim_start();
                    return Ok(value);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                    _ => break,
                },
                other => value.push(other),
            }
        }
        Err(refused(format!(
            "the quotes around option {option:?} are not closed, or \\ stands before another character than \" and \\"
        )))
    }

    fn take(&mut self, what: char) -> bool {
        match self.0.strip_prefix(what) {
            None => false,
            Some(rest) => {
                self.0 = rest.trim_start();
                true
            }
        }
    }

    fn expect(&mut self, what: char) -> Result<()> {
        if self.take(what) {
            return Ok(());
        }
        Err(self.unexpected(&format!("{what:?}")))
    }

    /// Shows one character of what is there: the rest may be a secret.
    fn unexpected(&self, wanted: &str) -> Error {
        let found = self
            .0
            .chars()
            .next()
            .map_or("the end".to_owned(), |found| format!("{found:?}"));
        refused(format!(
            "{wanted} is expected where {found} is; layers are written compress(codec=zstd,level=3),retry"
        ))
    }
}

/// An error about a list of layers.
pub(crate) fn refused(message: String) -> Error {
    Error::invalid_argument(message).with_operation("read the list of layers")
}

impl fmt::Display for LayerList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|layer| layer.name.as_str()).collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for LayerList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LayerList({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let list = LayerList::parse(text).unwrap();
        list.0
            .into_iter()
            .map(|layer| (layer.name, layer.options))
            .collect()
    }

    #[test]
    fn layers_have_names_and_options_in_their_order() {
        let options = |list: &[(&str, &str)]| {
            list.iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            parsed(" compress( codec=zstd , level=3 ), read-only,cache() "),
            [
                (
                    "compress".to_owned(),
                    options(&[("codec", "zstd"), ("level", "3")])
                ),
                ("read-only".to_owned(), vec![]),
                ("cache".to_owned(), vec![]),
            ]
        );
        assert_eq!(
            parsed(r#"encrypt(key_command="vault read, \"x\" \\ y")"#)[0].1,
            options(&[("key_command", r#"vault read, "x" \ y"#)])
        );
    }

    #[test]
    fn what_is_not_a_list_is_refused_and_shows_no_values() {
        for bad in [
            "",
            ",",
            "a,",
            "a b",
            "a(",
            "a(b",
            "a(b=",
            "a(b=hunter2",
            "a(b=\"hunter2",
            "a(b=1,b=hunter2)",
            "a(=hunter2)",
            "a(b=\"hunter2\"x)",
            "a)",
            "a(b=\"\\hunter2\")",
        ] {
            let refusal = LayerList::parse(bad).unwrap_err();
            assert!(
                !format!("{refusal} {refusal:?}").contains("hunter2"),
                "{bad}: {refusal}"
            );
        }
        let list = LayerList::parse("a(b=hunter2)").unwrap();
        assert!(!format!("{list} {list:?}").contains("hunter2"));
    }
}
