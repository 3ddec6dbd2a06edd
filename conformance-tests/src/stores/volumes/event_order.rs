//! The order of events: causes before effects, and the same for everybody.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use storage_stores::volumes::{Change, Event, Hash, HashAlgorithm, Volume};

use super::sample::{contents, key, keys, open, open_in, volume};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;
use crate::random::Random;

cases! { event_order:
    smoke [] events_come_in_the_order_they_were_appended = "events appended one after the other, by two clients in turn, are listed in that order";
    smoke [] create_delete_create_delete_ends_deleted = "a name that is created, deleted, created and deleted is deleted, for everybody, though two of the events say the same";
    standard [] the_same_event_is_the_same_file = "signing the same event twice gives the same bytes under the same path, also from two processes";
    standard [] an_event_is_at_the_path_of_key_and_hash = "an event is `channels/<public key>/<event hash>.bin`, and its hash is that of all its bytes";
    standard [] any_arrival_order_gives_the_same_volume = "events that arrive in any order, with those of concurrent writers among them, come to the same names and the same log";
    standard [] an_event_waits_for_its_parents = "an event whose parent is not there waits, says for which, and counts once the parent arrives";
    standard [] concurrent_appends_are_all_there = "many appends at once, by two clients, are all there, and both see one order";
    standard [] a_writer_follows_what_was_acknowledged = "a client that had not looked for long appends after what others had acknowledged meanwhile";
    standard [] without_the_signer_nothing_is_appended = "a channel opened by its public key is read only";
}

async fn events_come_in_the_order_they_were_appended(ctx: &Ctx) -> Verdict {
    let one = open(ctx.storage()).await?.channel_of(key());
    let other = open(&ctx.second().await?).await?.channel_of(key());
    let mut expected = Vec::new();
    for at in 0..12 {
        let channel = if at % 3 == 0 { &other } else { &one };
        channel.append(format!("event {at}")).await?;
        expected.push(format!("event {at}"));
    }
    for channel in [&one, &other] {
        let events = channel.events().await?;
        let payloads: Vec<_> = events.iter().map(|event| event.payload().clone()).collect();
        ensure_eq!(payloads, expected, "the order");
        ensure!(events[0].parents().is_empty(), "the first has no parent");
        ensure_eq!(events[5].parents(), [events[4].hash()], "the parents of another");
    }
    Ok(())
}

async fn create_delete_create_delete_ends_deleted(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    for round in 0..8 {
        let name = format!("name {round}");
        let volume = volume(&store).await?;
        volume.put(&name, "the same bytes").await?;
        ensure!(volume.delete(&name).await?, "it was there");
        ensure_eq!(volume.entry(&name), None, "after the first deletion");
        volume.put(&name, "the same bytes").await?;
        ensure!(volume.entry(&name).is_some(), "created again");
        ensure!(volume.delete(&name).await?, "it was there again");
        let other = super::sample::volume(&open(&ctx.second().await?).await?).await?;
        for seen in [&volume, &other] {
            ensure_eq!(seen.entry(&name), None, "round {round}");
        }
        ensure!(!volume.delete(&name).await?, "nothing is left to delete");
    }
    ensure_eq!(volume(&store).await?.log().len(), 32, "four events a round");
    Ok(())
}

async fn the_same_event_is_the_same_file(ctx: &Ctx) -> Verdict {
    let make = || Event::sign(HashAlgorithm::Sha256, &key(), vec![], "the same");
    let (one, other) = (make()?, make()?);
    ensure_eq!(one.bytes(), other.bytes(), "the bytes");
    let first = open(ctx.storage()).await?.channel_of(key());
    let second = open(&ctx.second().await?).await?.channel_of(key());
    let (accept, again) = (
        first.accept(one.bytes().clone()),
        second.accept(other.bytes().clone()),
    );
    let (accepted, again) = futures::future::try_join(accept, again).await?;
    ensure_eq!(accepted.hash(), again.hash(), "the hash");
    let appended = open(ctx.storage()).await?;
    ensure_eq!(appended.channel_of(key()).events().await?, [one], "the events");
    ensure_eq!(keys(ctx.storage(), "channels/").await?.len(), 1, "the files");
    Ok(())
}

async fn an_event_is_at_the_path_of_key_and_hash(ctx: &Ctx) -> Verdict {
    let channel = open(ctx.storage()).await?.channel_of(key());
    let event = channel.append("x").await?;
    let path = format!("channels/{}/{}.bin", channel.key(), event.hash());
    ensure_eq!(
        keys(ctx.storage(), "channels/").await?,
        std::slice::from_ref(&path),
        "the files"
    );
    let bytes = ctx.storage().objects().read(&path).await?.ok_or("it is there")?;
    ensure_eq!(
        HashAlgorithm::Sha256.hash(&bytes),
        event.hash(),
        "the hash of the file"
    );
    ensure_eq!(Event::parse(HashAlgorithm::Sha256, bytes)?, event, "the event");
    Ok(())
}

/// Events of writers that had seen some of the others' each, and the blocks they name.
fn history(random: &mut Random, length: usize) -> Result<Vec<Event>, Failure> {
    let mut events: Vec<Event> = Vec::new();
    for at in 0..length {
        let mut parents: Vec<Hash> = Vec::new();
        if at > 0 {
            for _ in 0..=random.below(3) {
                parents.push(random.pick(&events).hash());
            }
        }
        let name = (*random.pick(&["a", "b", "c"])).to_owned();
        let change = match random.below(3) {
            0 => Change::Delete { name },
            _ => Change::Put {
                name,
                block: HashAlgorithm::Sha256.hash(format!("content {}", random.below(4)).as_bytes()),
                size: 9,
            },
        };
        let event = Event::sign(HashAlgorithm::Sha256, &key(), parents, change.encode()?)?;
        events.push(event);
    }
    Ok(events)
}

/// The names with their contents, and the events in their order.
type Seen = (Vec<(String, String)>, Vec<Hash>);

async fn any_arrival_order_gives_the_same_volume(ctx: &Ctx) -> Verdict {
    let mut random = ctx.random();
    for round in 0..3 {
        let mut events = history(&mut random, 14)?;
        let mut expected: Option<Seen> = None;
        for arrival in 0..4 {
            let store = open_in(ctx.storage(), &format!("{round}-{arrival}")).await?;
            for content in 0..4 {
                store.blocks().put(format!("content {content}")).await?;
            }
            let slow = volume(&store).await?;
            for at in (1..events.len()).rev() {
                events.swap(at, random.below(at + 1));
            }
            for (at, event) in events.iter().enumerate() {
                slow.channel().accept(event.bytes().clone()).await?;
                // Looking now and then changes nothing about the end.
                if at % 5 == arrival {
                    slow.refresh().await?;
                }
            }
            slow.refresh().await?;
            let fresh = volume(&open_in(&ctx.second().await?, &format!("{round}-{arrival}")).await?).await?;
            for seen in [&slow, &fresh] {
                let log: Vec<Hash> = seen.log().iter().map(|(event, _)| event.hash()).collect();
                let state = (contents(seen).await?, log);
                let expected = expected.get_or_insert_with(|| state.clone());
                ensure_eq!(state, *expected, "arrival {arrival} of round {round}");
            }
        }
    }
    Ok(())
}

async fn an_event_waits_for_its_parents(ctx: &Ctx) -> Verdict {
    let sign = |parents: &[&Event], payload: &'static str| {
        let parents = parents.iter().map(|parent| parent.hash()).collect();
        Event::sign(HashAlgorithm::Sha256, &key(), parents, payload)
    };
    let root = sign(&[], "root")?;
    let child = sign(&[&root], "child")?;
    let grandchild = sign(&[&child], "grandchild")?;
    let channel = open(ctx.storage()).await?.channel_of(key());
    for event in [&grandchild, &child] {
        channel.accept(event.bytes().clone()).await?;
    }
    ensure_eq!(channel.events().await?, [], "nothing is in order yet");
    let waiting: BTreeMap<_, _> = channel.refresh().await?.waiting.into_iter().collect();
    let expected = BTreeMap::from([(child.hash(), vec![root.hash()]), (grandchild.hash(), vec![])]);
    ensure_eq!(waiting, expected, "what waits");
    // What is appended meanwhile does not wait.
    let other = open(&ctx.second().await?).await?.channel_of(key());
    let appended = other.append("appended").await?;
    ensure_eq!(
        other.events().await?,
        std::slice::from_ref(&appended),
        "what is in order"
    );
    channel.accept(root.bytes().clone()).await?;
    for seen in [&channel, &other] {
        let events = seen.events().await?;
        ensure_eq!(events.len(), 4, "all are in order");
        let place = |event: &Event| events.iter().position(|other| other == event);
        ensure!(
            place(&root) < place(&child) && place(&child) < place(&grandchild),
            "causes come before effects"
        );
        ensure!(seen.refresh().await?.waiting.is_empty(), "nothing waits");
    }
    Ok(())
}

async fn concurrent_appends_are_all_there(ctx: &Ctx) -> Verdict {
    let one = open(ctx.storage()).await?.channel_of(key());
    let other = open(&ctx.second().await?).await?.channel_of(key());
    let appends = (0..20).map(|at| {
        let channel = if at % 2 == 0 { &one } else { &other };
        channel.append(format!("event {at}"))
    });
    let appended = try_join_all(appends).await?;
    let events = one.events().await?;
    ensure_eq!(events.len(), 20, "the events");
    ensure!(
        appended.iter().all(|event| events.contains(event)),
        "each is there"
    );
    ensure_eq!(other.events().await?, events, "the order of the other");
    let last = one.append("the last").await?;
    ensure_eq!(
        one.events().await?.last(),
        Some(&last),
        "what follows all is the last"
    );
    Ok(())
}

async fn a_writer_follows_what_was_acknowledged(ctx: &Ctx) -> Verdict {
    let idle: Volume = volume(&open(ctx.storage()).await?).await?;
    let busy = volume(&open(&ctx.second().await?).await?).await?;
    for round in 0..6 {
        let name = format!("name {round}");
        busy.put(&name, "first").await?;
        idle.put(&name, "second").await?;
        busy.refresh().await?;
        ensure_eq!(
            busy.get(&name).await?.as_deref(),
            Some(&b"second"[..]),
            "the later write counts"
        );
        busy.put(&name, "third").await?;
        ensure!(idle.delete(&name).await?, "it sees what it deletes");
        busy.refresh().await?;
        ensure_eq!(busy.entry(&name), None, "the later deletion counts");
    }
    Ok(())
}

async fn without_the_signer_nothing_is_appended(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    volume(&store).await?.put("a", "x").await?;
    let reader = Volume::open_read_only(&store, volume(&store).await?.channel().key().clone()).await?;
    ensure_eq!(
        reader.get("a").await?.as_deref(),
        Some(&b"x"[..]),
        "it can be read"
    );
    let kind = storage_core::ErrorKind::PermissionDenied;
    ensure_kind!(reader.put("a", "y").await, kind, "put");
    ensure_kind!(reader.delete("a").await, kind, "delete");
    ensure_kind!(reader.channel().append("z").await, kind, "append");
    ensure_eq!(reader.log().len(), 1, "the events");
    Ok(())
}
