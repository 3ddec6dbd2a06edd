//! Compression and encryption.

use std::time::Duration;

use storage_core::ErrorKind;
use storage_stores::kv::{Codec, KeyProvider, Kv, KvOptions, Sealing, SetOptions, Suite};

use super::sample::{key, large, objects, open, open_with, options, put, sealed, text};
use crate::case::{Failure, Verdict, cases, ensure, ensure_eq, ensure_kind};
use crate::context::Ctx;

cases! { kv_seal:
    smoke [Documents, Indexes] every_codec_and_cipher_gives_values_back = "values of every size come back from every codec with every cipher, and say which they are";
    standard [Documents, Indexes] compression_is_automatic_and_only_where_it_helps = "from the threshold on values are compressed if that makes them smaller, below it only on demand";
    standard [Documents, Indexes] any_options_read_what_others_wrote = "a store reads values written with any codec and level, whatever its own options";
    standard [Documents, Indexes] encrypted_values_are_nowhere_in_the_clear = "no document, object or log of an encrypted namespace shows a value, and none shows a key";
    standard [Documents, Indexes] a_wrong_or_missing_key_is_an_error = "opening with another key or none is Unauthenticated, never an empty namespace";
    standard [Documents, Indexes] a_key_on_plain_values_is_an_error = "a store that encrypts everything refuses values stored without, until a rotation has encrypted them";
    standard [Documents, Indexes] values_cannot_change_places = "a sealed value copied to another key, another namespace or another kind is Corrupt";
    standard [Documents, Indexes] a_flipped_bit_is_corrupt = "a sealed value with any byte changed is Corrupt";
    standard [Documents, Indexes] chosen_values_are_encrypted = "with Sealing::chosen only values that ask for it are encrypted, and both kinds are read";
    standard [Documents, Indexes] a_rotation_seals_everything_anew = "a rotation under a new key seals values and backups anew, the old key opens nothing any more, and a handle from before goes on";
    standard [Documents, Indexes] former_keys_are_destroyed_when_nobody_needs_them = "a former key is kept while it is young or in use, and destroyed by a later rotation";
    standard [Documents, Indexes] a_passphrase_is_a_key = "a passphrase opens what it sealed, and another one does not";
    standard [Documents, Indexes] a_deleted_value_loses_its_own_key = "with data keys a deleted or replaced value put back from a copy cannot be read";
    standard [Documents, Indexes] what_cannot_be_encrypted_is_refused = "encrypt without a key is Unsupported, data keys without one and a level the codec does not have InvalidArgument";
}

async fn every_codec_and_cipher_gives_values_back(ctx: &Ctx) -> Verdict {
    let ciphers = std::iter::once(None).chain(Suite::ALL.iter().copied().map(Some));
    for (number, cipher) in ciphers.enumerate() {
        for codec in Codec::ALL {
            let options = options()
                .compression(*codec)
                .compression_threshold(0)
                .namespace(format!("{codec}-{number}"));
            let options = match cipher {
                Some(suite) => options.encryption(Sealing::all(key(1)).suite(suite)),
                None => options,
            };
            let kv = open_with(ctx.storage(), options).await?;
            for length in [0, 1, 63, 1000, 100_000] {
                let value = "ab".repeat(length);
                put(&kv, "k", &value).await?;
                let fresh = Kv::open(ctx.storage().clone(), kv.options().clone()).await?;
                ensure_eq!(
                    text(&fresh, "k").await?,
                    Some(value),
                    "{length} bytes by {codec} and {cipher:?}"
                );
            }
            let info = kv.info("k").await?.ok_or("it is there")?;
            ensure_eq!(info.codec, codec.as_str(), "the codec");
            ensure_eq!(info.cipher.as_deref(), cipher.map(Suite::as_str), "the cipher");
            ensure_eq!(info.key_id.is_some(), cipher.is_some(), "the key");
            ensure!(
                *codec == Codec::None || info.stored < 5000,
                "{codec} left {} bytes",
                info.stored
            );
            kv.erase().await?;
        }
    }
    Ok(())
}

async fn compression_is_automatic_and_only_where_it_helps(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().compression(Codec::Gzip)).await?;
    let codec = async |key: &str| Ok::<_, Failure>(kv.info(key).await?.ok_or("it is there")?.codec);
    put(&kv, "below", &"x".repeat(1023)).await?;
    put(&kv, "at", &"x".repeat(1024)).await?;
    let mut random = ctx.random();
    let noise: Vec<u8> = (0..2048)
        .map(|_| u8::try_from(random.below(256)).unwrap_or_default())
        .collect();
    kv.set_raw("noise", noise, SetOptions::new()).await?;
    kv.set_raw("asked", "x".repeat(100), SetOptions::new().compress(true))
        .await?;
    kv.set_raw("refused", "x".repeat(5000), SetOptions::new().compress(false))
        .await?;
    for (key, expected) in [
        ("below", "none"),
        ("at", "gzip"),
        ("noise", "none"),
        ("asked", "gzip"),
        ("refused", "none"),
    ] {
        ensure_eq!(codec(key).await?, expected, "how {key} is stored");
    }
    Ok(())
}

async fn any_options_read_what_others_wrote(ctx: &Ctx) -> Verdict {
    let mut level = 1;
    for codec in Codec::ALL {
        let options = options().compression(*codec).compression_threshold(0);
        let options = if codec.default_level().is_some() {
            options.compression_level(level)
        } else {
            options
        };
        level += 4;
        let kv = open_with(ctx.storage(), options).await?;
        put(&kv, codec.as_str(), &large('x')).await?;
    }
    let plain = open(ctx.storage()).await?;
    for codec in Codec::ALL {
        ensure_eq!(
            text(&plain, codec.as_str()).await?,
            Some(large('x')),
            "what {codec} wrote"
        );
    }
    Ok(())
}

const CANARY: &str = "canary-7f3a9";

/// Whether anything stored, of whatever area, contains these bytes.
async fn is_stored(ctx: &Ctx, needle: &[u8]) -> Result<Option<String>, Failure> {
    use futures::TryStreamExt;
    let storage = ctx.storage();
    let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let mut listed = storage.objects().list("");
    while let Some(entry) = listed.try_next().await? {
        let bytes = storage.objects().read(entry.name()).await?.unwrap_or_default();
        if holds(&bytes) {
            return Ok(Some(entry.name().to_owned()));
        }
    }
    for collection in storage.collections().await? {
        let documents = storage.collection::<storage_core::bson::RawDocumentBuf>(collection.as_str());
        let mut found = documents.find(storage_core::Query::all()).await?;
        while let Some(document) = found.next().await? {
            if holds(document.value.as_bytes()) {
                return Ok(Some(format!("{collection}/{}", document.id)));
            }
        }
    }
    Ok(None)
}

async fn encrypted_values_are_nowhere_in_the_clear(ctx: &Ctx) -> Verdict {
    for data_keys in [false, true] {
        let options = sealed(7).data_keys(data_keys).backups(1).compression(Codec::Zstd);
        let kv = open_with(ctx.storage(), options).await?;
        for value in [CANARY.to_owned(), CANARY.repeat(100)] {
            put(&kv, "bytes", &value).await?;
            kv.set("json", &value).await?;
        }
        ensure_eq!(
            is_stored(ctx, CANARY.as_bytes()).await?,
            None,
            "a value in the clear"
        );
        ensure_eq!(is_stored(ctx, &[7; 32]).await?, None, "the key");
        ensure_eq!(
            is_stored(ctx, "07".repeat(32).as_bytes()).await?,
            None,
            "the key in hex"
        );
        let shown = format!("{kv:?} {:?}", kv.options());
        ensure!(
            !shown.contains("7, 7, 7") && !shown.contains(&"07".repeat(8)),
            "the key shows: {shown}"
        );
        kv.erase().await?;
    }
    put(&open(ctx.storage()).await?, "bytes", CANARY).await?;
    ensure!(
        is_stored(ctx, CANARY.as_bytes()).await?.is_some(),
        "a plain value is not found: this case sees nothing"
    );
    Ok(())
}

async fn opened(ctx: &Ctx, options: KvOptions) -> storage_core::Result<()> {
    Kv::open(ctx.storage().clone(), options).await.map(drop)
}

async fn a_wrong_or_missing_key_is_an_error(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), sealed(1)).await?;
    put(&kv, "k", "x").await?;
    let wrong = crate::case::check_kind(opened(ctx, sealed(2)).await, ErrorKind::Unauthenticated)?;
    ensure!(
        wrong.to_string().contains("give the key"),
        "it says what to do: {wrong}"
    );
    ensure_kind!(opened(ctx, options()).await, ErrorKind::Unauthenticated, "no key");
    let read_only = options().access(storage_stores::kv::Access::ReadOnly);
    ensure_kind!(
        opened(ctx, read_only).await,
        ErrorKind::Unauthenticated,
        "no key, to read"
    );
    let chosen = options().encryption(Sealing::chosen(key(2)));
    ensure_kind!(
        opened(ctx, chosen).await,
        ErrorKind::Unauthenticated,
        "another key, for chosen values"
    );
    ensure_eq!(
        text(&open_with(ctx.storage(), sealed(1)).await?, "k").await?,
        Some("x".into()),
        "the right key"
    );
    Ok(())
}

async fn a_key_on_plain_values_is_an_error(ctx: &Ctx) -> Verdict {
    let plain = open(ctx.storage()).await?;
    put(&plain, "small", "x").await?;
    put(&plain, "large", &large('x')).await?;
    let kv = open_with(ctx.storage(), sealed(1)).await?;
    for key in ["small", "large"] {
        ensure_kind!(kv.get_raw(key).await, ErrorKind::Corrupt, "a plain value");
    }
    ensure_eq!(kv.rotate().await?.sealed, 2, "what a rotation sealed");
    ensure_eq!(text(&kv, "small").await?, Some("x".into()), "a small value");
    ensure_eq!(text(&kv, "large").await?, Some(large('x')), "a large value");
    ensure_eq!(
        is_stored(ctx, &large('x').as_bytes()[..60]).await?,
        None,
        "a value in the clear"
    );
    Ok(())
}

async fn values_cannot_change_places(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), sealed(1).inline_limit(4096)).await?;
    let other = open_with(ctx.storage(), sealed(1).inline_limit(4096).namespace("other")).await?;
    put(&kv, "a", "of a").await?;
    put(&other, "a", "of another").await?;
    let documents = |name: &str| {
        ctx.storage()
            .collection::<storage_core::bson::RawDocumentBuf>(name)
    };
    let of_a = documents("kv.default")
        .get("a")
        .await?
        .ok_or("it is there")?
        .value;
    documents("kv.default").put("b", &of_a).await?;
    ensure_kind!(kv.get_raw("b").await, ErrorKind::Corrupt, "under another key");
    documents("kv.other").put("a", &of_a).await?;
    ensure!(other.get_raw("a").await.is_err(), "in another namespace");
    let json = String::from_utf8_lossy(of_a.as_bytes()).contains("bytes");
    ensure!(json, "the document says what kind its value is");
    let mut changed = storage_core::bson::Document::try_from(&of_a).map_err(|error| error.to_string())?;
    if let Ok(value) = changed.get_document_mut("value") {
        value.insert("kind", "json");
    }
    let changed =
        storage_core::bson::RawDocumentBuf::try_from(&changed).map_err(|error| error.to_string())?;
    documents("kv.default").put("a", &changed).await?;
    ensure_kind!(kv.get_raw("a").await, ErrorKind::Corrupt, "as another kind");
    Ok(())
}

async fn a_flipped_bit_is_corrupt(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), sealed(1)).await?;
    put(&kv, "k", &large('x')).await?;
    let object = kv
        .resolve("k")
        .await?
        .and_then(|place| place.object)
        .ok_or("it is in an object")?;
    let sound = ctx
        .storage()
        .objects()
        .read(&object)
        .await?
        .ok_or("it is there")?;
    for at in [0, 5, 20, 100, 500, sound.len() - 1] {
        let mut bytes = sound.to_vec();
        bytes[at] ^= 1;
        ctx.storage().objects().write(&object, bytes).await?;
        let fresh = open_with(ctx.storage(), sealed(1)).await?;
        ensure_kind!(
            fresh.get_raw("k").await,
            ErrorKind::Corrupt,
            "with byte {at} changed"
        );
    }
    ctx.storage()
        .objects()
        .write(&object, sound.slice(..sound.len() - 1))
        .await?;
    let fresh = open_with(ctx.storage(), sealed(1)).await?;
    ensure_kind!(fresh.get_raw("k").await, ErrorKind::Corrupt, "cut short");
    Ok(())
}

async fn chosen_values_are_encrypted(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), options().encryption(Sealing::chosen(key(1)))).await?;
    put(&kv, "plain", "readable").await?;
    kv.set_raw("secret", CANARY, SetOptions::new().encrypt(true))
        .await?;
    ensure_eq!(
        text(&kv, "plain").await?,
        Some("readable".into()),
        "the plain value"
    );
    ensure_eq!(text(&kv, "secret").await?, Some(CANARY.into()), "the secret one");
    ensure_eq!(
        is_stored(ctx, CANARY.as_bytes()).await?,
        None,
        "the secret value in the clear"
    );
    ensure!(
        is_stored(ctx, b"readable").await?.is_some(),
        "the plain value is readable"
    );
    ensure_eq!(kv.rotate().await?.sealed, 1, "what a rotation sealed");
    ensure_eq!(
        kv.info("plain").await?.and_then(|info| info.cipher),
        None,
        "the plain value stays so"
    );
    let all = open_with(ctx.storage(), sealed(1)).await?;
    let refused = all.set_raw("x", "y", SetOptions::new().encrypt(false)).await;
    ensure_kind!(
        refused,
        ErrorKind::InvalidArgument,
        "leaving one out where all are encrypted"
    );
    Ok(())
}

async fn a_rotation_seals_everything_anew(ctx: &Ctx) -> Verdict {
    let before = open_with(ctx.storage(), sealed(1).backups(1)).await?;
    for (key, value) in [("small", "x".to_owned()), ("large", large('x'))] {
        put(&before, key, "backup").await?;
        put(&before, key, &value).await?;
    }
    before
        .set_with("brief", &1, SetOptions::new().ttl(Duration::from_secs(3600)))
        .await?;
    let life = before.info("brief").await?.ok_or("it is there")?;
    let both = options()
        .backups(1)
        .encryption(Sealing::all(key(2)).formerly(key(1)));
    let kv = open_with(ctx.storage(), both).await?;
    let report = kv.rotate().await?;
    ensure_eq!(
        (report.sealed, report.destroyed, report.former),
        (5, 0, 1),
        "the report"
    );
    let info = kv.info("brief").await?.ok_or("it is there")?;
    ensure_eq!(
        (info.expires_at, info.written_at),
        (life.expires_at, life.written_at),
        "its life"
    );
    ensure!(
        info.key_id != life.key_id && info.key_id == report.key_id,
        "its key"
    );
    ensure_kind!(
        opened(ctx, sealed(1)).await,
        ErrorKind::Unauthenticated,
        "the old key"
    );
    let after = open_with(ctx.storage(), sealed(2).backups(1)).await?;
    ensure_eq!(text(&after, "large").await?, Some(large('x')), "a large value");
    after.restore("small").await?;
    ensure_eq!(text(&after, "small").await?, Some("backup".into()), "a backup");
    ensure_eq!(
        objects(ctx.storage()).await?,
        1 + usize::from(
            after
                .resolve("small")
                .await?
                .is_some_and(|place| place.object.is_some())
        ) + 3,
        "objects"
    );
    // A handle from before that knows the new key too goes on.
    ensure_eq!(kv.rotate().await?.sealed, 5, "a second rotation");
    ensure_eq!(
        text(&after, "large").await?,
        Some(large('x')),
        "read by a handle from before it"
    );
    put(&after, "new", "written by a handle from before it").await?;
    ensure_eq!(
        text(&kv, "new").await?,
        Some("written by a handle from before it".into()),
        "and read by the other"
    );
    Ok(())
}

async fn former_keys_are_destroyed_when_nobody_needs_them(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), sealed(1)).await?;
    put(&kv, "k", "x").await?;
    let slow = open_with(&ctx.second().await?, sealed(1)).await?;
    let first = kv.rotate().await?;
    ensure_eq!((first.destroyed, first.former), (0, 1), "the first is young");
    put(&slow, "late", "under the former key").await?;
    ctx.clock().advance_wall(Duration::from_secs(700));
    let second = kv.rotate().await?;
    ensure_eq!(
        (second.sealed, second.destroyed, second.former),
        (2, 1, 1),
        "the first is old, the second young"
    );
    ensure_eq!(
        text(&kv, "late").await?,
        Some("under the former key".into()),
        "what was written late"
    );
    ensure_eq!(
        text(&slow, "k").await?,
        Some("x".into()),
        "read by a handle from before"
    );
    put(&slow, "later", "x").await?;
    ensure_eq!(
        slow.info("later").await?.and_then(|info| info.key_id),
        second.key_id,
        "it looks for the new key after a while"
    );
    Ok(())
}

async fn a_passphrase_is_a_key(ctx: &Ctx) -> Verdict {
    let passphrase = |text: &str| options().encryption(Sealing::all(KeyProvider::passphrase(text)));
    let kv = open_with(ctx.storage(), passphrase("correct horse")).await?;
    put(&kv, "k", "x").await?;
    let again = open_with(ctx.storage(), passphrase("correct horse")).await?;
    ensure_eq!(text(&again, "k").await?, Some("x".into()), "the value");
    ensure_kind!(
        opened(ctx, passphrase("wrong horse")).await,
        ErrorKind::Unauthenticated,
        "another one"
    );
    Ok(())
}

async fn a_deleted_value_loses_its_own_key(ctx: &Ctx) -> Verdict {
    let kv = open_with(ctx.storage(), sealed(1).data_keys(true)).await?;
    let documents = ctx
        .storage()
        .collection::<storage_core::bson::RawDocumentBuf>("kv.default");
    for way in ["deleted", "replaced"] {
        put(&kv, "k", "secret").await?;
        let copy = documents.get("k").await?.ok_or("it is there")?.value;
        match way {
            "deleted" => drop(kv.delete("k").await?),
            _ => put(&kv, "k", "another").await?,
        }
        documents.put("k", &copy).await?;
        let fresh = open_with(ctx.storage(), sealed(1).data_keys(true)).await?;
        ensure!(
            fresh.get_raw("k").await.is_err(),
            "a value that was {way} can be read from a copy"
        );
        documents.delete("k").await?;
    }
    let keys = ctx
        .storage()
        .collection::<storage_core::bson::RawDocumentBuf>("kv_keys.default");
    ensure_eq!(
        keys.count(storage_core::Query::all()).await?,
        1,
        "keys: that of the value put aside"
    );
    Ok(())
}

async fn what_cannot_be_encrypted_is_refused(ctx: &Ctx) -> Verdict {
    let kv = open(ctx.storage()).await?;
    let refused = kv.set_raw("k", "x", SetOptions::new().encrypt(true)).await;
    ensure_kind!(refused, ErrorKind::Unsupported, "without a key");
    ensure!(!kv.has("k").await?, "it was stored all the same");
    ensure_kind!(kv.rotate().await, ErrorKind::Unsupported, "rotating nothing");
    ensure_kind!(
        opened(ctx, options().data_keys(true)).await,
        ErrorKind::InvalidArgument,
        "data keys without a key"
    );
    let level = options().compression(Codec::Gzip).compression_level(10);
    ensure_kind!(
        opened(ctx, level).await,
        ErrorKind::InvalidArgument,
        "a level that is none"
    );
    Ok(())
}
