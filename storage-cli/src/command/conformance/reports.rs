//! Reports into files, and reports of several runs side by side.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use conformance_tests::{Report, matrix};

use crate::failure::{Failure, Result};
use crate::output::Output;

/// Where a report goes, and in which form: `junit=report.xml`.
#[derive(Debug, Clone)]
pub(super) struct ReportFile {
    form: Form,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Junit,
    Markdown,
    Text,
}

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (form, path) = text
            .split_once('=')
            .ok_or("a form and a file, such as junit=report.xml")?;
        let form = match form {
            "json" => Form::Json,
            "junit" => Form::Junit,
            "md" => Form::Markdown,
            "text" => Form::Text,
            other => return Err(format!("the forms are json, junit, md and text, not {other:?}")),
        };
        if path.is_empty() {
            return Err("the name of the file is missing".to_owned());
        }
        Ok(Self {
            form,
            path: path.into(),
        })
    }
}

impl ReportFile {
    pub(super) fn write(&self, report: &Report) -> Result<()> {
        let text = match self.form {
            Form::Json => report.to_json(),
            Form::Junit => report.to_junit(),
            Form::Markdown => report.to_markdown(),
            Form::Text => report.to_string(),
        };
        let written = fs::write(&self.path, text.trim_end().to_owned() + "\n");
        written.map_err(|error| Failure::Local(format!("write {}", self.path.display()), error))
    }
}

/// Several reports as one table: a column for each, a row for each capability and for what one may rely on.
#[derive(Debug, Args)]
pub(super) struct Matrix {
    /// Reports as `storage conformance --report json=FILE` writes them
    #[arg(required = true, value_name = "FILE")]
    reports: Vec<PathBuf>,
}

impl Matrix {
    pub(super) fn run(self, output: &mut Output) -> Result<()> {
        let reports: Result<Vec<Report>> = self.reports.iter().map(|path| read(path)).collect();
        output.bytes(matrix(&reports?).as_bytes())
    }
}

fn read(path: &Path) -> Result<Report> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Local(format!("read {}", path.display()), error))?;
    Report::from_json(&text).map_err(|why| Failure::Usage(format!("{} is no report: {why}", path.display())))
}
