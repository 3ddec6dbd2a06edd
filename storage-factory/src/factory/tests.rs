use storage_core::{ErrorKind, Memory};

use super::*;
use crate::scheme::Place;
use crate::{UrlOption, UrlOptionKind};

#[tokio::test]
async fn memory_is_fresh_with_every_opening() {
    let factory = Factory::default();
    let storage = factory.open("memory:").await.unwrap();
    storage.objects().write("a", "x").await.unwrap();
    let other = factory.open("MEMORY:").await.unwrap();
    assert!(!other.objects().exists("a").await.unwrap());
}

#[tokio::test]
async fn a_pair_takes_objects_from_the_first_and_documents_from_the_second() {
    let (objects, documents) = (Memory::new(), Memory::new());
    let (first, second) = (objects.clone(), documents.clone());
    let factory = Factory::empty()
        .register("one", move |_| std::future::ready(Ok(first.clone())))
        .register("two", move |_| std::future::ready(Ok(second.clone())));
    let storage = factory.open_pair("one:", "two:").await.unwrap();
    storage.objects().write("a", "x").await.unwrap();
    storage.log("l").append("x").await.unwrap();
    assert!(Storage::new(objects).objects().exists("a").await.unwrap());
    assert_eq!(Storage::new(documents).log("l").len().await.unwrap(), 1);
    assert_eq!(storage.declaration().backend, "memory+memory");
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_there_is() {
    let factory = Factory::empty().register("one", |_| async { Ok(Memory::new()) });
    for (url, kind, hint) in [
        ("two:", ErrorKind::InvalidArgument, "one:"),
        ("./data", ErrorKind::InvalidArgument, "fs:./data"),
        ("", ErrorKind::InvalidArgument, "empty"),
        ("fs:./data", ErrorKind::Unsupported, "feature `fs`"),
        ("file:./data", ErrorKind::Unsupported, "feature `fs`"),
        ("sqlite:./app.db", ErrorKind::Unsupported, "feature `sqlite`"),
        (
            "mongodb://localhost/app",
            ErrorKind::Unsupported,
            "feature `mongo`",
        ),
        ("mongodb+srv://x/app", ErrorKind::Unsupported, "feature `mongo`"),
        ("s3://bucket", ErrorKind::Unsupported, "feature `s3`"),
        ("gs://bucket", ErrorKind::Unsupported, "feature `gcs`"),
        ("az://container", ErrorKind::Unsupported, "feature `azure`"),
        ("one:?x=1", ErrorKind::InvalidArgument, "takes none"),
    ] {
        let error = factory.open(url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{url}: {error}");
        assert!(error.to_string().contains(hint), "{url}: {error}");
        assert!(error.to_string().starts_with("open storage"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_scheme_gets_its_options_from_the_url_and_from_code() {
    const SIZE: UrlOption = UrlOption::new("size", UrlOptionKind::Bytes, "1", "how large");
    let scheme = Scheme::new("one", |address| async move {
        if address.number("size") == Some(7) {
            Ok(Memory::new())
        } else {
            Err(address.refuse("not seven"))
        }
    });
    let factory = Factory::empty().with_scheme(scheme.options([SIZE]));
    factory.open("one:?size=7").await.unwrap();
    factory.open_with("one:", [("size", "7")]).await.unwrap();
    assert!(
        factory
            .open("one:?size=8")
            .await
            .unwrap_err()
            .to_string()
            .contains("not seven")
    );
    let twice = factory
        .open_with("one:?size=7", [("size", "7")])
        .await
        .unwrap_err();
    assert!(twice.to_string().contains("in code"), "{twice}");
    let unknown = factory.open_with("one:", [("colour", "7")]).await.unwrap_err();
    assert!(unknown.to_string().contains("takes size"), "{unknown}");
}

#[tokio::test]
async fn a_scheme_says_what_its_urls_must_name() {
    let scheme = |name: &str, place| Scheme::new(name, |_| async { Ok(Memory::new()) }).place(place);
    let factory = Factory::empty()
        .with_scheme(scheme("dir", Place::Directory))
        .with_scheme(scheme("file", Place::File))
        .with_scheme(scheme("none", Place::Nothing));
    for url in ["dir:.", "dir:///srv/", "file:a.db", "file::memory:", "none:"] {
        factory.open(url).await.unwrap();
    }
    for (url, hint) in [
        ("dir:", "names no directory"),
        ("dir://host/path", "dir:///absolute"),
        ("dir://./data", "dir:relative"),
        ("file:", "names no file"),
        ("file:./a/", "where a file is needed"),
        ("none:x", "nothing comes after"),
        ("none://x", "nothing comes after"),
    ] {
        let error = factory.open(url).await.unwrap_err();
        assert!(error.to_string().contains(hint), "{url}: {error}");
    }
}

#[test]
fn a_scheme_registered_later_takes_the_place_of_its_name() {
    let factory = Factory::default().register("Memory", |_| async { Ok(Memory::new()) });
    let named = factory.schemes().filter(|scheme| scheme.name() == "memory");
    assert_eq!(named.map(Scheme::place_kind).collect::<Vec<_>>(), [Place::Any]);
}

#[tokio::test]
async fn the_secrets_of_a_url_are_in_no_error() {
    let factory = Factory::empty().register("one", |address: Address| async move {
        Err::<Memory, _>(address.refuse("the server is gone"))
    });
    for url in [
        "one://ada:hunter2@host/db",
        "two://ada:hunter2@host",
        "mongodb://ada:hunter2@host",
        "one://ada:hunter2@h#",
    ] {
        let error = factory.open(url).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
