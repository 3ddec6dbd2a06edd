//! What a connection string may not ask for.

use mongodb::options::{
    Acknowledgment, ClientOptions, ReadConcern, ReadConcernLevel, ReadPreference, SelectionCriteria,
    WriteConcern,
};
use storage_core::{Error, ErrorKind, Result};

/// Asks for what is declared, and refuses a connection string that asks for less.
pub(super) fn demand(options: &mut ClientOptions) -> Result<()> {
    let refuse = |what: &str, instead: &str| {
        Err(Error::invalid_argument(format!(
            "the connection string asks for {what}, which could lose or hide acknowledged writes; {instead}"
        )))
    };
    let given = options.write_concern.take();
    if let Some(given) = &given {
        if !matches!(given.w, None | Some(Acknowledgment::Majority)) {
            return refuse(
                "another w than majority",
                "leave w away: every write waits for a majority",
            );
        }
        if given.journal == Some(false) {
            return refuse(
                "journal=false",
                "leave it away: every write waits for the journal",
            );
        }
    }
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(given.and_then(|given| given.w_timeout))
            .build(),
    );
    match options.read_concern.as_ref().map(|given| &given.level) {
        None => options.read_concern = Some(ReadConcern::majority()),
        Some(ReadConcernLevel::Majority | ReadConcernLevel::Linearizable) => {}
        Some(_) => return refuse("a readConcernLevel below majority", "leave it away"),
    }
    match &options.selection_criteria {
        None | Some(SelectionCriteria::ReadPreference(ReadPreference::Primary)) => Ok(()),
        Some(_) => refuse(
            "reads from elsewhere than the primary",
            "leave readPreference away",
        ),
    }
}

/// MongoDB's rule for names of databases, so that the mistake is told before anything is asked.
pub(super) fn check_database(name: &str) -> Result<()> {
    // Under 64 bytes, and none of these on any platform: mongodb.com/docs/manual/reference/limits, "Naming Restrictions".
    let bad = name.is_empty() || name.len() > 63 || name.contains(['/', '\\', '.', ' ', '"', '$', '\0']);
    if bad {
        return Err(Error::new(
            ErrorKind::InvalidName,
            format!(
                "{name:?} cannot be the name of a database: 1 to 63 bytes without / \\ . $ \" and spaces"
            ),
        ));
    }
    if matches!(name, "admin" | "local" | "config") {
        return Err(Error::new(
            ErrorKind::InvalidName,
            format!("{name:?} is a database of the server's own; name another"),
        ));
    }
    Ok(())
}
