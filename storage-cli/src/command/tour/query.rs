//! Questions that indexes answer.

use storage_core::{Explanation, Query};

use super::keep::{Kept, Shelf};
use crate::failure::Result;
use crate::text;

/// A few questions, each with its answer and how it was come by. A line that begins with a blank belongs to the one before.
pub(super) async fn answers(shelf: &Shelf, kept: &Kept) -> Result<Vec<String>> {
    let mut answers = Vec::new();

    let largest = || Query::ge("size", 0).sort_descending("size").limit(5);
    let how = how(&shelf.records.explain(largest()).await?);
    answers.push(format!("the largest files ({how}):"));
    for record in shelf.records.find(largest()).await?.collect().await? {
        answers.push(format!(
            "  {:>10}  {}",
            text::size(record.value.size),
            text::name(&record.value.path)
        ));
    }

    if let Some((extension, _)) = kept.extensions.iter().max_by_key(|(_, files)| **files) {
        answers.push(
            count(
                shelf,
                &format!("end in .{extension}"),
                Query::eq("extension", extension.as_str()),
            )
            .await?,
        );
    }
    let small = Query::ge("size", 1024).and(Query::lt("size", 8 * 1024));
    answers.push(count(shelf, "have 1 to 8 KiB", small).await?);
    Ok(answers)
}

async fn count(shelf: &Shelf, what: &str, query: Query) -> Result<String> {
    let how = how(&shelf.records.explain(query.clone()).await?);
    let files = shelf.records.count(query).await?;
    Ok(format!(
        "{} {} ({how})",
        text::count(files, "file", "files"),
        text::name(what)
    ))
}

fn how(explanation: &Explanation) -> String {
    let by = explanation
        .index
        .as_ref()
        .map_or("without an index".to_owned(), |index| format!("index {index}"));
    let filtered = if explanation.filtered {
        ", then filtered"
    } else {
        ""
    };
    let sorted = if explanation.sorted { ", then sorted" } else { "" };
    format!("{by}{filtered}{sorted}")
}
