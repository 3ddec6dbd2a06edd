//! Any order in which any set of events arrives comes to the same volume.

use proptest::prelude::*;
use storage_core::{Memory, Storage};
use storage_stores::volumes::{Change, Event, Hash, HashAlgorithm, VolumeOptions, VolumeStore};

use crate::place::{key, volume};

/// An event: which of the earlier ones its writer had seen, and what it says.
#[derive(Debug, Clone)]
struct Step {
    seen: Vec<prop::sample::Index>,
    name: u8,
    block: Option<u8>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        0..3_u8,
        prop::option::of(0..3_u8),
    );
    let step = step.prop_map(|(seen, name, block)| Step { seen, name, block });
    prop::collection::vec(step, 1..12)
}

fn signed(steps: &[Step]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for step in steps {
        let parents = if events.is_empty() {
            vec![]
        } else {
            step.seen.iter().map(|seen| seen.get(&events).hash()).collect()
        };
        let name = format!("name {}", step.name);
        let change = match step.block {
            Some(block) => Change::Put {
                name,
                block: Hash::from_bytes([block; 32]),
                size: 1,
            },
            None => Change::Delete { name },
        };
        let event = Event::sign(HashAlgorithm::Sha256, &key(), parents, change.encode().unwrap());
        events.push(event.unwrap());
    }
    events
}

type Seen = (Vec<storage_stores::volumes::Entry>, Vec<Hash>, usize);

/// What a volume has once these events arrived, with a look after each where asked.
async fn arrived(events: &[Event], looks: bool) -> Seen {
    let storage = Storage::new(Memory::new());
    let store = VolumeStore::open(storage, VolumeOptions::new()).await.unwrap();
    let volume = volume(&store).await;
    let elsewhere = store.channel(volume.channel().key().clone());
    for event in events {
        // It arrives by way of the storage, not of this handle.
        elsewhere.accept(event.bytes().clone()).await.unwrap();
        if looks {
            volume.refresh().await.unwrap();
        }
    }
    let waiting = volume.refresh().await.unwrap().waiting.len();
    let log = volume.log().iter().map(|(event, _)| event.hash()).collect();
    (volume.list(""), log, waiting)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_of_arrival_gives_the_same_volume(
        steps in steps(),
        order in prop::collection::vec(any::<u64>(), 12),
        left_out in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut events = signed(&steps);
        if let Some(left_out) = left_out {
            // With one that never comes, those after it wait, whatever the order.
            events.remove(left_out.index(events.len()));
        }
        let mut mixed: Vec<(u64, Event)> = order.into_iter().zip(events.clone()).collect();
        mixed.sort_by_key(|(at, _)| *at);
        let mixed: Vec<Event> = mixed.into_iter().map(|(_, event)| event).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let expected = arrived(&events, false).await;
            prop_assert_eq!(&arrived(&mixed, false).await, &expected);
            prop_assert_eq!(&arrived(&mixed, true).await, &expected);
            // A cause never stands behind its effect.
            for (at, hash) in expected.1.iter().enumerate() {
                let event = events.iter().find(|event| event.hash() == *hash).unwrap();
                prop_assert!(event.parents().iter().all(|parent| expected.1[..at].contains(parent)));
            }
            Ok(())
        })?;
    }
}
