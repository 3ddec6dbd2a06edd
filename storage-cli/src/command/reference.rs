//! `storage reference`: the tables of the documentation, from the tables in the code.

use clap::{Args, ValueEnum};
use storage_factory::{LAYERS, VARIABLES};

use crate::exit::Exit;
use crate::failure::Result;
use crate::output::Output;
use crate::session::Session;
use crate::table::Table;

#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// Which table
    #[arg(value_enum)]
    what: What,
    /// How it is laid out
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Variables of the environment, the strongest first
    Variables,
    /// Options of URLs
    Options,
    /// Layers and their options, from the application down to the medium
    Layers,
    /// What the process ends with
    ExitCodes,
}

/// How a table is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Markdown,
}

impl Reference {
    pub(crate) fn run(self, session: &Session, output: &mut Output) -> Result<()> {
        let table = match self.what {
            What::Variables => variables(),
            What::Options => options(session),
            What::Layers => layers(),
            What::ExitCodes => exit_codes(),
        };
        output.line(table.render(self.format == Format::Markdown))
    }
}

fn variables() -> Table {
    let mut table = Table::new(["variable", "meaning"]);
    for variable in VARIABLES {
        table.row([format!("`{}`", variable.name), variable.meaning.to_owned()]);
    }
    table
}

fn options(session: &Session) -> Table {
    let mut table = Table::new(["URL", "option", "values", "default", "meaning"]);
    for scheme in session.factory().schemes() {
        let urls: Vec<_> = scheme.names().map(|name| format!("`{name}:`")).collect();
        for option in scheme.option_table() {
            table.row([
                urls.join(", "),
                format!("`{}`", option.name),
                option.kind.to_string(),
                option.default.to_owned(),
                option.meaning.to_owned(),
            ]);
        }
        if let Some(whose) = scheme.other_options_of() {
            let meaning = format!("every other option is {whose}");
            table.row([urls.join(", "), "…".into(), "…".into(), "…".into(), meaning]);
        }
    }
    table
}

fn layers() -> Table {
    let mut table = Table::new(["layer", "feature", "option", "values", "default", "meaning"]);
    for layer in LAYERS {
        let name = format!("`{}`", layer.name);
        let feature = format!("`{}`", layer.feature);
        table.row([
            name.clone(),
            feature,
            String::new(),
            String::new(),
            String::new(),
            layer.meaning.to_owned(),
        ]);
        for option in layer.options {
            table.row([
                name.clone(),
                String::new(),
                format!("`{}`", option.name),
                option.kind.to_string(),
                option.default.to_owned(),
                option.meaning.to_owned(),
            ]);
        }
    }
    table
}

fn exit_codes() -> Table {
    let mut table = Table::new(["exit code", "meaning"]);
    for (exit, meaning) in Exit::TABLE {
        table.row([exit.code().to_string(), meaning.to_owned()]);
    }
    table
}
