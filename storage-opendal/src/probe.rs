//! What an operator is found to do: whether a write shows before it is finished, and whether creating is decided among writers that race.

use futures::future::join_all;
use opendal::Operator;
use storage_core::{Error, ErrorKind, Result, random_u128};

use crate::error::{failed, write_failed};
use crate::layout::PROBE;

/// How many writers meet, and how often, as in `storage-cloud`.
const WRITERS: usize = 8;
const ROUNDS: usize = 8;

/// How much each writes: enough that what looks first and writes afterwards is not done at once.
const BODY_BYTES: usize = 64 * 1024;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Creates {
    /// Of several who create one object, one wins.
    Decided,
    /// Why not, in a sentence for an operator.
    Undecided(String),
}

/// Tries both on scratch objects, which are removed.
pub(crate) async fn probe(operator: &Operator) -> Result<Creates> {
    let nonce = format!("{:032x}", random_u128());
    let mut scratch = Vec::new();
    let found = try_all(operator, &nonce, &mut scratch).await;
    for path in scratch {
        if let Err(error) = operator.delete(&path).await {
            tracing::warn!(%error, "a scratch object of the probe was left behind");
        }
    }
    found
}

async fn try_all(operator: &Operator, nonce: &str, scratch: &mut Vec<String>) -> Result<Creates> {
    let capability = operator.info().full_capability();
    for (present, what) in [
        (capability.read, "read"),
        (capability.write, "write"),
        (capability.stat, "stat"),
        (capability.delete, "delete"),
        (capability.list, "list"),
        (capability.write_can_empty, "write nothing"),
    ] {
        if !present {
            return Err(Error::unsupported(format!("an operator that cannot {what}")));
        }
    }
    let mut fresh = |name: &str| {
        let path = format!("{PROBE}{nonce}-{name}.bin");
        scratch.push(path.clone());
        path
    };
    let path = fresh("whole");
    if capability.write_can_multi {
        let mut writer = operator.writer(&path).await.map_err(failed)?;
        for _ in 0..2 {
            writer.write(vec![b'x'; BODY_BYTES]).await.map_err(write_failed)?;
        }
        let shows = operator.exists(&path).await.map_err(failed)?;
        writer.close().await.map_err(write_failed)?;
        if shows {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "writes of the service {:?} show before they are finished, so a crash would leave half an object; for `fs` set \
                     `atomic_write_dir`",
                    operator.info().scheme()
                ),
            ));
        }
    } else {
        operator
            .write(&path, vec![b'x'; BODY_BYTES])
            .await
            .map_err(write_failed)?;
    }
    let scheme = operator.info().scheme();
    if !capability.write_with_if_not_exists {
        let why = format!("the service {scheme:?} has no such write");
        return Ok(Creates::Undecided(why));
    }
    // With `atomic_write_dir` it looks first and renames afterwards, which need not show in a few rounds.
    if scheme == "fs" {
        let why = "the service \"fs\" looks first and writes afterwards, so that several writers win";
        return Ok(Creates::Undecided(why.to_owned()));
    }
    for round in 0..ROUNDS {
        let path = fresh(&format!("race-{round}"));
        let creating = (0..WRITERS).map(|_| {
            let writing = operator
                .write_with(&path, vec![b'x'; BODY_BYTES])
                .if_not_exists(true);
            async move { writing.await }
        });
        let mut winners = 0;
        for created in join_all(creating).await {
            match created {
                Ok(_) => winners += 1,
                Err(error)
                    if matches!(
                        error.kind(),
                        opendal::ErrorKind::ConditionNotMatch | opendal::ErrorKind::AlreadyExists
                    ) => {}
                Err(error) => return Err(write_failed(error)),
            }
        }
        if winners != 1 {
            let why = format!(
                "the service {scheme:?} let several writers win that tried to create an object at once"
            );
            return Ok(Creates::Undecided(why));
        }
    }
    Ok(Creates::Decided)
}
