//! What servers are known to do otherwise than what they stand for.

use conformance_tests::Waiver;

use crate::{Native, Server};

/// The cases of the public suite this server is known to fail. Of a server that is not the one they were found on, none.
pub fn waivers(server: &Server) -> &'static [Waiver] {
    let known = [
        (Native::Secantus, SECANTUS),
        (Native::SecantusRs, SECANTUS_RS),
        (Native::Versitygw, VERSITYGW),
    ];
    known
        .into_iter()
        .find(|(native, _)| server.is(*native))
        .map_or(&[], |(_, waivers)| waivers)
}

/// Cases that a server fails now and then, so that no waiver could be strict and neither answer says anything. They are ignored;
/// `-- --include-ignored` runs them.
const UNSTEADY: &[(Native, &str)] = &[
    // A listing by versitygw 1.8.0 may show the file that an overwritten object is written to, as `.a.sgwtmp.1795285695709417938`.
    (
        Native::Versitygw,
        "concurrency.readers-never-miss-during-overwrites",
    ),
    // versitygw 1.8.0 looks at an object, and then puts another in its place, while a deletion may come between: both are acknowledged,
    // and the object is there. So it was in 2 of 1,500 races.
    (Native::Versitygw, "concurrency.register-linearizable-per-key"),
    (Native::Versitygw, "concurrency.register-with-calls-given-up"),
];

/// Whether the server fails the case now and then.
pub(crate) fn is_unsteady(server: &Server, case: &str) -> bool {
    UNSTEADY
        .iter()
        .any(|(native, id)| server.is(*native) && *id == case)
}

/// Waivers of the objects of a pair: those of documents are the other server's.
pub fn object_waivers(server: &Server) -> impl Iterator<Item = &'static Waiver> {
    let objects = ["limits.object-key-", "listing.", "names.", "objects."];
    waivers(server)
        .iter()
        .filter(move |waiver| objects.iter().any(|group| waiver.case.starts_with(group)))
}

const fn dates(case: &'static str) -> Waiver {
    Waiver {
        case,
        reason: "SecantusDB 0.7.0b3 refuses BSON dates outside of the years 1 to 9999, which MongoDB takes",
        issue: "SecantusDB 0.7.0b3: dates",
        expires: "2027-06-30",
    }
}

const fn binaries(case: &'static str) -> Waiver {
    Waiver {
        case,
        reason: "SecantusDB 0.7.0b3 orders binaries by their bytes, MongoDB by length, subtype and bytes",
        issue: "SecantusDB 0.7.0b3: order of binaries",
        expires: "2027-06-30",
    }
}

/// Values of every type are among those of these cases; the dates are refused before the order of binaries could be seen.
const SECANTUS: &[Waiver] = &[
    dates("document-values.every-type-comes-back"),
    dates("expiry.past-deadline-is-taken"),
    dates("pages.pages-of-random-queries-concatenate"),
    dates("query.count-equals-length"),
    dates("query.each-op-each-type-vs-reference"),
    dates("query.random-queries-vs-reference"),
    dates("query.random-queries-with-indexes-vs-reference"),
    binaries("query.ranges-stay-in-their-type"),
    Waiver {
        case: "document-names.refused-write-makes-no-collection",
        reason: "SecantusDB 0.7.0b3 creates the collection of an update without upsert that matches nothing, MongoDB does not",
        issue: "SecantusDB 0.7.0b3: update creates collection",
        expires: "2027-06-30",
    },
];

const fn binaries_rs(case: &'static str) -> Waiver {
    Waiver {
        case,
        reason: "secantusd-rs 0.5.3-beta.193 orders binaries by their bytes, MongoDB by length, subtype and bytes",
        issue: "secantusd-rs 0.5.3-beta.193: order of binaries",
        expires: "2027-06-30",
    }
}

const fn unique_rs(case: &'static str) -> Waiver {
    Waiver {
        case,
        reason: "secantusd-rs 0.5.3-beta.193 does not free the key of a unique index when an update changes it, MongoDB does",
        issue: "secantusd-rs 0.5.3-beta.193: unique keys of updates",
        expires: "2027-06-30",
    }
}

const SECANTUS_RS: &[Waiver] = &[
    unique_rs("backup-basics.exchanged-values-come-back"),
    unique_rs("batch.unique-holds-within-a-batch"),
    unique_rs("model.sequences"),
    unique_rs("unique.key-is-free-again"),
    binaries_rs("query.each-op-each-type-vs-reference"),
    binaries_rs("query.random-queries-vs-reference"),
    binaries_rs("query.random-queries-with-indexes-vs-reference"),
    binaries_rs("query.ranges-stay-in-their-type"),
];

/// It keeps objects as files under their own names, and no file can stand where a directory does.
const fn files_and_directories(case: &'static str) -> Waiver {
    Waiver {
        case,
        reason: "versitygw 1.8.0 cannot keep `a` beside `a/b`: one would be a file and a directory",
        issue: "versitygw 1.8.0: objects under objects",
        expires: "2027-06-30",
    }
}

const fn long_names(case: &'static str) -> Waiver {
    Waiver {
        case,
        reason: "versitygw 1.8.0 takes no segment of a key over 255 bytes: it is the name of a file",
        issue: "versitygw 1.8.0: long segments",
        expires: "2027-06-30",
    }
}

const VERSITYGW: &[Waiver] = &[
    long_names("chunk-ids.the-longest-ids-work-and-one-more-is-refused"),
    files_and_directories("listing.delete-at-cursor-continues"),
    files_and_directories("listing.delete-behind-cursor-no-skip"),
    files_and_directories("listing.insert-behind-cursor-not-returned"),
    files_and_directories("listing.page-never-exceeds-limit-and-terminates"),
    files_and_directories("listing.pages-concat-equals-full"),
    files_and_directories("listing.position-survives-reopen-and-other-client"),
    files_and_directories("listing.prefix-is-bytewise"),
    files_and_directories("listing.rollup-pages-concat-equals-full"),
    files_and_directories("listing.rollup-under-any-prefix"),
    files_and_directories("listing.siblings-sorting-before-delimiter"),
    files_and_directories("listing.start-after-exclusive"),
    files_and_directories("listing.utf8-byte-order"),
    files_and_directories("model.corpus"),
    files_and_directories("names.escape-is-injective"),
    files_and_directories("names.file-and-directory-of-the-same-name"),
    files_and_directories("names.looks-internal"),
    files_and_directories("names.weird-table-roundtrip"),
    files_and_directories("objects.delete-keeps-what-lies-under"),
    long_names("document-names.limits-are-as-declared"),
    long_names("index.long-key-is-refused"),
    long_names("kv-basics.keys-that-cannot-be-are-refused"),
    long_names("limits.document-id-at-and-over"),
    long_names("limits.log-name-at-and-over"),
    long_names("limits.object-key-at-and-over"),
    long_names("log.limits-are-as-declared"),
    long_names("names.long-segments"),
];
