//! The way through Docker, with a daemon that only plays one: it has no containers, but answers as if. What it is asked is recorded.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod machine;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use test_servers::emulator::{self, S3Mode};
use tokio::net::TcpListener;

use self::machine::{Machine, NO_DOCKER};

/// What answers as a Docker daemon does.
struct Daemon {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// A daemon that cannot pull images, but has those named, each "running" at a port of this machine.
    async fn start(images: &[(&str, u16)]) -> Self {
        let images: BTreeMap<String, u16> = images
            .iter()
            .map(|&(name, port)| (name.to_owned(), port))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (record, images) = (Arc::clone(&record), images.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(request, &images, &record));
                    // An error is a client that went away.
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { url, asked }
    }

    fn was_asked(&self, words: &str) -> bool {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .any(|request| request.contains(words))
    }
}

async fn answer(
    request: Request<Incoming>,
    images: &BTreeMap<String, u16>,
    asked: &Mutex<Vec<String>>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    // `/v1.50/_ping` and `/_ping` are the same.
    let path = match path.strip_prefix("/v1.") {
        Some(rest) => rest.split_once('/').unwrap().1.to_owned(),
        None => path[1..].to_owned(),
    };
    let method = request.method().to_string();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let image = body["Image"].as_str().unwrap_or_default();
    asked
        .lock()
        .unwrap()
        .push(format!("{method} {path}?{query} {image}").trim_end().to_owned());

    let parts: Vec<&str> = path.split('/').collect();
    let (status, answer) = match (method.as_str(), parts.as_slice()) {
        ("GET", ["_ping"]) => return Ok(Response::new(Full::from("OK"))),
        ("POST", ["images", "create"]) => (500, json!({ "message": "the registry is not to be reached" })),
        // A container's id is what its image is called.
        ("POST", ["containers", "create"]) => match images.keys().find(|name| image.contains(*name)) {
            Some(name) => (201, json!({ "Id": name, "Warnings": [] })),
            None => (404, json!({ "message": format!("No such image: {image}") })),
        },
        ("POST", ["containers", _, "start"]) => (204, Value::Null),
        ("GET", ["containers", "json"]) => (200, images.keys().map(|name| json!({ "Id": name })).collect()),
        ("GET", ["containers", id, "json"]) => {
            let binding = json!([{ "HostIp": "0.0.0.0", "HostPort": images[*id].to_string() }]);
            let ports = json!({ "9000/tcp": binding });
            (
                200,
                json!({ "Id": id, "State": { "Running": true }, "NetworkSettings": { "Ports": ports } }),
            )
        }
        ("DELETE", ["containers", _]) => (204, Value::Null),
        _ => (404, json!({ "message": "page not found" })),
    };
    let body = if answer.is_null() {
        String::new()
    } else {
        answer.to_string()
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    Ok(response)
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_cannot_be_pulled_give_way_to_native_servers() {
    let daemon = Daemon::start(&[]).await;
    let machine = Machine::new(&daemon.url);

    let (up, table, errors) = machine.words("up", &[]).await;
    assert!(up, "{errors}");
    assert!(daemon.was_asked("GET _ping"));
    for image in ["mongo", "minio", "azurite"] {
        let asked = daemon.asked.lock().unwrap();
        let mut pulls = asked
            .iter()
            .filter(|request| request.starts_with("POST images/create"));
        assert!(pulls.any(|request| request.contains(image)), "{image}: {asked:?}");
    }
    assert!(
        errors.contains("mongo:8.0 is not available from Docker"),
        "{errors}"
    );
    assert!(errors.contains("the registry is not to be reached"), "{errors}");
    // The native ones were tried, and said what they need.
    for line in [
        "SecantusDB",
        "NOT AVAILABLE: needs python3",
        "NOT AVAILABLE: needs go",
        "NOT AVAILABLE: needs node",
    ] {
        assert!(table.contains(line), "{line}\n{table}");
    }

    let (up, _, errors) = machine.words("up", &[("STORAGE_REQUIRE", "mongo,gcs")]).await;
    assert!(!up);
    assert!(
        errors.contains("STORAGE_REQUIRE asks for mongo, which"),
        "{errors}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_used_kept_and_removed() {
    let store = emulator::s3(S3Mode::Honest).unwrap();
    let port = store.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let daemon = Daemon::start(&[("minio", port)]).await;
    let machine = Machine::new(&daemon.url);

    let (up, table, errors) = machine.words("up", &[]).await;
    assert!(up, "{errors}");
    let line = table.lines().find(|line| line.contains("MinIO")).unwrap();
    assert!(line.contains("docker"), "{line}");
    assert!(!table.contains("versitygw"), "{table}");
    assert!(daemon.was_asked("POST containers/minio/start"));
    assert!(
        !daemon.was_asked("DELETE containers"),
        "it ended with the program that started it"
    );

    let (again, _, errors) = machine.words("up", &[]).await;
    assert!(again, "{errors}");
    let created =
        |request: &&String| request.starts_with("POST containers/create") && request.contains("minio");
    assert_eq!(daemon.asked.lock().unwrap().iter().filter(created).count(), 1);

    let (down, _, errors) = machine.words("down", &[]).await;
    assert!(down, "{errors}");
    assert!(daemon.was_asked("DELETE containers/minio?v=true&force=true"));
    assert!(!machine.state().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_daemon_is_said() {
    let machine = Machine::new(NO_DOCKER);
    let (up, table, errors) = machine.words("up", &[]).await;
    assert!(up, "{errors}");
    assert!(errors.contains("no Docker daemon answers"), "{errors}");
    assert!(table.contains("in-repo GCS emulation"), "{table}");
}
