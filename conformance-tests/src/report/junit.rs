//! Reports for build servers: JUnit's XML, as most of them read it.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Outcome, Report};

impl Report {
    /// The report as JUnit's XML: a test case for each case, its group as the class. What is refused as declared passed, for its
    /// refusal was checked; what failed as waived, or needs what the harness does not offer, is skipped, with the reason.
    pub fn to_junit(&self) -> String {
        let mut suite = TestSuite::new(self.title());
        for case in &self.cases {
            let detail = case.outcome.detail();
            let status = match &case.outcome {
                Outcome::Pass | Outcome::Refused { .. } => TestCaseStatus::success(),
                Outcome::Waived { .. } | Outcome::Unavailable { .. } => TestCaseStatus::skipped(),
                Outcome::HarnessError { .. } => TestCaseStatus::non_success(NonSuccessKind::Error),
                _ => TestCaseStatus::non_success(NonSuccessKind::Failure),
            };
            let (group, name) = case.id.split_once('.').unwrap_or(("", &case.id));
            let mut test = TestCase::new(name, status);
            test.set_classname(group)
                .set_time(Duration::from_millis(case.milliseconds));
            if !detail.is_empty() {
                test.status.set_type(case.outcome.as_str());
                test.status.set_message(&detail);
                test.set_system_out(detail);
            }
            suite.add_test_case(test);
        }
        if let Some(aborted) = &self.aborted {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("aborted").set_message(aborted);
            suite.add_test_case(TestCase::new("the run", status));
        }
        let mut report = quick_junit::Report::new("conformance-tests");
        report.add_test_suite(suite);
        // Into a string, and text that XML cannot hold is left out: writing it cannot fail.
        report.to_string().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::CaseReport;
    use super::*;
    use crate::case::Tier;
    use crate::harness::Label;

    #[test]
    fn a_build_server_counts_what_failed_and_what_was_skipped() {
        let mut report = Report::new(Label::new("fs", ""), 1);
        for (id, outcome) in [
            ("objects.empty", Outcome::Pass),
            (
                "batch.empty",
                Outcome::Refused {
                    capabilities: vec!["atomic-batch".into()],
                },
            ),
            (
                "log.empty",
                Outcome::Fail {
                    message: "got <a> & \u{0}b".into(),
                },
            ),
            ("log.torn", Outcome::TimedOut { seconds: 3 }),
            (
                "query.empty",
                Outcome::Waived {
                    reason: "known".into(),
                    issue: "#1".into(),
                    message: "no".into(),
                },
            ),
        ] {
            report.cases.push(CaseReport {
                id: id.into(),
                tier: Tier::Smoke,
                outcome,
                milliseconds: 1500,
                advisories: Vec::new(),
            });
        }
        report.aborted = Some("the harness cannot clean up".into());
        let text = report.to_junit();
        for part in [
            r#"tests="6" skipped="1" errors="1" failures="2""#,
            r#"<testcase name="empty" classname="objects" time="1.500"/>"#,
            "got &lt;a&gt; &amp; b",
            "the harness cannot clean up",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
