//! Our backends under the tests that `object_store` has for its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use object_store::integration::{
    copy_if_not_exists, copy_rename_nonexistent_object, get_nonexistent_object, get_opts,
    list_uses_directories_correctly, list_with_delimiter, list_with_offset_exclusivity,
    multipart_out_of_order, multipart_race_condition, put_get_attributes, put_get_delete_list, put_opts,
    rename_and_copy, stream_get,
};
use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, ObjectStore, ObjectStoreExt, PutOptions};
use storage_core::{Memory, MemoryBackend, Overlay, Storage};
use storage_fs::{Fs, FsConfig};
use storage_object_store::AsObjectStore;
use storage_sqlite::{Sqlite, SqliteConfig};

/// One test for each function and backend; a backend of its own for each, as the functions want it empty.
macro_rules! functions {
    ($backend:ident: $open:expr) => {
        mod $backend {
            use super::*;

            async fn store() -> (AsObjectStore, tempfile::TempDir) {
                let directory = tempfile::tempdir().unwrap();
                let open: fn(std::path::PathBuf) -> futures::future::BoxFuture<'static, Storage> = $open;
                let storage = open(directory.path().to_owned()).await;
                (AsObjectStore::new(storage), directory)
            }

            functions! { @each
                put_get_delete_list(&store);
                put_get_attributes(&store);
                get_opts(&store);
                put_opts(&store, true);
                stream_get(&store);
                list_uses_directories_correctly(&store);
                list_with_delimiter(&store);
                list_with_offset_exclusivity(&store);
                rename_and_copy(&store);
                copy_if_not_exists(&store);
                copy_rename_nonexistent_object(&store);
                multipart_race_condition(&store, true);
                multipart_out_of_order(&store);
            }

            #[tokio::test]
            async fn get_of_what_is_not_there() {
                let (store, _directory) = store().await;
                let error = get_nonexistent_object(&store, None).await.unwrap_err();
                assert!(matches!(error, Error::NotFound { .. }), "{error}");
            }
        }
    };
    (@each $($function:ident(&store $(, $argument:expr)?);)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $function() {
            let (store, _directory) = store().await;
            super::$function(&store $(, $argument)?).await;
            store.storage().close().await.unwrap();
        }
    )+};
}

functions! { memory: |_| Box::pin(async { Storage::new(Memory::new()) }) }
functions! { overlay: |_| Box::pin(async { Storage::new(Overlay::new(MemoryBackend::new())) }) }
functions! { fs: |directory| Box::pin(async { Storage::new(Fs::open(FsConfig::new(directory)).await.unwrap()) }) }
functions! { sqlite: |directory| Box::pin(async move {
    Storage::new(Sqlite::open(SqliteConfig::new(directory.join("app.db"))).await.unwrap())
}) }

#[tokio::test]
async fn what_cannot_be_kept_is_refused_before_any_effect() {
    let store = AsObjectStore::new(Storage::new(Memory::new()));
    let path = Path::from("a");
    let attributes = Attributes::from_iter([(Attribute::ContentType, "text/plain")]);
    let options = PutOptions {
        attributes,
        ..PutOptions::default()
    };
    let error = store.put_opts(&path, "x".into(), options).await.unwrap_err();
    assert!(matches!(error, Error::NotImplemented { .. }), "{error}");
    assert!(matches!(
        store.head(&path).await.unwrap_err(),
        Error::NotFound { .. }
    ));
}

#[tokio::test]
async fn a_key_that_is_no_path_is_not_listed_and_hides_nothing() {
    use futures::TryStreamExt;
    let storage = Storage::new(Memory::new());
    for key in ["a//b", "a/./b", "a/b"] {
        storage.objects().write(key, "x").await.unwrap();
    }
    let store = AsObjectStore::new(storage);
    let listed: Vec<_> = store
        .list(None)
        .map_ok(|meta| meta.location)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed, [Path::from("a/b")]);
}

#[tokio::test]
async fn a_multipart_upload_that_is_given_up_leaves_no_trace() {
    let store = AsObjectStore::new(Storage::new(Memory::new()));
    let path = Path::from("a");
    store.put(&path, "before".into()).await.unwrap();
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("half".into()).await.unwrap();
    upload.abort().await.unwrap();
    assert!(upload.complete().await.is_err());
    assert!(upload.put_part("more".into()).await.is_err());
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "before");
}
