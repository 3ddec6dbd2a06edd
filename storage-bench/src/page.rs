//! Puts the tables into a page, between two marks.

use std::path::Path;

use crate::run::Outcome;

const BEGIN: &str = "<!-- measured: storage-bench -->";
const END: &str = "<!-- end measured -->";

pub(crate) fn paste(page: &Path, tables: &str) -> Outcome {
    let before = std::fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let after = pasted(&before, tables).ok_or_else(|| {
        format!(
            "{}: there is no `{BEGIN}` with a `{END}` behind it",
            page.display()
        )
    })?;
    std::fs::write(page, after)?;
    Ok(())
}

fn pasted(page: &str, tables: &str) -> Option<String> {
    let begin = page.find(BEGIN)? + BEGIN.len();
    let end = begin + page[begin..].find(END)?;
    Some(format!(
        "{}\n\n{}\n\n{}",
        &page[..begin],
        tables.trim(),
        &page[end..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let page = format!("# A\n{BEGIN}\nold\n{END}\nB\n");
        let once = pasted(&page, "new\n").unwrap();
        assert_eq!(once, format!("# A\n{BEGIN}\n\nnew\n\n{END}\nB\n"));
        assert_eq!(pasted(&once, "new").unwrap(), once);
        assert_eq!(pasted("no marks", "new"), None);
    }
}
