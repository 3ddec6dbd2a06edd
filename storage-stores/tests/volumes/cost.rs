//! What a write costs: calls of the backend are counted, not time.

use std::sync::Arc;

use storage_core::{Memory, Storage};
use storage_layers::{Fault, FaultAction, FaultPlan, FaultRule, Operation};
use storage_stores::volumes::{VolumeOptions, VolumeStore};

use crate::place::volume;

/// A storage that counts its calls, and those that list.
fn counted(memory: &Memory) -> (Storage, FaultPlan) {
    let nothing = FaultAction::Meanwhile(Arc::new(|| Box::pin(async {})));
    let plan = FaultPlan::new([FaultRule::new(nothing).on(&[Operation::List])]);
    (Storage::new(Fault::new(memory.clone(), plan.clone())), plan)
}

#[tokio::test]
async fn a_write_costs_the_same_among_many_names_and_lists_none() {
    let mut costs = Vec::new();
    for names in [10, 1000] {
        let memory = Memory::new();
        let (storage, plan) = counted(&memory);
        let store = VolumeStore::open(storage, VolumeOptions::new()).await.unwrap();
        let own = volume(&store).await;
        for number in 0..names {
            own.put(&format!("name {number}"), format!("bytes {number}"))
                .await
                .unwrap();
        }
        let before = (plan.calls(), plan.struck());
        own.put("one more", "its bytes").await.unwrap();
        own.delete("name 1").await.unwrap();
        let cost = (plan.calls() - before.0, plan.struck() - before.1);
        println!(
            "{names} names: a put and a deletion are {} calls, {} of them lists",
            cost.0, cost.1
        );
        assert_eq!(cost.1, 0, "nobody else wrote, so nothing is listed");
        costs.push(cost.0);

        // Another handle is followed all the same, at the price of a listing each time the writer changes.
        let (elsewhere, there) = counted(&memory);
        let elsewhere = VolumeStore::open(elsewhere, VolumeOptions::new()).await.unwrap();
        let other = volume(&elsewhere).await;
        for round in 0..5 {
            for (volume, plan) in [(&other, &there), (&own, &plan)] {
                let lists = plan.struck();
                let entry = volume
                    .put("fought for", format!("{round} {}", plan.calls()))
                    .await
                    .unwrap();
                assert!(plan.struck() > lists || round == 0, "the other wrote");
                let events = volume.channel().events().await.unwrap();
                assert_eq!(
                    events.last().unwrap().hash(),
                    entry.event,
                    "it follows what was there"
                );
                assert_eq!(events.last().unwrap().parents().len(), 1);
            }
        }
    }
    assert_eq!(costs[0], costs[1]);
}
