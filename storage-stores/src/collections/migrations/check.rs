//! What is refused before any effect, and what is left to do.

use storage_core::{Error, ErrorKind, Result};

use super::definitions::Definitions;
use super::migration::Definition;
use super::state::{Record, Stage, State};
use crate::collections::schema::SchemaVersion;

/// What is to be applied, up to a version.
pub(super) fn up<'a>(
    state: &State,
    definitions: &'a Definitions,
    target: Option<&SchemaVersion>,
) -> Result<Vec<&'a Definition>> {
    // What was undone may be given up.
    for record in state.migrations.iter().filter(|record| !record.undone) {
        known(record, definitions)?;
    }
    let current = state.current();
    if let (Some(target), Some(current)) = (target, current)
        && target < current
    {
        return Err(Error::invalid_argument(format!(
            "version {target} is below the current version {current}; to go back, use `storage migrate down --to {target}`"
        )));
    }
    let pending: Vec<&Definition> = definitions
        .iter()
        .filter(|definition| !state.is_applied(&definition.version))
        .collect();
    if let (Some(gap), Some(current)) = (pending.first(), current)
        && gap.version < *current
    {
        let message = format!(
            "migration {} is registered below the current version {current} and was never applied; give it a version above \
             {current}, or go back with `storage migrate down --to` a version below it and then `storage migrate up`",
            gap.version
        );
        return Err(Error::new(ErrorKind::PreconditionFailed, message));
    }
    Ok(pending
        .into_iter()
        .filter(|definition| target.is_none_or(|target| definition.version <= *target))
        .collect())
}

/// What is to be rolled back to get to a version, the highest first.
pub(super) fn down<'a>(
    state: &State,
    definitions: &'a Definitions,
    target: &SchemaVersion,
) -> Result<Vec<&'a Definition>> {
    let above = state.migrations.iter().rev();
    above
        .filter(|record| record.version > *target && !record.undone)
        .map(|record| {
            let definition = known(record, definitions)?;
            if definition.down.is_none() {
                let message = format!(
                    "Migration {} does not support rollback; restore a backup from before it instead (`storage backup list`)",
                    record.version
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            Ok(definition)
        })
        .collect()
}

/// The rollbacks that a crash cut short, the highest first.
pub(super) fn interrupted<'a>(state: &State, definitions: &'a Definitions) -> Result<Vec<&'a Definition>> {
    let records = state.migrations.iter().rev();
    records
        .filter(|record| record.state == Stage::RollingBack)
        .map(|record| known(record, definitions))
        .collect()
}

/// The definition of a recorded migration, unchanged.
fn known<'a>(record: &Record, definitions: &'a Definitions) -> Result<&'a Definition> {
    let version = &record.version;
    let Some(definition) = definitions.get(version) else {
        let message = format!(
            "migration {version} ({}) is in the data and this program does not know it: the data is newer than the program; use one \
             that registers it (`storage migrate status` shows all)",
            record.description
        );
        return Err(Error::new(ErrorKind::FormatTooNew, message));
    };
    // One that failed may be mended before it is tried again.
    if record.checksum != definition.checksum && record.state != Stage::Failed {
        let message = format!(
            "migration {version} was changed since it was applied; register it as it was (`storage migrate status`), and put what is \
             new into a migration of a higher version"
        );
        return Err(Error::new(ErrorKind::PreconditionFailed, message));
    }
    Ok(definition)
}

/// A version nobody registered.
pub(super) fn unknown(version: &SchemaVersion, definitions: &Definitions) -> Error {
    let registered: Vec<String> = definitions
        .iter()
        .map(|definition| definition.version.to_string())
        .collect();
    let message = if registered.is_empty() {
        format!("there is no migration {version}, nor any other; register one")
    } else {
        format!(
            "there is no migration {version}; there are {}",
            registered.join(", ")
        )
    };
    Error::new(ErrorKind::NotFound, message)
}
