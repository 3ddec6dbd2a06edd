use futures::TryStreamExt;
use storage_core::*;
use storage_layers::{Namespace, Quota, QuotaLimits, QuotaOptions};

use crate::{NOW, id, key, name, put};

/// Names that would lead out of a boundary that is only a convention.
const HOSTILE: &[&str] = &[
    "..",
    "../a",
    "../../@b/a",
    "/a",
    "//a",
    "@b/a",
    "@b.a",
    "a/../../@b/a",
    "a\\..\\..\\b",
    "\u{202e}a",
    "%2e%2e/a",
    ".",
    "./a",
    "@a/a",
    "~/a",
    "C:\\a",
    "con",
    "a ",
    "a.",
];

fn inside(memory: &Memory, name: &str) -> Storage {
    Storage::new(Namespace::new(memory.clone(), name).unwrap())
}

#[tokio::test]
async fn no_name_leads_out() {
    let memory = Memory::new();
    // Names of which one begins with another, on either side of the separators.
    let tenants = ["a", "b", "a-1", "ab", "a_"];
    for tenant in tenants {
        let storage = inside(&memory, tenant);
        for hostile in HOSTILE {
            storage.objects().write(*hostile, tenant).await.unwrap();
            let written = storage
                .collection(hostile)
                .put(*hostile, &bson::doc! { "of": tenant })
                .await;
            written.unwrap();
            storage.log(hostile).append(tenant).await.unwrap();
        }
    }
    let mut names: Vec<&str> = HOSTILE.to_vec();
    names.sort_unstable();
    for tenant in tenants {
        let storage = inside(&memory, tenant);
        let listed: Vec<ListEntry> = storage.objects().list("").try_collect().await.unwrap();
        let listed: Vec<&str> = listed.iter().map(ListEntry::name).collect();
        assert_eq!(listed, names, "{tenant}");
        let texts = |found: Vec<Name>| {
            found
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(storage.collections().await.unwrap()), names, "{tenant}");
        assert_eq!(texts(storage.logs().await.unwrap()), names, "{tenant}");
        for hostile in HOSTILE {
            let bytes = storage.objects().read(*hostile).await.unwrap().unwrap();
            assert_eq!(bytes, tenant.as_bytes(), "{hostile} of {tenant}");
            let document = storage
                .collection::<bson::Document>(hostile)
                .get(*hostile)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(document.value.get_str("of").unwrap(), tenant, "{hostile}");
            assert_eq!(storage.log(hostile).len().await.unwrap(), 1, "{hostile}");
        }
    }
    // What one deletes is gone for nobody else.
    let first = inside(&memory, "a");
    for hostile in HOSTILE {
        first.objects().delete(*hostile).await.unwrap();
        first.log(hostile).delete().await.unwrap();
    }
    for hostile in HOSTILE {
        assert!(inside(&memory, "b").objects().exists(*hostile).await.unwrap());
        assert_eq!(inside(&memory, "a-1").log(hostile).len().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_namespace_within_one_is_inside_it_and_leads_out_of_neither() {
    let memory = Memory::new();
    let outer = Namespace::new(memory.clone(), "a").unwrap();
    let nested = Storage::new(Namespace::new(outer, "b").unwrap());
    nested.objects().write("x", "1").await.unwrap();
    assert!(inside(&memory, "a").objects().exists("@b/x").await.unwrap());
    assert!(!inside(&memory, "b").objects().exists("x").await.unwrap());
    assert!(Storage::new(memory).objects().exists("@a/@b/x").await.unwrap());
}

#[tokio::test]
async fn who_watches_inside_is_told_of_nothing_outside() {
    let memory = Memory::new();
    let (a, b) = (inside(&memory, "a"), inside(&memory, "b"));
    let documents = |storage: &Storage, name: &str| storage.collection::<bson::Document>(name);
    let mut changes = documents(&a, "c").watch().await.unwrap();
    documents(&b, "c").put("of b", &bson::doc! {}).await.unwrap();
    documents(&Storage::new(memory), "c")
        .put("outside", &bson::doc! {})
        .await
        .unwrap();
    documents(&a, "c").put("of a", &bson::doc! {}).await.unwrap();
    let change = changes.try_next().await.unwrap().unwrap();
    assert_eq!(change.id.as_str(), "of a");
    let elsewhere = documents(&b, "c").watch_after(&change.position).await;
    assert_eq!(elsewhere.map(drop).unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn leases_of_two_namespaces_are_two() {
    let memory = Memory::new();
    let (a, b) = (inside(&memory, "a"), inside(&memory, "b"));
    let ttl = std::time::Duration::from_secs(60);
    let _held = a
        .lease("work", ttl)
        .try_acquire()
        .await
        .unwrap()
        .expect("nobody has it");
    assert!(b.lease("work", ttl).try_acquire().await.unwrap().is_some());
    assert!(a.lease("work", ttl).try_acquire().await.unwrap().is_none());
}

#[tokio::test]
async fn a_guard_looks_inside() {
    let memory = Memory::new();
    let (a, b) = (
        Namespace::new(memory.clone(), "a").unwrap(),
        Namespace::new(memory, "b").unwrap(),
    );
    let version = a.put(&name("c"), put("guard", 1)).await.unwrap();
    let mut guarded = put("x", 1);
    guarded.guard = Some(DocumentGuard {
        collection: name("c"),
        id: id("guard"),
        version: version.clone(),
    });
    a.put(&name("c"), guarded.clone()).await.unwrap();
    assert!(b.put(&name("c"), guarded).await.unwrap_err().is_guard_failed());
    let object = a
        .write(Area::Objects, &key("guard"), "1".into(), WriteRequest::default())
        .await
        .unwrap();
    let mut request = WriteRequest::default();
    request.guard = Some(ObjectGuard {
        key: key("guard"),
        version: object,
    });
    a.write(Area::Objects, &key("x"), "1".into(), request.clone())
        .await
        .unwrap();
    assert!(
        b.write(Area::Objects, &key("x"), "1".into(), request)
            .await
            .unwrap_err()
            .is_guard_failed()
    );
}

#[test]
fn a_name_that_could_be_mistaken_is_none() {
    let long = "x".repeat(33);
    for bad in ["", "A", "a/b", "a.b", "@a", "..", "ä", "a b", "a\0", &long] {
        let refused = Namespace::new(Memory::new(), bad).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidName, "{bad:?}");
    }
}

#[tokio::test]
async fn a_namespace_carries_its_own_quota() {
    let memory = Memory::new();
    let limits = || QuotaOptions::new(QuotaLimits::of_bytes(10));
    let a = Quota::open(Namespace::new(memory.clone(), "a").unwrap(), limits())
        .await
        .unwrap();
    let b = Quota::open(Namespace::new(memory, "b").unwrap(), limits())
        .await
        .unwrap();
    let ten = || bytes::Bytes::from_static(b"0123456789");
    a.write(Area::Objects, &key("x"), ten(), WriteRequest::default())
        .await
        .unwrap();
    let full = a
        .write(Area::Objects, &key("y"), "1".into(), WriteRequest::default())
        .await;
    assert_eq!(full.unwrap_err().kind(), ErrorKind::NoSpace);
    b.write(Area::Objects, &key("x"), ten(), WriteRequest::default())
        .await
        .unwrap();
    assert_eq!(
        b.find(&name("c"), FindRequest::new(Filter::All, vec![], NOW))
            .await
            .unwrap()
            .documents
            .len(),
        0
    );
}
