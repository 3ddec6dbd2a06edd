//! [`Run`]: one run of the program; where its data and its results go.

use std::error::Error;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::report::Report;
use crate::{machine, plot};

pub(crate) type Problem = Box<dyn Error + Send + Sync>;

pub(crate) type Outcome<T = ()> = Result<T, Problem>;

pub(crate) struct Run {
    data: TempDir,
    out: PathBuf,
    quick: bool,
    wanted: String,
    tables: String,
}

impl Run {
    /// Makes the directory for results, and one for data that ends with the run.
    pub(crate) fn begin(out: PathBuf, place: Option<PathBuf>, quick: bool, wanted: String) -> Outcome<Self> {
        std::fs::create_dir_all(&out)?;
        let place = place.unwrap_or_else(|| out.clone());
        std::fs::create_dir_all(&place)?;
        let mut run = Self {
            data: tempfile::tempdir_in(place)?,
            out,
            quick,
            wanted,
            tables: String::new(),
        };
        run.say(&machine::line(run.data.path()));
        if quick {
            run.say("A quick run: it shows that everything runs, and its figures mean nothing.");
        }
        Ok(run)
    }

    /// An empty directory of this name, for data.
    pub(crate) fn directory(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.data.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// Removes such a directory, so that later tables have the disk for themselves.
    pub(crate) fn remove(path: &Path) -> Outcome {
        std::fs::remove_dir_all(path)?;
        Ok(())
    }

    pub(crate) const fn is_quick(&self) -> bool {
        self.quick
    }

    /// Whether a table of this name was asked for.
    pub(crate) fn wants(&self, table: &str) -> bool {
        table.starts_with(&self.wanted)
    }

    /// Whether some of the tables whose names begin so were asked for.
    pub(crate) fn wants_some_of(&self, tables: &str) -> bool {
        self.wants(tables) || self.wanted.starts_with(tables)
    }

    /// How much of something there is: less in a quick run.
    pub(crate) const fn amount(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }

    /// Prints a paragraph and keeps it for the page.
    pub(crate) fn say(&mut self, paragraph: &str) {
        println!("{paragraph}\n");
        self.tables.push_str(paragraph);
        self.tables.push_str("\n\n");
    }

    /// Prints a table and writes its files.
    pub(crate) fn keep(&mut self, report: &Report) -> Outcome {
        self.say(report.markdown().trim_end());
        let file = |extension| self.out.join(format!("{}.{extension}", report.name));
        std::fs::write(file("json"), serde_json::to_vec_pretty(report)?)?;
        std::fs::write(file("svg"), plot::svg(report))?;
        // Whoever stops a run early keeps what there is.
        std::fs::write(self.out.join("tables.md"), &self.tables)?;
        Ok(())
    }

    /// Removes the data and gives the tables as Markdown.
    pub(crate) fn end(self) -> Outcome<String> {
        std::fs::write(self.out.join("tables.md"), &self.tables)?;
        self.data.close()?;
        println!("JSON and plots are in {}", self.out.display());
        Ok(self.tables)
    }
}
