//! One document: where its generated sections are, and what shall stand in them.

use crate::Result;

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end generated -->";
const FENCE: &str = "```";

/// The document with each generated section written anew by `print`, which is given the section's command line.
///
/// A section that is one fenced block keeps its fence. Markers inside other fenced blocks are examples, not sections.
pub(super) fn regenerate(text: &str, mut print: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_fence = false;
    while !rest.is_empty() {
        let line = first_line(rest);
        written.push_str(line);
        rest = &rest[line.len()..];
        in_fence ^= line.starts_with(FENCE);
        let Some(command) = command(line).filter(|_| !in_fence) else {
            continue;
        };

        let end = rest.find(END).filter(|&end| !rest[..end].contains(BEGIN));
        let end = end.ok_or_else(|| format!("no `{END}` follows `{command}`"))?;
        let fence = Some(first_line(rest)).filter(|line| line.starts_with(FENCE));
        written.push_str(&section(&print(command)?, fence));
        rest = &rest[end..];
    }
    Ok(written)
}

/// The command of a line `<!-- generated: command -->`.
fn command(line: &str) -> Option<&str> {
    line.trim().strip_prefix(BEGIN)?.strip_suffix(" -->")
}

/// What stands between the markers. Blank lines around it, or Markdown reads a table as part of the comment.
fn section(printed: &str, fence: Option<&str>) -> String {
    let printed = printed.trim_end();
    match fence {
        Some(fence) => format!("{fence}{printed}\n{FENCE}\n"),
        None => format!("\n{printed}\n\n"),
    }
}

fn first_line(text: &str) -> &str {
    text.split_inclusive('\n').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shout(command: &str) -> Result<String> {
        Ok(format!("{}!\n", command.to_uppercase()))
    }

    fn regenerated(text: &str) -> String {
        regenerate(text, shout).expect("the sections are whole")
    }

    #[test]
    fn what_stands_between_the_markers_is_replaced() {
        let before = "# A\n<!-- generated: storage a -->\nold\n<!-- end generated -->\nB\n";
        let after = "# A\n<!-- generated: storage a -->\n\nSTORAGE A!\n\n<!-- end generated -->\nB\n";
        assert_eq!(regenerated(before), after);
        assert_eq!(regenerated(after), after);
    }

    #[test]
    fn an_empty_section_is_filled() {
        let before = "<!-- generated: storage a -->\n<!-- end generated -->";
        assert!(regenerated(before).contains("STORAGE A!"));
    }

    #[test]
    fn a_fenced_section_keeps_its_fence() {
        let before = "<!-- generated: storage a -->\n```text\nold\n```\n<!-- end generated -->\n";
        let after = "<!-- generated: storage a -->\n```text\nSTORAGE A!\n```\n<!-- end generated -->\n";
        assert_eq!(regenerated(before), after);
        assert_eq!(regenerated(after), after);
    }

    #[test]
    fn an_example_of_a_marker_is_left_alone() {
        let text = "```markdown\n<!-- generated: storage a -->\n```\n";
        assert_eq!(regenerated(text), text);
    }

    #[test]
    fn a_section_without_an_end_is_an_error() {
        let whole = "<!-- generated: storage b -->\n<!-- end generated -->\n";
        for follows in ["", whole] {
            let text = format!("<!-- generated: storage a -->\n{follows}");
            let error = regenerate(&text, shout).expect_err("it has no end");
            assert!(error.to_string().contains("storage a"));
        }
    }
}
