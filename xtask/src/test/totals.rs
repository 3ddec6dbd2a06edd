//! The sum of what all test programs said.

#[derive(Default)]
pub(super) struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The test program that is running, as cargo names it.
    program: String,
    /// The summary line of each program that has run.
    results: Vec<String>,
    /// Each test that failed, and the program it is in.
    failures: Vec<String>,
}

impl Totals {
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    /// How many programs have said how their tests went.
    pub(super) fn summaries(&self) -> usize {
        self.results.len()
    }

    /// Reads one line of cargo's output, or of a test program's.
    pub(super) fn read_line(&mut self, line: &str) {
        let line = without_colour(line);
        let line = line.trim();
        if line.starts_with("Running ") || line.starts_with("Doc-tests ") {
            line.clone_into(&mut self.program);
        } else if let Some(test) = line
            .strip_prefix("test ")
            .and_then(|test| test.strip_suffix(" ... FAILED"))
        {
            self.failures
                .push(format!("FAILED {} ({})", test.trim_end(), self.program));
        } else if line.starts_with("test result: ") {
            self.passed += count(line, "passed");
            self.failed += count(line, "failed");
            self.skipped += count(line, "ignored") + count(line, "filtered out");
            self.results.push(format!("{line} ({})", self.program));
        }
    }

    /// Adds tests that were skipped first and have been run since.
    pub(super) fn catch_up(&mut self, later: Self) {
        self.passed += later.passed;
        self.failed += later.failed;
        // What `later` skipped is what had run.
        self.skipped = self.skipped.saturating_sub(later.passed + later.failed);
        self.results.extend(later.results);
        self.failures.extend(later.failures);
    }

    /// Prints each test program's summary line again, then what failed, then one line for all of them.
    pub(super) fn print(&self) {
        println!();
        for line in self.results.iter().chain(&self.failures) {
            println!("{line}");
        }
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
    }
}

/// The number before this word in `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn count(line: &str, word: &str) -> u64 {
    let number = line.split([';', '.']).find_map(|part| part.strip_suffix(word));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// The line without terminal colour sequences (`ESC [ … m`).
fn without_colour(line: &str) -> String {
    let mut pieces = line.split("\u{1b}[");
    let plain = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(plain, |plain, piece| {
        plain + piece.split_once('m').map_or(piece, |(_, rest)| rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str =
        "test result: FAILED. 12 passed; 3 failed; 2 ignored; 0 measured; 1 filtered out; finished in 0.51s";

    #[test]
    fn summary_lines_add_up() {
        let mut totals = Totals::default();
        totals.read_line("     Running unittests src/lib.rs (target/debug/deps/a-1)");
        totals.read_line(RESULT);
        totals.read_line("   Doc-tests storage_core");
        totals.read_line(RESULT);
        assert_eq!((totals.passed, totals.failed, totals.skipped), (24, 6, 6));
        assert_eq!(
            totals.results[0],
            format!("{RESULT} (Running unittests src/lib.rs (target/debug/deps/a-1))")
        );
        assert_eq!(totals.results[1], format!("{RESULT} (Doc-tests storage_core)"));
    }

    #[test]
    fn what_runs_later_is_no_longer_skipped() {
        let (mut totals, mut later) = (Totals::default(), Totals::default());
        totals.read_line("test result: ok. 7 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out");
        later.read_line("test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 8 filtered out");
        totals.catch_up(later);
        assert_eq!((totals.passed, totals.failed, totals.skipped), (8, 1, 2));
        assert_eq!(totals.results.len(), 2);
    }

    #[test]
    fn what_failed_is_named_with_its_program() {
        let mut totals = Totals::default();
        totals.read_line("     Running tests/suites.rs (target/debug/deps/suites-1)");
        totals.read_line("test moto::lists_are_sorted            ... \u{1b}[31mFAILED\u{1b}[0m");
        totals.read_line("test moto::lists_are_whole             ... ok");
        let expected = "FAILED moto::lists_are_sorted (Running tests/suites.rs (target/debug/deps/suites-1))";
        assert_eq!(totals.failures, [expected]);
    }

    #[test]
    fn colours_do_not_hide_a_summary_line() {
        let mut totals = Totals::default();
        totals.read_line(
            "test result: \u{1b}[32mok\u{1b}[0m. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        assert_eq!((totals.passed, totals.failed), (7, 0));
    }

    #[test]
    fn lines_a_test_prints_are_not_counted() {
        let mut totals = Totals::default();
        totals.read_line("test storage::reads_what_it_wrote ... ok");
        totals.read_line("the test result: 9 passed");
        assert_eq!((totals.passed, totals.results.len()), (0, 0));
    }
}
