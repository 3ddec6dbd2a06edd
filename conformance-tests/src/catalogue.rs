//! The catalogue of cases as a document, written from the registry.

use crate::case::Case;
use crate::facility::Facility;
use crate::struck::struck;
use crate::suite::Suite;

/// Every case, and every case that was struck, as Markdown.
pub fn catalogue() -> String {
    let count = |suite: &Suite| format!("{} of `{suite}`", suite.cases().count());
    let counts: Vec<String> = Suite::ALL.iter().map(count).collect();
    let mut text = format!(
        "# Catalogue of the conformance suites\n\n\
         Cases: {}.\n\n\
         A case that needs a capability that is not declared is not skipped: the refusal of that capability is checked in its place.\n\
         An id never changes its meaning.\n\n\
         This file is written by `UPDATE_CATALOGUE=1 cargo test -p conformance-tests --all-features --test catalogue`.\n",
        counts.join(", ")
    );
    let mut group = "";
    for case in Suite::ALL.iter().flat_map(|suite| suite.cases()) {
        let (its_group, _) = case.id.split_once('.').unwrap_or((case.id, ""));
        if its_group != group {
            group = its_group;
            text.push_str(&format!(
                "\n## {group}\n\n| case | tier | needs | proves |\n|---|---|---|---|\n"
            ));
        }
        text.push_str(&row(case));
    }
    text.push_str(
        "\n## Struck\n\nNamed by the design, and not part of the suite.\n\n| name | why |\n|---|---|\n",
    );
    for struck in struck() {
        text.push_str(&format!("| `{}` | {} |\n", struck.name, struck.why));
    }
    text
}

fn row(case: &Case) -> String {
    let needs: Vec<&str> = case
        .capabilities
        .iter()
        .map(|capability| capability.as_str())
        .chain(case.facility.map(Facility::as_str))
        .collect();
    let proves = case.proves.replace('|', "\\|");
    format!(
        "| `{}` | {} | {} | {proves} |\n",
        case.id,
        case.tier.as_str(),
        needs.join(", ")
    )
}
