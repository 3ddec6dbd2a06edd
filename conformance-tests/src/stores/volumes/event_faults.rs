//! Events that are none: told, and nothing broken.

use std::sync::Arc;

use storage_core::ErrorKind;
use storage_stores::volumes::{
    Channel, Event, HashAlgorithm, PublicKey, Refreshed, Repair, Signer, Verifier, Volume, VolumeStore,
};

use super::sample::{contents, flip, key, keys, open, options, other_key, volume};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { event_faults:
    smoke [] a_stray_file_is_told_and_skipped = "a `conflicted copy.bin` in a channel is told and breaks neither the list nor the volume";
    standard [] a_tampered_event_is_refused_and_told = "an event with any one bit changed is refused and told, and the others are read";
    standard [] a_forged_event_is_refused_and_told = "an event that is named right and not signed by the channel's key is refused and told";
    standard [] a_misplaced_event_is_refused_and_told = "an event of another channel, and one under another's name, are refused and told";
    standard [] what_is_no_event_is_refused_and_told = "rubbish of every size under the name of its hash is refused and told";
    standard [] a_newer_event_and_an_unknown_scheme_are_kept = "an event of a newer format, and one under a scheme nobody here can check, are told, kept and never moved";
    standard [] another_scheme_is_accepted_with_its_verifier = "with a verifier for its scheme an event under another one is read, and refused without";
    standard [] what_is_accepted_is_checked_first = "an event from elsewhere that is no event of the channel is refused before any effect";
    standard [] verify_all_holds_events_to_their_signatures = "a look at everything names tampered and forged events, and moves them to quarantine only when told to";
    standard [] hostile_names_are_only_names = "names such as `../..`, of control characters and of 4,096 bytes are text in events, and no path";
}

/// A channel with three events, and the keys of these.
async fn three(store: &VolumeStore) -> Result<(Channel, Vec<String>), Failure> {
    let channel = store.channel_of(key());
    let mut paths = Vec::new();
    for payload in ["one", "two", "three"] {
        let event = channel.append(payload).await?;
        paths.push(format!("channels/{}/{}.bin", channel.key(), event.hash()));
    }
    Ok((channel, paths))
}

/// What a client that never looked before finds.
async fn look(ctx: &Ctx) -> Result<(Refreshed, Vec<String>), Failure> {
    let channel = open(&ctx.second().await?).await?.channel_of(key());
    let found = channel.refresh().await?;
    let events = channel.events().await?;
    let payloads = events
        .iter()
        .map(|event| String::from_utf8_lossy(event.payload()).into_owned());
    Ok((found, payloads.collect()))
}

async fn a_stray_file_is_told_and_skipped(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let store = open(storage).await?;
    let volume = volume(&store).await?;
    let entry = volume.put("a", "x").await?;
    let directory = format!("channels/{}", volume.channel().key());
    let strays = [
        format!("{directory}/conflicted copy.bin"),
        format!("{directory}/{} (1).bin", entry.event),
        format!("{directory}/{}.bin.tmp", entry.event),
        format!("{directory}/sub/{}.bin", entry.event),
    ];
    for stray in &strays {
        storage.objects().write(stray, "anything").await?;
    }
    let found = volume.refresh().await?;
    let mut expected: Vec<String> = strays.iter().map(|stray| format!("store: {stray}")).collect();
    expected.sort();
    let mut told = found.strays;
    told.sort();
    ensure_eq!(told, expected, "what is told");
    let fresh = super::sample::volume(&open(&ctx.second().await?).await?).await?;
    ensure_eq!(
        contents(&fresh).await?,
        [("a".to_owned(), "x".to_owned())],
        "the volume"
    );
    fresh.put("b", "y").await?;
    ensure_eq!(fresh.list("").len(), 2, "it can be written");
    Ok(())
}

async fn a_tampered_event_is_refused_and_told(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let (channel, paths) = three(&open(storage).await?).await?;
    let original = storage.objects().read(&paths[1]).await?.ok_or("it is there")?;
    for at in (0..original.len()).step_by(7) {
        let mut bytes = original.to_vec();
        bytes[at] ^= 4;
        storage.objects().write(&paths[1], bytes).await?;
        let (found, payloads) = look(ctx).await?;
        ensure_eq!(payloads, ["one"], "what is in order with byte {at} changed");
        let told: Vec<_> = found.refused.iter().map(|refused| &refused.key).collect();
        ensure_eq!(told, [&paths[1]], "what is told");
        ensure_eq!(found.waiting.len(), 1, "what follows it waits");
    }
    // Who had read it before goes on.
    ensure_eq!(channel.events().await?.len(), 3, "the events of the first client");
    storage.objects().write(&paths[1], original).await?;
    ensure_eq!(
        look(ctx).await?.1,
        ["one", "two", "three"],
        "when it is whole again"
    );
    Ok(())
}

async fn a_forged_event_is_refused_and_told(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let (channel, _) = three(&open(storage).await?).await?;
    let forged = forged(channel.key(), "forged")?;
    let path = format!("channels/{}/{}.bin", channel.key(), forged.hash());
    storage.objects().write(&path, forged.bytes().clone()).await?;
    let (found, payloads) = look(ctx).await?;
    ensure_eq!(payloads, ["one", "two", "three"], "the events");
    ensure_eq!(found.refused.len(), 1, "what is told");
    ensure!(
        found.refused[0].key == path && found.refused[0].reason.contains("signature"),
        "{found:?}"
    );
    ensure!(!found.refused[0].unknown, "it is surely none");
    Ok(())
}

/// An event that says to be of this channel, signed by somebody else.
fn forged(channel: &PublicKey, payload: &'static str) -> Result<Event, Failure> {
    #[derive(Debug)]
    struct Forger(PublicKey);
    impl Signer for Forger {
        fn scheme(&self) -> &'static str {
            "ed25519"
        }
        fn public_key(&self) -> PublicKey {
            self.0.clone()
        }
        fn sign(&self, message: &[u8]) -> storage_core::Result<Vec<u8>> {
            other_key().sign(message)
        }
    }
    let forger = Forger(channel.clone());
    Ok(Event::sign(HashAlgorithm::Sha256, &forger, vec![], payload)?)
}

async fn a_misplaced_event_is_refused_and_told(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let store = open(storage).await?;
    let (channel, paths) = three(&store).await?;
    let foreign = store.channel_of(other_key()).append("foreign").await?;
    let path = format!("channels/{}/{}.bin", channel.key(), foreign.hash());
    storage.objects().write(&path, foreign.bytes().clone()).await?;
    let bytes = storage.objects().read(&paths[0]).await?.ok_or("it is there")?;
    let renamed = format!(
        "channels/{}/{}.bin",
        channel.key(),
        HashAlgorithm::Sha256.hash(b"other")
    );
    storage.objects().write(&renamed, bytes).await?;
    let (found, payloads) = look(ctx).await?;
    ensure_eq!(payloads, ["one", "two", "three"], "the events");
    let mut told: Vec<_> = found.refused.into_iter().map(|refused| refused.key).collect();
    told.sort();
    let mut expected = [path, renamed];
    expected.sort();
    ensure_eq!(told, expected, "what is told");
    Ok(())
}

async fn what_is_no_event_is_refused_and_told(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let (channel, _) = three(&open(storage).await?).await?;
    let mut random = ctx.random();
    let mut rubbish: Vec<Vec<u8>> = [0, 1, 4, 5, 6, 100].map(|length| random.bytes(length)).to_vec();
    rubbish.push([b"VEVT\x01", &random.bytes(200)[..]].concat());
    rubbish.push([&b"VEVT\x01\x07ed25519"[..], &[0xff; 300]].concat());
    rubbish.push(vec![7; 1024 * 1024 + 9]);
    for bytes in &rubbish {
        let path = format!(
            "channels/{}/{}.bin",
            channel.key(),
            HashAlgorithm::Sha256.hash(bytes)
        );
        storage.objects().write(&path, bytes.clone()).await?;
    }
    let (found, payloads) = look(ctx).await?;
    ensure_eq!(payloads, ["one", "two", "three"], "the events");
    ensure_eq!(found.refused.len(), rubbish.len(), "what is told");
    Ok(())
}

#[derive(Debug)]
struct Reversed;

impl Signer for Reversed {
    fn scheme(&self) -> &'static str {
        "reversed"
    }
    fn public_key(&self) -> PublicKey {
        key().public_key()
    }
    fn sign(&self, message: &[u8]) -> storage_core::Result<Vec<u8>> {
        Ok(message.iter().rev().copied().collect())
    }
}

impl Verifier for Reversed {
    fn scheme(&self) -> &'static str {
        "reversed"
    }
    fn verify(&self, _key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        signature.iter().rev().eq(message)
    }
}

async fn a_newer_event_and_an_unknown_scheme_are_kept(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let store = open(storage).await?;
    let (channel, _) = three(&store).await?;
    let mut newer = Event::sign(HashAlgorithm::Sha256, &key(), vec![], "x")?
        .bytes()
        .to_vec();
    newer[4] = 2;
    let unknown = Event::sign(HashAlgorithm::Sha256, &Reversed, vec![], "x")?
        .bytes()
        .to_vec();
    for bytes in [&newer, &unknown] {
        let hash = HashAlgorithm::Sha256.hash(bytes);
        let path = format!("channels/{}/{hash}.bin", channel.key());
        storage.objects().write(&path, bytes.clone()).await?;
    }
    let (found, payloads) = look(ctx).await?;
    ensure_eq!(payloads, ["one", "two", "three"], "the events");
    ensure_eq!(found.refused.len(), 2, "what is told");
    ensure!(found.refused.iter().all(|refused| refused.unknown), "{found:?}");
    let report = store.verify_all(Repair::Quarantine).await?;
    ensure_eq!(
        (report.unknown.len(), report.damaged.len(), report.quarantined),
        (2, 0, 0),
        "a repair"
    );
    ensure_eq!(keys(storage, "channels/").await?.len(), 5, "all are there");
    Ok(())
}

async fn another_scheme_is_accepted_with_its_verifier(ctx: &Ctx) -> Verdict {
    let with = options().verifier(Arc::new(Reversed));
    let store = VolumeStore::open(ctx.storage().clone(), with).await?;
    let volume = Volume::open(&store, Reversed).await?;
    volume.put("a", "x").await?;
    let fresh = Volume::open_read_only(&store, key().public_key()).await?;
    ensure_eq!(
        contents(&fresh).await?,
        [("a".to_owned(), "x".to_owned())],
        "with the verifier"
    );
    let without = open(&ctx.second().await?).await?;
    let without = Volume::open_read_only(&without, key().public_key()).await?;
    ensure_eq!(contents(&without).await?, [], "without");
    ensure_eq!(without.refresh().await?.refused.len(), 1, "what is told");
    Ok(())
}

async fn what_is_accepted_is_checked_first(ctx: &Ctx) -> Verdict {
    let channel = open(ctx.storage()).await?.channel(key().public_key());
    let good = Event::sign(HashAlgorithm::Sha256, &key(), vec![], "good")?;
    let foreign = Event::sign(HashAlgorithm::Sha256, &other_key(), vec![], "foreign")?;
    let mut tampered = good.bytes().to_vec();
    if let Some(last) = tampered.last_mut() {
        *last ^= 1;
    }
    let bad = [
        tampered,
        foreign.bytes().to_vec(),
        forged(channel.key(), "forged")?.bytes().to_vec(),
        b"rubbish".to_vec(),
        vec![],
    ];
    for bytes in bad {
        ensure_kind!(
            channel.accept(bytes.clone()).await,
            ErrorKind::Corrupt,
            "{bytes:?}"
        );
    }
    ensure_eq!(
        keys(ctx.storage(), "channels/").await?,
        Vec::<String>::new(),
        "nothing was kept"
    );
    channel.accept(good.bytes().clone()).await?;
    ensure_eq!(channel.events().await?, [good], "the good one");
    Ok(())
}

async fn verify_all_holds_events_to_their_signatures(ctx: &Ctx) -> Verdict {
    let storage = ctx.storage();
    let store = open(storage).await?;
    let (channel, paths) = three(&store).await?;
    flip(storage, &paths[2]).await?;
    let forged = forged(channel.key(), "forged")?;
    let path = format!("channels/{}/{}.bin", channel.key(), forged.hash());
    storage.objects().write(&path, forged.bytes().clone()).await?;
    let report = store.verify_all(Repair::Nothing).await?;
    let mut expected = [format!("store: {}", paths[2]), format!("store: {path}")];
    expected.sort();
    ensure_eq!(report.damaged, expected, "what is damaged");
    ensure_eq!((report.sound, report.quarantined), (2, 0), "the report");
    ensure_eq!(
        keys(storage, "quarantine/").await?,
        Vec::<String>::new(),
        "nothing was moved"
    );
    let report = store.verify_all(Repair::Quarantine).await?;
    ensure_eq!(report.quarantined, 2, "what was moved");
    ensure_eq!(keys(storage, "quarantine/").await?.len(), 2, "in quarantine");
    ensure_eq!(look(ctx).await?.1, ["one", "two"], "the events");
    Ok(())
}

async fn hostile_names_are_only_names(ctx: &Ctx) -> Verdict {
    let store = open(ctx.storage()).await?;
    let volume = volume(&store).await?;
    let long = "ü".repeat(2048);
    let names = [
        "../../etc/passwd",
        "/",
        "//a//",
        "..",
        "C:\\windows",
        "CON",
        "a\nb\u{1b}[2J",
        "\u{202e}gpj.exe",
        " ",
        &long,
    ];
    for name in names {
        volume.put(name, name.to_owned()).await?;
    }
    let fresh = super::sample::volume(&open(&ctx.second().await?).await?).await?;
    ensure_eq!(fresh.list("").len(), names.len(), "the names");
    for name in names {
        ensure_eq!(
            fresh.get(name).await?.as_deref(),
            Some(name.as_bytes()),
            "{name:?}"
        );
    }
    for key in keys(ctx.storage(), "").await? {
        let directories = ["blocks/", "changed/", "channels/"];
        let is_ours = key == "volumes.json" || directories.iter().any(|ours| key.starts_with(ours));
        ensure!(is_ours, "{key:?} is a path that a name made");
    }
    for name in ["", "a\0b", &format!("{long}x")] {
        ensure_kind!(
            volume.put(name, "x").await,
            ErrorKind::InvalidName,
            "{} bytes",
            name.len()
        );
        ensure!(!volume.delete(name).await?, "there is nothing of that name");
    }
    Ok(())
}
