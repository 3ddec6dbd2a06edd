//! Faults of watching.

use async_trait::async_trait;
use futures::{StreamExt, stream};
use storage_core::*;

use crate::frame::Fault;

/// Tells what is written and not what is deleted.
#[derive(Debug, Default)]
struct DeletionsAreNotTold;

#[async_trait]
impl Fault for DeletionsAreNotTold {
    async fn watch(&self, memory: &Memory, collection: &Name, request: WatchRequest) -> Result<Changes> {
        let changes = memory.watch(collection, request).await?;
        let written =
            |change: &Result<Change>| !matches!(change, Ok(change) if change.kind == ChangeKind::Deleted);
        Ok(changes
            .filter(move |change| futures::future::ready(written(change)))
            .boxed())
    }
}

/// Begins now, whatever position was asked for.
#[derive(Debug, Default)]
struct PositionsAreForgotten;

#[async_trait]
impl Fault for PositionsAreForgotten {
    async fn watch(&self, memory: &Memory, collection: &Name, _request: WatchRequest) -> Result<Changes> {
        memory.watch(collection, WatchRequest::default()).await
    }
}

/// Tells the changes of another collection too.
#[derive(Debug, Default)]
struct NeighboursAreTold;

#[async_trait]
impl Fault for NeighboursAreTold {
    async fn watch(&self, memory: &Memory, collection: &Name, request: WatchRequest) -> Result<Changes> {
        let own = memory.watch(collection, request.clone()).await?;
        let neighbour = Name::new(format!("{collection}2"))?;
        let others = memory.watch(&neighbour, WatchRequest::default()).await?;
        Ok(stream::select(own, others).boxed())
    }
}

/// Turns every two changes round.
#[derive(Debug, Default)]
struct ChangesAreTurnedRound;

#[async_trait]
impl Fault for ChangesAreTurnedRound {
    async fn watch(&self, memory: &Memory, collection: &Name, request: WatchRequest) -> Result<Changes> {
        let changes = memory.watch(collection, request).await?;
        let turned = changes.chunks(2).flat_map(|mut pair| {
            pair.reverse();
            stream::iter(pair)
        });
        Ok(turned.boxed())
    }
}

mod killed {
    crate::kills! {
        DeletionsAreNotTold: "watch.tells-what-is-written-and-deleted";
        PositionsAreForgotten: "watch.goes-on-behind-a-position", "watch.a-position-that-is-not-known-is-refused";
        NeighboursAreTold: "watch.another-collection-is-not-told";
        ChangesAreTurnedRound: "watch.the-order-of-one-document-is-kept";
    }
}
