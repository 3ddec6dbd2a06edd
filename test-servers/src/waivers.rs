//! What servers are known to do otherwise than what they stand for.

use conformance_tests::Waiver;

use crate::{Native, Server};

/// The cases of the public suite this server is known to fail. Of a server that is not the one they were found on, none.
pub fn waivers(server: &Server) -> &'static [Waiver] {
    let native = Native::Secantus;
    if server.name == native.name() && server.version == native.version() {
        SECANTUS
    } else {
        &[]
    }
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
