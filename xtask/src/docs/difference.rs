//! What changed between two texts, as lines to read.

use std::fmt::Write;

/// The lines that differ, `-` before and `+` after, from the first to the last; empty when nothing does.
pub(super) fn between(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same_first = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[same_first..], &after[same_first..]);
    let same_last = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();

    let mut text = String::new();
    let removed = before[..before.len() - same_last].iter().map(|line| ('-', line));
    let added = after[..after.len() - same_last].iter().map(|line| ('+', line));
    for (sign, line) in removed.chain(added) {
        let _ = writeln!(text, "{sign} {line}"); // Writing to a String does not fail.
    }
    text
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(between("a\nb\nc\n", "a\nx\ny\nc\n"), "- b\n+ x\n+ y\n");
    }

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(between("a\n\na\n", "a\n\na\n"), "");
        assert_eq!(between("a\na\n", "a\n"), "- a\n");
    }
}
