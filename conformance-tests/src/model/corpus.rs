//! Every sequence that once found a fault, of ours or of an adapter made wrong on purpose. All of them are played for every adapter.

macro_rules! corpus {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../corpus/", $name, ".json"))),)*]
    };
}

/// Their names and their JSON.
pub(super) static CORPUS: &[(&str, &str)] = corpus! {
    "conditions-already-exists-is-precondition-failed"
    "conditions-delete-ignores-the-version"
    "conditions-ignores-if-absent"
    "conditions-losing-touches-the-object"
    "conditions-read-ignores-versions"
    "conditions-swap-of-nothing-creates"
    "crashes-lose-what-was-acknowledged"
    "crashes-tear-objects"
    "declaration-forgets-on-close"
    "declaration-ignores-what-it-does-not-declare"
    "documents-delete-ignores-the-version"
    "documents-expired-stand-in-the-way"
    "documents-integers-are-floats"
    "documents-null-is-missing"
    "documents-only-get-knows-of-expiry"
    "documents-put-ignores-the-version"
    "documents-put-keeps-the-expiry"
    "documents-put-merges"
    "documents-refused-batch-is-half-applied"
    "documents-release-forgets-the-token"
    "documents-sweeps-too-much"
    "fs-reads-nothing-under-a-version"
    "listing-full-page-is-the-last"
    "listing-lists-from-a-cache"
    "listing-prefix-is-a-directory"
    "listing-rolls-up-per-page"
    "logs-delete-keeps-the-incarnation"
    "logs-entries-are-lines"
    "logs-later-pages-are-shifted"
    "logs-repeats-are-appended"
    "names-file-or-directory"
    "objects-copy-is-an-alias"
    "objects-delete-of-nothing-fails"
    "objects-deletes-what-lies-under"
    "objects-empty-is-missing"
    "objects-keeps-the-tail"
    "objects-missing-reads-as-empty"
    "objects-range-past-the-end-fails"
    "objects-reads-from-a-cache"
    "objects-suffix-from-the-start"
    "objects-uploads-decide-early"
    "objects-uploads-show-early"
    "objects-versions-are-content-hashes"
    "objects-versions-end-with-the-client"
    "queries-count-counts-entries"
    "queries-delete-leaves-the-entries"
    "queries-ensure-forgets-to-backfill"
    "queries-ensure-replaces"
    "queries-limits-before-filtering"
    "queries-limits-before-sorting"
    "queries-pages-by-offset"
    "queries-ties-turned-round"
    "queries-unindexed-is-empty"
    "queries-unique-is-ignored"
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::Sequence;

    #[test]
    fn every_file_of_the_corpus_is_played_and_can_be_read() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
        let files = std::fs::read_dir(directory).expect("the corpus");
        let files: BTreeSet<String> = files
            .map(|file| file.expect("a file").path())
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        let listed: BTreeSet<String> = CORPUS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, files);
        for (name, json) in CORPUS {
            let sequence = Sequence::from_json(json).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(sequence.to_json().trim(), json.trim(), "{name}");
        }
    }
}
