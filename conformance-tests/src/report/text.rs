//! Reports for people: lines for a terminal, Markdown for a document.

use std::fmt;

use super::{CaseReport, Report};

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<15} {} ({} ms)",
            self.outcome.as_str(),
            self.id,
            self.milliseconds
        )?;
        let detail = self.outcome.detail();
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        for advisory in &self.advisories {
            write!(f, "\n{:<15} {advisory}", "note")?;
        }
        Ok(())
    }
}

/// What went wrong, then the counts.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in self.cases.iter().filter(|case| !case.outcome.is_success()) {
            writeln!(f, "{case}")?;
        }
        if let Some(aborted) = &self.aborted {
            writeln!(f, "stopped: {aborted}")?;
        }
        let counts: Vec<String> = self
            .counts()
            .iter()
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        write!(
            f,
            "{}: {} cases: {}",
            self.title(),
            self.cases.len(),
            counts.join(", ")
        )
    }
}

impl Report {
    /// The report as Markdown: the counts, then a table of every case.
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "# Conformance of {}\n\nSuite {}, seed {}.\n\n",
            self.title(),
            self.suite,
            self.seed
        );
        if let Some(aborted) = &self.aborted {
            text.push_str(&format!("**Stopped:** {}\n\n", cell(aborted)));
        }
        text.push_str("| outcome | cases |\n|---|---|\n");
        for (outcome, count) in self.counts() {
            text.push_str(&format!("| {outcome} | {count} |\n"));
        }
        text.push_str("\n| case | outcome | ms | |\n|---|---|---|---|\n");
        for case in &self.cases {
            let (outcome, detail) = (case.outcome.as_str(), cell(&case.outcome.detail()));
            text.push_str(&format!(
                "| `{}` | {outcome} | {} | {detail} |\n",
                case.id, case.milliseconds
            ));
        }
        text
    }

    pub(super) fn title(&self) -> String {
        if self.label.product.is_empty() {
            return self.label.backend.clone();
        }
        format!("{} on {}", self.label.backend, self.label.product)
    }
}

/// Text that stays within its cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, SCHEMA};
    use super::*;
    use crate::case::Tier;
    use crate::harness::Label;

    fn report() -> Report {
        let mut report = Report::new(Label::new("fs", "ext4"), 7);
        for (id, outcome) in [
            ("objects.a", Outcome::Pass),
            (
                "objects.b",
                Outcome::Refused {
                    capabilities: vec!["copy".into()],
                },
            ),
            (
                "objects.c",
                Outcome::Fail {
                    message: "a | b\nc".into(),
                },
            ),
        ] {
            let (id, advisories) = (id.to_owned(), Vec::new());
            report.cases.push(CaseReport {
                id,
                tier: Tier::Smoke,
                outcome,
                milliseconds: 1,
                advisories,
            });
        }
        report
    }

    #[test]
    fn the_terminal_shows_what_went_wrong_and_the_counts() {
        assert_eq!(
            report().to_string(),
            "fail            objects.c (1 ms): a | b\nc\nfs on ext4: 3 cases: 1 fail, 1 pass, 1 refused"
        );
        assert!(!report().is_success());
    }

    #[test]
    fn json_reads_back() {
        let report = report();
        assert_eq!(report.schema, SCHEMA);
        assert_eq!(serde_json::from_str::<Report>(&report.to_json()).unwrap(), report);
    }

    #[test]
    fn markdown_keeps_a_row_on_its_line() {
        assert!(
            report()
                .to_markdown()
                .contains("| `objects.c` | fail | 1 | a \\| b c |\n")
        );
    }
}
