//! The real servers in containers, through testcontainers.

mod image;

use std::time::Duration;

use mongodb::bson::doc;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as DockerError;
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner;
use tokio::time::{Instant, sleep, timeout};

use crate::reach::mongo;
use crate::{How, Kind, Result, Server, address, bucket, probe, state};

pub(crate) use self::image::Image;

/// A daemon that answers at all answers at once.
const DAEMON_WITHIN: Duration = Duration::from_secs(3);

/// Pulling an image included.
const STARTED_WITHIN: Duration = Duration::from_secs(600);

/// From the start of the container to the first answer.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Every container of ours has it, with the path of the state as its value: that is how `down` finds also one that was started
/// just before `up` was killed.
const LABEL: &str = "storage-test-servers";

/// Whether there is a daemon. The command being installed says nothing about that.
pub(crate) async fn daemon() -> Result<()> {
    let answer = timeout(DAEMON_WITHIN, async { Ok(client().await?.ping().await?) });
    answer
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", DAEMON_WITHIN.as_secs()).into()))
        .map(|_: String| ())
}

async fn client() -> Result<Docker> {
    Ok(docker_client_instance().await?)
}

/// Starts a container of the image and waits until it serves. It outlives this program; [`remove_all`] ends it.
pub(crate) async fn start(image: Image) -> Result<Server> {
    let starting = timeout(STARTED_WITHIN, image.request(LABEL, &label()).start());
    let container = starting
        .await
        .map_err(|_| format!("not started within {} minutes", STARTED_WITHIN.as_secs() / 60))??;
    let host = container.get_host().await?;
    let port = container.get_host_port_ipv4(image.port).await?;
    let mut server = Server {
        kind: image.kind,
        name: image.server.to_owned(),
        version: image.tag.to_owned(),
        says: String::new(),
        how: How::Docker,
        url: address::url(image.kind, &host.to_string(), port),
        credentials: address::credentials(image.kind),
        program: None,
        process: None,
        container: Some(container.id().to_owned()),
        log: None,
        data: None,
    };
    // Until here a failure removes the container as it is dropped.
    server.says = ready(&server).await?;
    // Dropping it would remove it, and the tests are yet to come.
    std::mem::forget(container);
    Ok(server)
}

async fn ready(server: &Server) -> Result<String> {
    let begin = Instant::now();
    loop {
        let prepared = async {
            let says = probe::ask(server).await?;
            if server.kind == Kind::Mongo {
                make_replica_set(&server.url).await?;
            }
            bucket::create(server).await?;
            server.check().await?;
            Ok(says)
        };
        match prepared.await {
            Err(error) if begin.elapsed() > READY_WITHIN => {
                let waited = READY_WITHIN.as_secs();
                let error: crate::Error = error;
                return Err(format!("{} cannot be used after {waited} s: {error}", server.name).into());
            }
            Err(_) => sleep(Duration::from_millis(200)).await,
            Ok(says) => return Ok(says),
        }
    }
}

/// Makes the only member the primary of a replica set, without which there are no transactions. An error means not yet.
async fn make_replica_set(url: &str) -> Result<()> {
    let admin = mongo(url).await?.database("admin");
    // The address is the one inside the container; whoever connects from outside does so directly.
    let configuration = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": "127.0.0.1:27017" }] };
    // The second time it is an error; what counts is what comes of it.
    let initiated = admin.run_command(doc! { "replSetInitiate": configuration }).await;
    let hello = admin.run_command(doc! { "hello": 1 }).await?;
    if hello.get_bool("isWritablePrimary").unwrap_or(false) {
        return Ok(());
    }
    Err(match initiated {
        Ok(_) => "the replica set has no primary yet".into(),
        Err(error) => error.into(),
    })
}

/// Removes every container that `up` has started, with its data.
pub(crate) async fn remove_all() -> Result<()> {
    let docker = client().await?;
    let label = [("label".to_owned(), vec![format!("{LABEL}={}", label())])];
    let ours = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&label.into());
    for container in docker.list_containers(Some(ours.build())).await? {
        if let Some(id) = container.id {
            remove(&id).await?;
        }
    }
    Ok(())
}

/// Removes the container with its data; one that is gone is fine.
pub(crate) async fn remove(id: &str) -> Result<()> {
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true);
    match client().await?.remove_container(id, Some(force.build())).await {
        Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        removed => Ok(removed?),
    }
}

fn label() -> String {
    state::path().display().to_string()
}
