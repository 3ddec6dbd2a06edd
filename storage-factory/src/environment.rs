//! Which backend the environment chooses, and which variable decided it.

use std::fmt;

use storage_core::{Error, Result};

use crate::factory::Factory;
use crate::layers::LayerList;
use crate::scheme::{Scheme, missing};
use crate::url::{StorageUrl, redact};

/// Where files lie when no variable says anything.
const DEFAULT_DIRECTORY: &str = "./data";

/// A variable of the environment that the factory reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence without a full stop.
    pub meaning: &'static str,
}

/// Every variable the factory reads, the strongest first. When none is set, files are kept in `./data`.
///
/// A variable that is set but empty is an error: it is most often one that was meant to say something, and the default directory
/// would then fill with data nobody looks for there.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "STORAGE_URL",
        meaning: "the storage; wins over everything below",
    },
    Variable {
        name: "STORAGE_OBJECTS_URL",
        meaning: "where objects are, beside `STORAGE_DOCUMENTS_URL`; the pair wins over everything below",
    },
    Variable {
        name: "STORAGE_DOCUMENTS_URL",
        meaning: "where documents and logs are, beside `STORAGE_OBJECTS_URL`",
    },
    Variable {
        name: "MONGODB_URL",
        meaning: "selects MongoDB, never files: an error without the feature `mongo`, and together with `STORAGE_DATA_DIR`",
    },
    Variable {
        name: "MONGODB_URI",
        meaning: "another name of `MONGODB_URL`; an error if both are set and differ",
    },
    Variable {
        name: "STORAGE_DATA_DIR",
        meaning: "selects files in this directory: a path, not a URL",
    },
    Variable {
        name: LAYERS,
        meaning: "layers over whatever is selected, by `--url` too unless the URL has `layers=`, from the application down to the medium: `compress,encrypt(key_file=/etc/key),retry`",
    },
];

pub(crate) const LAYERS: &str = "STORAGE_LAYERS";

/// What the environment chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    first: StorageUrl,
    documents: Option<StorageUrl>,
    layers: Option<LayerList>,
    decided_by: Vec<&'static str>,
    ignored: Vec<&'static str>,
}

impl Choice {
    /// The variables that decided; none when it is the default.
    pub fn decided_by(&self) -> &[&'static str] {
        &self.decided_by
    }

    /// Variables that are set and say something else, but are weaker.
    pub fn ignored(&self) -> &[&'static str] {
        &self.ignored
    }

    /// The storage, and where documents and logs are when that is another one.
    pub const fn urls(&self) -> (&StorageUrl, Option<&StorageUrl>) {
        (&self.first, self.documents.as_ref())
    }

    /// The layers over it, by name, from the application down to the medium; none where `STORAGE_LAYERS` is not set.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.layers
            .iter()
            .flat_map(|list| &list.0)
            .map(|layer| layer.name.as_str())
    }

    pub(crate) const fn layer_list(&self) -> Option<&LayerList> {
        self.layers.as_ref()
    }

    /// Says in an error who chose what could not be opened.
    pub(crate) fn stamp(&self, error: Error) -> Error {
        stamp(error, &self.decided_by)
    }
}

fn stamp(error: Error, decided_by: &[&'static str]) -> Error {
    match decided_by {
        [] => error.with_operation("open the default storage (no variable says where the data is)"),
        variables => {
            let variables = variables.join(" and ");
            error
                .with_operation(format!("open the storage of {variables}"))
                .with_context("variable", variables)
        }
    }
}

impl fmt::Display for Choice {
    /// One line, without secrets: `fs:./data, by default`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.documents {
            None => write!(f, "{}", self.first)?,
            Some(documents) => write!(f, "objects in {}, documents and logs in {documents}", self.first)?,
        }
        if let Some(layers) = &self.layers {
            write!(f, ", under {layers}")?;
        }
        match self.decided_by.as_slice() {
            [] => f.write_str(", by default"),
            variables => write!(f, ", by {}", variables.join(" and ")),
        }
    }
}

/// A variable of this process.
pub(crate) fn of_process(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(refused(format!("{name} is not UTF-8"))),
    }
}

/// Applies the rules to these variables.
pub(crate) fn choose(factory: &Factory, read: impl Fn(&str) -> Result<Option<String>>) -> Result<Choice> {
    let mut set: Vec<(&'static str, String)> = Vec::new();
    for Variable { name, .. } in VARIABLES {
        match read(name)? {
            Some(value) if value.is_empty() => {
                return Err(refused(format!(
                    "{name} is set but empty; unset it or say where the data is"
                )));
            }
            Some(value) => set.push((name, value)),
            None => {}
        }
    }
    let chosen = Set {
        factory,
        variables: &set,
    }
    .choose()?;
    let ignored = set
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != LAYERS && !chosen.decided_by.contains(name));
    Ok(Choice {
        ignored: ignored.collect(),
        layers: layers(read)?,
        ..chosen
    })
}

/// The layers these variables name, whatever they say about where the data is.
pub(crate) fn layers(read: impl Fn(&'static str) -> Result<Option<String>>) -> Result<Option<LayerList>> {
    match read(LAYERS)? {
        Some(text) if text.is_empty() => Err(refused(format!(
            "{LAYERS} is set but empty; unset it or name the layers"
        ))),
        Some(text) => LayerList::parse(&text)
            .and_then(|list| list.check().map(|()| Some(list)))
            .map_err(|error| error.with_context("variable", LAYERS)),
        None => Ok(None),
    }
}

/// The variables that are set.
struct Set<'a> {
    factory: &'a Factory,
    variables: &'a [(&'static str, String)],
}

impl Set<'_> {
    fn choose(&self) -> Result<Choice> {
        if let Some(url) = self.value("STORAGE_URL") {
            return self.one("STORAGE_URL", url);
        }
        match (
            self.value("STORAGE_OBJECTS_URL"),
            self.value("STORAGE_DOCUMENTS_URL"),
        ) {
            (Some(objects), Some(documents)) => return self.pair(objects, documents),
            (Some(_), None) => return Err(half("STORAGE_OBJECTS_URL", "STORAGE_DOCUMENTS_URL")),
            (None, Some(_)) => return Err(half("STORAGE_DOCUMENTS_URL", "STORAGE_OBJECTS_URL")),
            (None, None) => {}
        }
        match (self.mongodb()?, self.value("STORAGE_DATA_DIR")) {
            (Some((name, _)), Some(_)) => Err(refused(format!(
                "{name} and STORAGE_DATA_DIR are both set; unset one, or say it with STORAGE_URL"
            ))),
            (Some((name, url)), None) => self.one(name, url),
            (None, Some(directory)) => self.files(Some("STORAGE_DATA_DIR"), directory),
            (None, None) => self.files(None, DEFAULT_DIRECTORY),
        }
    }

    /// The MongoDB address and the variable that names it.
    fn mongodb(&self) -> Result<Option<(&'static str, &str)>> {
        let (name, url) = match (self.value("MONGODB_URL"), self.value("MONGODB_URI")) {
            (Some(url), Some(uri)) if url != uri => {
                return Err(refused(
                    "MONGODB_URL and MONGODB_URI are both set and differ; unset one".into(),
                ));
            }
            (Some(url), _) => ("MONGODB_URL", url),
            (None, Some(uri)) => ("MONGODB_URI", uri),
            (None, None) => return Ok(None),
        };
        if !url.starts_with("mongodb://") && !url.starts_with("mongodb+srv://") {
            return Err(
                refused(format!("{name} must begin with mongodb:// or mongodb+srv://")).with_key(redact(url)),
            );
        }
        Ok(Some((name, url)))
    }

    fn one(&self, name: &'static str, url: &str) -> Result<Choice> {
        let first = self.parse(name, url)?;
        let mut decided_by = vec![name];
        if name == "MONGODB_URL" && self.value("MONGODB_URI").is_some() {
            decided_by.push("MONGODB_URI"); // It says the same, so it is not ignored.
        }
        Ok(Choice {
            first,
            documents: None,
            layers: None,
            decided_by,
            ignored: Vec::new(),
        })
    }

    fn pair(&self, objects: &str, documents: &str) -> Result<Choice> {
        Ok(Choice {
            first: self.parse("STORAGE_OBJECTS_URL", objects)?,
            documents: Some(self.parse("STORAGE_DOCUMENTS_URL", documents)?),
            layers: None,
            decided_by: vec!["STORAGE_OBJECTS_URL", "STORAGE_DOCUMENTS_URL"],
            ignored: Vec::new(),
        })
    }

    fn files(&self, name: Option<&'static str>, directory: &str) -> Result<Choice> {
        let first = StorageUrl::from_path("fs", directory);
        let decided_by: Vec<_> = name.into_iter().collect();
        if self.factory.scheme("fs").is_none() {
            let names = self.factory.schemes().flat_map(Scheme::names);
            return Err(stamp(missing(first.with_secrets(), "fs", names), &decided_by));
        }
        Ok(Choice {
            first,
            documents: None,
            layers: None,
            decided_by,
            ignored: Vec::new(),
        })
    }

    fn parse(&self, name: &'static str, url: &str) -> Result<StorageUrl> {
        self.factory.read(url).map_err(|error| stamp(error, &[name]))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn half(set: &str, other: &str) -> Error {
    refused(format!(
        "{set} is set without {other}; both are needed, or STORAGE_URL alone"
    ))
}

fn refused(message: String) -> Error {
    Error::invalid_argument(message).with_operation("choose storage from the environment")
}

#[cfg(test)]
mod tests;
