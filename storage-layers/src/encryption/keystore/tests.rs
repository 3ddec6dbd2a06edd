use storage_core::MemoryBackend;

use super::*;
use crate::encryption::{Context, Kind};

fn provider(byte: u8) -> KeyProvider {
    KeyProvider::key(Key::from_bytes(&mut [byte; 32]))
}

async fn created(medium: &MemoryBackend) -> Keystore {
    Keystore::open_or_create(medium, &provider(1), Suite::Aes256Gcm, 0)
        .await
        .unwrap()
}

async fn stored(medium: &MemoryBackend) -> Bytes {
    let object = medium
        .read(Area::Overlay, &object().unwrap(), ReadRequest::default())
        .await;
    object.unwrap().unwrap().bytes
}

async fn put_back(medium: &MemoryBackend, bytes: impl Into<Bytes>) {
    medium
        .write(
            Area::Overlay,
            &object().unwrap(),
            bytes.into(),
            WriteRequest::default(),
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_sealed_opens_after_a_rotation_and_a_change_of_the_root_key() {
    let medium = MemoryBackend::new();
    let mut keystore = created(&medium).await;
    let place = Context::new(Kind::Object, "a").store(b"x");
    let sealed = keystore.ring().unwrap().seal(&place, b"secret").unwrap();
    let first = keystore.ring().unwrap().active().id();
    let second = keystore.rotate(&medium, 1).await.unwrap();
    assert_ne!(first, second);
    keystore.change_root(&medium, &provider(2)).await.unwrap();
    let reopened = Keystore::open(&medium, &provider(2)).await.unwrap().unwrap();
    let ring = reopened.ring().unwrap();
    assert_eq!(ring.open(&place, &sealed).unwrap(), "secret");
    assert_eq!(ring.active().id(), second);
    assert_eq!(
        reopened.index_key().unwrap().id(),
        keystore.index_key().unwrap().id()
    );
    let refused = Keystore::open(&medium, &provider(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_destroyed_key_is_gone_from_the_medium() {
    let medium = MemoryBackend::new();
    let mut keystore = created(&medium).await;
    let place = Context::new(Kind::Object, "a");
    let sealed = keystore.ring().unwrap().seal(&place, b"secret").unwrap();
    let first = keystore.ring().unwrap().active().id();
    let active = keystore.destroy(&medium, first).await.unwrap_err();
    assert_eq!(active.kind(), ErrorKind::InvalidArgument, "the active key");
    keystore.rotate(&medium, 1).await.unwrap();
    keystore
        .set_state(&medium, first, KeyState::Disabled)
        .await
        .unwrap();
    let kind = |keystore: &Keystore| keystore.ring().unwrap().open(&place, &sealed).unwrap_err().kind();
    assert_eq!(kind(&keystore), ErrorKind::PermissionDenied);
    keystore
        .set_state(&medium, first, KeyState::DecryptOnly)
        .await
        .unwrap();
    assert_eq!(keystore.ring().unwrap().open(&place, &sealed).unwrap(), "secret");
    keystore.destroy(&medium, first).await.unwrap();
    assert_eq!(kind(&keystore), ErrorKind::NotFound);
    let text = String::from_utf8(stored(&medium).await.to_vec()).unwrap();
    assert!(
        text.contains("destroyed") && text.contains("\"wrapped\": null"),
        "{text}"
    );
    let back = keystore
        .set_state(&medium, first, KeyState::DecryptOnly)
        .await
        .unwrap_err();
    assert_eq!(back.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn changes_without_the_root_key_are_detected() {
    let medium = MemoryBackend::new();
    let mut keystore = created(&medium).await;
    keystore.rotate(&medium, 1).await.unwrap();
    let text = String::from_utf8(stored(&medium).await.to_vec()).unwrap();
    for (from, to) in [
        ("\"decrypt-only\"", "\"disabled\""),
        ("aes-256-gcm", "chacha20-poly1305"),
        ("\"created-ms\": 1", "\"created-ms\": 2"),
    ] {
        assert!(text.contains(from), "{text}");
        put_back(&medium, text.replace(from, to)).await;
        let error = Keystore::open(&medium, &provider(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{from}");
    }
    put_back(&medium, text.replace("\"format\": 1", "\"format\": 2")).await;
    let newer = Keystore::open(&medium, &provider(1)).await.unwrap_err();
    assert_eq!(newer.kind(), ErrorKind::FormatTooNew);
    for length in (0..text.len()).step_by(17) {
        put_back(&medium, text[..length].to_owned()).await;
        assert!(Keystore::open(&medium, &provider(1)).await.is_err());
    }
}

#[tokio::test]
async fn a_passphrase_opens_it_again_and_another_does_not() {
    let medium = MemoryBackend::new();
    let passphrase = |text: &str| KeyProvider::passphrase(text);
    let made = Keystore::open_or_create(&medium, &passphrase("correct horse"), Suite::Aes256Gcm, 0)
        .await
        .unwrap();
    let again = Keystore::open(&medium, &passphrase("correct horse"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.keys(), made.keys());
    let wrong = Keystore::open(&medium, &passphrase("battery staple"))
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Unauthenticated);
    assert!(!String::from_utf8_lossy(&stored(&medium).await).contains("horse"));
}

#[tokio::test]
async fn plain_data_is_not_taken_for_an_empty_store() {
    let medium = MemoryBackend::new();
    let key = ObjectKey::new("a").unwrap();
    medium
        .write(Area::Objects, &key, "plain".into(), WriteRequest::default())
        .await
        .unwrap();
    let error = Keystore::open_or_create(&medium, &provider(1), Suite::Aes256Gcm, 0)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!Keystore::is_present(&medium).await.unwrap());
}

#[tokio::test]
async fn two_that_change_at_once_both_succeed() {
    let medium = MemoryBackend::new();
    let mut one = created(&medium).await;
    let mut two = Keystore::open(&medium, &provider(1)).await.unwrap().unwrap();
    let first = one.ring().unwrap().active().id();
    one.rotate(&medium, 1).await.unwrap();
    two.rotate(&medium, 2).await.unwrap();
    assert_eq!(two.keys().len(), 3);
    assert_eq!(two.keys()[0].id, first);
    let states: Vec<_> = two.keys().iter().map(|key| key.state).collect();
    assert_eq!(
        states,
        [KeyState::DecryptOnly, KeyState::DecryptOnly, KeyState::Active]
    );
}
