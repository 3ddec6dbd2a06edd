//! What the server is found to do: whether it decides conditions, also among writers that race.
//!
//! Servers that speak S3's protocol differ here, and silently: some ignore `If-None-Match` and `If-Match`, some look first and
//! write afterwards, so that several writers win. On such a server a compare-and-swap loses acknowledged writes.

use futures::future::join_all;
use object_store::path::Path;
use object_store::{PutMode, PutOptions, PutPayload, UpdateVersion};
use storage_core::{Result, random_u128};

use crate::client::Client;
use crate::error::failed;
use crate::layout::Layout;
use crate::wire::{Reply, watch};

/// How many writers meet. Servers that look first and write afterwards let most of so many win.
const WRITERS: usize = 8;

/// How often they meet. Such a server may get it right by luck, seldom so often.
const ROUNDS: usize = 4;

/// How much each writes: enough to arrive in pieces, which is when a server that has looked already is not done writing.
const BODY_BYTES: usize = 32 * 1024;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Findings {
    /// Conditions are decided, and one of several writers wins.
    Decides,
    /// They are not; why, in a sentence for an operator.
    DoesNot(String),
}

/// What a conditional write of the probe came to.
enum Answer {
    Written(UpdateVersion),
    Refused,
    /// Neither; an operator has to know.
    Unable(String),
}

impl Client {
    /// # Errors
    /// What stands in the way of reading or writing at all.
    pub(crate) async fn probe(&self, layout: &Layout) -> Result<Findings> {
        let nonce = format!("{:032x}", random_u128());
        let mut scratch = Vec::new();
        let found = self.try_conditions(layout, &nonce, &mut scratch).await;
        for removed in self.remove_many(&scratch).await {
            if let Err(error) = removed {
                tracing::warn!(%error, "a scratch object of the probe was left behind");
            }
        }
        found
    }

    async fn try_conditions(
        &self,
        layout: &Layout,
        nonce: &str,
        scratch: &mut Vec<Path>,
    ) -> Result<Findings> {
        let mut fresh = |name: &str| -> Result<Path> {
            let path = layout.probe(&format!("{nonce}-{name}"))?;
            scratch.push(path.clone());
            Ok(path)
        };
        let path = fresh("one")?;
        let (first, reply) = self.try_put(&path, PutMode::Create, "first").await?;
        let base = match first {
            Answer::Written(version) => version,
            Answer::Refused => return Ok(self.does_not(&reply, "refuses to create what is not there")),
            Answer::Unable(why) => return Ok(self.does_not(&reply, &why)),
        };
        match self.try_put(&path, PutMode::Create, "second").await? {
            (Answer::Refused, _) => {}
            (Answer::Unable(why), reply) => return Ok(self.does_not(&reply, &why)),
            (Answer::Written(_), reply) => return Ok(self.does_not(&reply, "ignores If-None-Match")),
        }
        match self
            .try_put(&path, PutMode::Update(base.clone()), "third")
            .await?
        {
            (Answer::Written(_), _) => {}
            (Answer::Unable(why), reply) => return Ok(self.does_not(&reply, &why)),
            (Answer::Refused, reply) => {
                return Ok(self.does_not(&reply, "refuses a version it has just given"));
            }
        }
        match self.try_put(&path, PutMode::Update(base), "fourth").await? {
            (Answer::Refused, _) => {}
            (Answer::Unable(why), reply) => return Ok(self.does_not(&reply, &why)),
            (Answer::Written(_), reply) => return Ok(self.does_not(&reply, "ignores If-Match")),
        }
        for round in 0..ROUNDS {
            let path = fresh(&format!("race-{round}"))?;
            let winners = self.race(&path, &PutMode::Create).await?;
            let [base] = winners.as_slice() else {
                return Ok(self.several(&reply, winners.len(), "create an object at once"));
            };
            let winners = self.race(&path, &PutMode::Update(base.clone())).await?;
            if winners.len() != 1 {
                return Ok(self.several(&reply, winners.len(), "replace one version at once"));
            }
        }
        Ok(Findings::Decides)
    }

    async fn race(&self, path: &Path, mode: &PutMode) -> Result<Vec<UpdateVersion>> {
        let body = || format!("{:032x}", random_u128()).repeat(BODY_BYTES / 32);
        let bodies: Vec<String> = std::iter::repeat_with(body).take(WRITERS).collect();
        let writers = bodies.iter().map(|body| self.try_put(path, mode.clone(), body));
        let mut winners = Vec::new();
        for answer in join_all(writers).await {
            if let (Answer::Written(version), _) = answer? {
                winners.push(version);
            }
        }
        Ok(winners)
    }

    /// # Errors
    /// What has nothing to do with conditions: no bucket, no permission, no server.
    async fn try_put(&self, path: &Path, mode: PutMode, body: &str) -> Result<(Answer, Reply)> {
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        let put = self
            .stores
            .once
            .put_opts(path, PutPayload::from(body.to_owned()), options);
        Ok(match watch(put).await {
            (Ok(put), reply) => {
                let version = UpdateVersion {
                    e_tag: put.e_tag,
                    version: put.version,
                };
                (Answer::Written(version), reply)
            }
            (Err(_), reply) if matches!(reply.status, Some(409 | 412)) => (Answer::Refused, reply),
            // "Not implemented", or a header that is not known.
            (Err(_), reply) if matches!(reply.status, Some(400 | 501)) => {
                let code = reply.code.as_deref().unwrap_or("no reason given");
                (
                    Answer::Unable(format!("refuses writes with a condition ({code})")),
                    reply,
                )
            }
            (Err(error), reply) => return Err(failed(&error, &reply)),
        })
    }

    fn several(&self, reply: &Reply, winners: usize, doing: &str) -> Findings {
        self.does_not(
            reply,
            &format!("let {winners} of {WRITERS} writers win that tried to {doing}"),
        )
    }

    fn does_not(&self, reply: &Reply, what: &str) -> Findings {
        let server = match &reply.server {
            Some(name) => format!("{name} at {}", self.dialect.place),
            None => self.dialect.place.clone(),
        };
        Findings::DoesNot(format!(
            "the server ({server}) {what}; compare-and-swap is not safe on it"
        ))
    }

    /// Whether the bucket is there and may be read: the first thing that is asked.
    ///
    /// # Errors
    /// What stands in the way.
    pub(crate) async fn reach(&self, layout: &Layout) -> Result<()> {
        let options = object_store::list::PaginatedListOptions {
            max_keys: Some(1),
            ..Default::default()
        };
        let prefix = layout.base(crate::layout::Stream::Overlay);
        let (answer, reply) = watch(self.stores.once.list_paginated(Some(&prefix), options)).await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(&error, &reply)),
        }
    }
}
