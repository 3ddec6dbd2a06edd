//! Reports side by side: a column for each, a row for each capability and each profile.

use storage_core::Capability;

use super::text::cell;
use super::{Level, Profile, Report};

/// Reports side by side, as a Markdown table. A capability is ✔ native, ~ emulated, – refused; a profile is ✔ held, ~ held where it
/// is declared, – refused as declared, w failed as waived, ✖ failed, ? not run.
pub fn matrix(reports: &[Report]) -> String {
    let row = |name: &str, cells: Vec<String>| format!("| {} | {} |\n", cell(name), cells.join(" | "));
    let mut text = row("", reports.iter().map(|report| cell(&report.title())).collect());
    text.push_str(&format!("|---|{}\n", "---|".repeat(reports.len())));
    for capability in Capability::ALL {
        let sign = |report: &Report| match report.capabilities.get(capability.as_str()).map(String::as_str) {
            Some("native") => "✔",
            Some("emulated") => "~",
            Some("absent") => "–",
            _ => "?",
        };
        let cells = reports.iter().map(|report| sign(report).to_owned()).collect();
        text.push_str(&row(&format!("`{capability}`"), cells));
    }
    for profile in Profile::ALL {
        let levels: Vec<Level> = reports.iter().map(|report| profile.level(report)).collect();
        if levels.iter().any(|level| *level != Level::NotRun) {
            let cells = levels.iter().map(|level| level.sign().to_owned()).collect();
            text.push_str(&row(profile.name, cells));
        }
    }
    let counts = reports.iter().map(|report| {
        let passed = report.counts().get("pass").copied().unwrap_or_default();
        format!("{passed} of {}", report.cases.len())
    });
    text.push_str(&row("cases that passed", counts.collect()));
    text
}

#[cfg(test)]
mod tests {
    use super::super::{CaseReport, Outcome};
    use super::*;
    use crate::case::Tier;
    use crate::harness::Label;

    #[test]
    fn each_report_is_a_column() {
        let mut files = Report::new(Label::new("fs", "ext4"), 1);
        files.capabilities.insert("copy".into(), "native".into());
        let mut bucket = Report::new(Label::new("s3", "a|b"), 1);
        bucket.capabilities.insert("copy".into(), "emulated".into());
        for (report, outcome) in [
            (&mut files, Outcome::Pass),
            (&mut bucket, Outcome::TimedOut { seconds: 1 }),
        ] {
            report.cases.push(CaseReport {
                id: "objects.empty".into(),
                tier: Tier::Smoke,
                outcome,
                milliseconds: 1,
                advisories: Vec::new(),
            });
        }
        let text = matrix(&[files, bucket]);
        for line in [
            "|  | fs on ext4 | s3 on a\\|b |\n|---|---|---|\n",
            "| `copy` | ✔ | ~ |\n",
            "| `logs` | ? | ? |\n",
            "| objects | ✔ | ✖ |\n",
            "| cases that passed | 1 of 1 | 0 of 1 |\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(!text.contains("batches"), "no report ran those: {text}");
    }
}
