#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use conformance_tests::Plan;
use storage_core::{Area, Bytes, Key, ListRequest, Memory, Overlay, StorageBackend, WriteRequest};
use storage_factory::{Scheme, UrlOption, UrlOptionKind};

use super::*;

/// A path, and what the URL said of conditions.
type Opening = (String, Option<&'static str>);

/// A server of buckets with one medium for each path. While it is broken, nothing is removed: of the openings that do without
/// conditions it allows the first at each path, which looks whether something is there.
#[derive(Clone, Default)]
struct Server {
    media: Arc<Mutex<HashMap<String, Memory>>>,
    openings: Arc<Mutex<Vec<Opening>>>,
    broken: Arc<AtomicBool>,
}

impl Server {
    fn harness(&self, url: &str) -> Arc<UrlHarness> {
        let server = self.clone();
        let conditions = UrlOption::new(
            CONDITIONS,
            UrlOptionKind::Choice(&["probe", "trust", "never"]),
            "probe",
            "as buckets have it",
        );
        let scheme = Scheme::new("test", move |address| {
            let opened = server.open(address.path(), address.choice(CONDITIONS));
            async move { opened }
        });
        let scheme = scheme.place(Names::Bucket).options([conditions]);
        Arc::new(UrlHarness::new(Factory::empty().with_scheme(scheme), url).unwrap())
    }

    fn open(&self, path: &str, conditions: Option<&'static str>) -> Result<Overlay<Memory>> {
        let mut openings = self.openings.lock().unwrap();
        let opening = (path.to_owned(), conditions);
        if self.broken.load(Ordering::SeqCst) && conditions == Some("never") && openings.contains(&opening) {
            return Err(Error::new(ErrorKind::Unavailable, "it is broken"));
        }
        openings.push(opening);
        let mut media = self.media.lock().unwrap();
        Ok(Overlay::new(media.entry(path.to_owned()).or_default().clone()))
    }

    fn break_down(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// The paths at which something is.
    async fn full(&self) -> Vec<String> {
        let media = self.media.lock().unwrap().clone();
        let mut full = Vec::new();
        for (path, medium) in media {
            for area in [Area::Objects, Area::Overlay] {
                let page = medium.list(area, ListRequest::new("")).await.unwrap();
                if !page.entries.is_empty() {
                    full.push(path.clone());
                }
            }
        }
        full
    }
}

async fn run(harness: &Arc<UrlHarness>) -> conformance_tests::Report {
    let plan = Plan::new().only("documents.put-*");
    conformance_tests::run(harness.clone(), plan, |_| ()).await
}

#[tokio::test]
async fn a_run_leaves_nothing_and_asks_once_what_the_server_does() {
    let server = Server::default();
    let harness = server.harness("test://bucket/app?conditional_writes=probe");
    assert!(run(&harness).await.is_success());
    assert_eq!(server.full().await, [""; 0]);

    let server = Server::default();
    assert!(run(&server.harness("test://bucket/app")).await.is_success());
    assert_eq!(
        server.full().await,
        [""; 0],
        "marks of deleted documents are gone, too"
    );
    let openings = server.openings.lock().unwrap();
    let probed = openings.iter().filter(|(_, conditions)| conditions.is_none());
    assert_eq!(probed.count(), 1, "{openings:?}");
    let ours = |path: &str| path.starts_with("/app-conformance-c");
    assert!(openings.iter().all(|(path, _)| ours(path)), "{openings:?}");
}

#[tokio::test]
async fn what_could_not_be_wiped_is_named_and_removed_later() {
    let server = Server::default();
    let harness = server.harness("test://bucket");
    server.break_down(true);
    let report = run(&harness).await;
    assert!(!report.is_success(), "{report}");
    let error = harness.clean_up(false).await.unwrap_err();
    let left = error.context_value("left behind").unwrap();
    assert!(left.contains("test://bucket/conformance-c"), "{left}");

    server.break_down(false);
    harness.clean_up(false).await.unwrap();
    assert_eq!(server.full().await, [""; 0]);
}

#[tokio::test]
async fn what_arrives_after_its_place_was_wiped_is_removed_where_cases_failed() {
    let server = Server::default();
    let harness = server.harness("test://bucket/app");
    assert!(run(&harness).await.is_success());
    let (path, _) = server.openings.lock().unwrap()[0].clone();
    let medium = server.media.lock().unwrap()[&path].clone();
    let key = Key::new("late").unwrap();
    let written = medium.write(Area::Objects, &key, Bytes::from("late"), WriteRequest::default());
    written.await.unwrap();
    harness.clean_up(true).await.unwrap();
    assert_eq!(server.full().await, [""; 0]);
}
