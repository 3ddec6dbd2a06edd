//! Writing an object whole: once where nothing depends on it, and until it is settled where a condition does.
//!
//! A conditional write may succeed and still be reported as lost: the answer does not come back and the request is sent again, or
//! something on the way sends it twice. So each carries a nonce in the object's metadata, and whoever is told "lost", or nothing,
//! looks who wrote what is there.

use std::time::Instant;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attribute, AttributeValue, Attributes, GetOptions, PutMode, PutOptions, PutPayload};
use storage_core::{Applied, Condition, Error, Result, Retry, Version, random_u128};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::{classify, failed, write_failed};
use crate::wire::{Reply, watch};

/// The name of the nonce in an object's metadata. Azure takes only names that C# would.
const ATTEMPT: &str = "storageattempt";

/// How often a write that met another request, and did nothing, is sent again where the server does not say that this is all it was.
/// versitygw says `ExistingObjectIsDirectory` while a deletion takes an empty parent away, and also of one that stays for good, so
/// there has to be an end.
const MEETINGS: u32 = 4;

/// Who wrote what is there.
struct Current {
    attempt: Option<String>,
    version: Version,
}

/// What one sending of a conditional write came to.
enum Fate {
    /// The server says that the condition does not hold.
    Lost,
    /// The server turned to somebody else; this request did nothing.
    Busy(Error),
    /// The same, as far as one can tell: sending it again may not help.
    Met(Error),
    /// It may have happened, or may still.
    Unknown(Error),
    /// It did not happen, for another reason than its condition.
    Refused(Error),
}

impl Client {
    /// # Errors
    /// As [`StorageBackend::write`](storage_core::StorageBackend::write).
    pub(crate) async fn put(&self, path: &Path, bytes: Bytes, condition: &Condition) -> Result<Version> {
        let mode = match condition {
            Condition::Always => return self.put_always(path, bytes).await,
            Condition::IfAbsent => PutMode::Create,
            Condition::IfVersion(version) => match self.dialect.update(version) {
                Some(update) => PutMode::Update(update),
                None => {
                    let current = self.current(path).await?;
                    return Err(Error::precondition_failed(
                        current.as_ref().map(|current| &current.version),
                    ));
                }
            },
        };
        self.settle(path, bytes, condition, mode).await
    }

    async fn put_always(&self, path: &Path, bytes: Bytes) -> Result<Version> {
        let mut backoff = Backoff::new();
        let mut met = 0;
        loop {
            let put = self
                .stores
                .once
                .put_opts(path, PutPayload::from(bytes.clone()), PutOptions::default());
            match watch(put).await {
                (Ok(put), _) => return self.dialect.version(put.e_tag.as_deref(), put.version.as_deref()),
                // Nothing was done, so that to send it again is no second write.
                (Err(_), reply) if reply.status == Some(409) && met < MEETINGS => met += 1,
                (Err(error), reply) => return Err(write_failed(&error, &reply)),
            }
            backoff.pause().await;
        }
    }

    /// Sends a conditional write until it is known what became of it.
    async fn settle(
        &self,
        path: &Path,
        bytes: Bytes,
        condition: &Condition,
        mode: PutMode,
    ) -> Result<Version> {
        let attempt = format!("{:032x}", random_u128());
        let deadline = Instant::now() + self.request_timeout;
        let mut backoff = Backoff::new();
        // Why an earlier sending may have been applied without our knowing.
        let mut doubt: Option<Error> = None;
        let mut met = 0;
        loop {
            match self.send(path, &bytes, &mode, &attempt).await {
                Ok(version) => return Ok(version),
                Err(Fate::Refused(error)) => {
                    return Err(if doubt.is_some() {
                        error.with_applied(Applied::Unknown).with_retry(Retry::Never)
                    } else {
                        error
                    });
                }
                Err(Fate::Busy(error)) => {
                    if Instant::now() >= deadline {
                        return Err(doubt.unwrap_or(error));
                    }
                }
                Err(Fate::Met(error)) => {
                    met += 1;
                    if met > MEETINGS || Instant::now() >= deadline {
                        return Err(doubt.unwrap_or(error));
                    }
                }
                Err(fate) => {
                    let lost = matches!(fate, Fate::Lost);
                    if let Fate::Unknown(error) = fate {
                        doubt.get_or_insert(error);
                    }
                    let current = match self.current(path).await {
                        Ok(current) => current,
                        Err(error) => {
                            return Err(doubt.unwrap_or_else(|| error.with_applied(Applied::Unknown)));
                        }
                    };
                    if let Some(current) = &current
                        && current.attempt.as_deref() == Some(&attempt)
                    {
                        return Ok(current.version.clone());
                    }
                    let current = current.map(|current| current.version);
                    let stands = condition.check(current.as_ref());
                    match (doubt.take(), stands) {
                        // Every sending was refused, so none was applied.
                        (None, Err(lost)) => return Err(lost),
                        (None, Ok(())) if lost => return Err(lost_meanwhile(condition)),
                        // Refused, and yet the condition would hold: something was there in between, perhaps this very write.
                        (Some(error), Ok(())) if lost => return Err(moved_on(error)),
                        (Some(error), Err(_)) => return Err(moved_on(error)),
                        (still, Ok(())) => {
                            if Instant::now() >= deadline
                                && let Some(error) = still
                            {
                                return Err(error);
                            }
                            doubt = still;
                        }
                    }
                }
            }
            backoff.pause().await;
        }
    }

    async fn send(
        &self,
        path: &Path,
        bytes: &Bytes,
        mode: &PutMode,
        attempt: &str,
    ) -> std::result::Result<Version, Fate> {
        let mut attributes = Attributes::new();
        attributes.insert(
            Attribute::Metadata(ATTEMPT.into()),
            AttributeValue::from(attempt.to_owned()),
        );
        let options = PutOptions {
            mode: mode.clone(),
            attributes,
            ..PutOptions::default()
        };
        let put = self
            .stores
            .once
            .put_opts(path, PutPayload::from(bytes.clone()), options);
        match watch(put).await {
            (Ok(put), _) => self
                .dialect
                .version(put.e_tag.as_deref(), put.version.as_deref())
                .map_err(|error| Fate::Refused(error.with_applied(Applied::Unknown))),
            (Err(error), reply) => Err(fate(&error, &reply)),
        }
    }

    /// Who wrote what is there; `None` where nothing is.
    async fn current(&self, path: &Path) -> Result<Option<Current>> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match watch(self.stores.patient.get_opts(path, options)).await {
            (Ok(found), _) => Ok(Some(Current {
                attempt: found
                    .attributes
                    .get(&Attribute::Metadata(ATTEMPT.into()))
                    .map(|value| value.as_ref().to_owned()),
                version: self.dialect.meta(&found.meta)?.version,
            })),
            (Err(error), reply) if is_missing(&error, &reply) => Ok(None),
            (Err(error), reply) => Err(failed(&error, &reply)),
        }
    }
}

/// Whether an answer says that the object, and not the bucket, is missing.
pub(crate) fn is_missing(error: &object_store::Error, reply: &Reply) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
        && !matches!(reply.code.as_deref(), Some("NoSuchBucket" | "ContainerNotFound"))
}

fn fate(error: &object_store::Error, reply: &Reply) -> Fate {
    let lost = matches!(
        error,
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }
    ) && !matches!(reply.code.as_deref(), Some("NoSuchBucket" | "ContainerNotFound"));
    match (lost, reply.status, reply.code.as_deref()) {
        // S3's word for conditional writes that met: docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.
        (_, Some(409), Some("ConditionalRequestConflict" | "OperationAborted")) => {
            Fate::Busy(write_failed(error, reply))
        }
        // Only Azure says 409 of a condition.
        (_, Some(409), code) if code != Some("BlobAlreadyExists") => Fate::Met(write_failed(error, reply)),
        (true, ..) => Fate::Lost,
        _ if classify(error, reply).in_doubt && reply.sent => Fate::Unknown(write_failed(error, reply)),
        _ => Fate::Refused(write_failed(error, reply)),
    }
}

/// The server said no, and by the time one looks the condition would hold again.
fn lost_meanwhile(condition: &Condition) -> Error {
    match condition {
        Condition::IfAbsent => Error::already_exists(),
        _ => Error::precondition_failed(None),
    }
}

/// One of the sendings is unaccounted for, and somebody else has written since.
fn moved_on(doubt: Error) -> Error {
    doubt.with_context(
        "since",
        "somebody else has written; whether this write came first cannot be known",
    )
}
