//! Finding or starting a server for each kind.

use futures::future::{join, join_all};

use super::book::Book;
use super::{down, lacking};
use crate::docker::{self, Image};
use crate::process::Process;
use crate::servers::{Missing, required};
use crate::state::{self, State};
use crate::table::table;
use crate::{How, Kind, Native, Result, Server, explicit, install};

/// Sees to a server of every kind, and to those of [`Native::CARELESS`] if asked to, and prints the table. What runs already is
/// kept, what has died is started again.
///
/// # Errors
/// An URL in the environment leads nowhere, a kind that `STORAGE_REQUIRE` names has no server, or a careless one that was asked for
/// is not available.
pub async fn up(careless: bool) -> Result<()> {
    required(std::env::var("STORAGE_REQUIRE").ok().as_deref())?;
    let lock = tokio::task::spawn_blocking(state::lock).await??;
    let mut state = State::read()?;
    state.servers = keep(std::mem::take(&mut state.servers)).await?;
    let book = Book::open(state)?;

    let daemon = docker::daemon().await;
    if let Err(reason) = &daemon {
        eprintln!("no Docker daemon answers, native servers take its place: {reason}");
    }
    let asked: &[Native] = if careless { &Native::CARELESS } else { &[] };
    let serving = join_all(Kind::ALL.map(|kind| serve(kind, daemon.is_ok(), &book)));
    let (served, started) = join(serving, start_all(asked.iter().copied(), &book)).await;
    let failed: Vec<String> = served
        .into_iter()
        .chain([started])
        .filter_map(|outcome| outcome.err().map(|error| error.to_string()))
        .collect();
    let absent: Vec<&str> = asked
        .iter()
        .filter(|native| !book.has(**native))
        .map(|native| native.name())
        .collect();

    let state = book.close()?;
    drop(lock);
    print!("{}", table(&state.servers, &state.missing));
    if !failed.is_empty() {
        return Err(failed.join("\n").into());
    }
    let lacking: Vec<&str> = lacking(&state.servers)?.into_iter().map(Kind::name).collect();
    if !lacking.is_empty() {
        return Err(format!(
            "STORAGE_REQUIRE asks for {}, which is not available",
            lacking.join(", ")
        )
        .into());
    }
    if !absent.is_empty() {
        return Err(format!("--deep asks for {}, which is not available", absent.join(", ")).into());
    }
    Ok(())
}

/// Those that can be used as they are. Of the others nothing is left.
async fn keep(servers: Vec<Server>) -> Result<Vec<Server>> {
    let checks = servers.into_iter().map(|server| async move {
        // Those of the environment are looked up again.
        let good = server.how != How::Explicit && down::is_running(&server) && server.check().await.is_ok();
        (server, good)
    });
    let mut kept = Vec::new();
    for (server, good) in join_all(checks).await {
        if good {
            kept.push(server);
        } else {
            down::end(server).await?;
        }
    }
    Ok(kept)
}

async fn serve(kind: Kind, daemon: bool, book: &Book) -> Result<()> {
    match explicit::named(kind) {
        Ok(None) => {}
        Ok(Some(server)) => match explicit::checked(server).await {
            Ok(server) => {
                book.add(server)?;
                install_for_tests(kind).await;
                return Ok(());
            }
            Err(error) => return unusable(kind, &error.to_string(), book),
        },
        Err(error) => return unusable(kind, &error.to_string(), book),
    }
    if let Some(image) = Image::of(kind).filter(|_| daemon && !book.serves(kind)) {
        match contain(image, book).await {
            Ok(()) => {
                install_for_tests(kind).await;
                return Ok(());
            }
            Err(error) => {
                eprintln!("{image} is not available from Docker, the native server takes its place: {error}");
            }
        }
    }
    if book.has_container(kind) {
        install_for_tests(kind).await;
        return Ok(());
    }
    start_all(natives(kind), book).await
}

fn natives(kind: Kind) -> impl Iterator<Item = Native> {
    Native::ALL
        .into_iter()
        .filter(move |native| native.kind() == kind)
}

/// Installs what tests start themselves, where another server stands for the kind.
async fn install_for_tests(kind: Kind) {
    let installing = natives(kind).map(|native| async move { (native, install::install(native).await) });
    for (native, installed) in join_all(installing).await {
        if let Err(error) = installed {
            let name = native.name();
            eprintln!("NOT AVAILABLE to tests that start one of their own: {name}: {error}");
        }
    }
}

/// Starts those that do not run. One that cannot be is written down and said.
async fn start_all(natives: impl Iterator<Item = Native>, book: &Book) -> Result<()> {
    let outcomes = join_all(natives.map(|native| async move {
        if book.has(native) {
            return Ok(());
        }
        match start(native, book).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let name = native.name().to_owned();
                eprintln!("NOT AVAILABLE: {name}: {error}");
                book.miss(Missing {
                    kind: native.kind(),
                    name,
                    reason: error.to_string(),
                    program: Some(native),
                })
            }
        }
    }));
    outcomes.await.into_iter().collect()
}

/// The user has named a server: another must not take its place.
fn unusable(kind: Kind, reason: &str, book: &Book) -> Result<()> {
    book.miss(Missing {
        kind,
        name: kind.variable().to_owned(),
        reason: reason.to_owned(),
        program: None,
    })?;
    Err(reason.into())
}

async fn contain(image: Image, book: &Book) -> Result<()> {
    book.expect_containers()?;
    book.add(docker::start(image).await?)
}

async fn start(native: Native, book: &Book) -> Result<()> {
    let install = install::install(native).await?;
    let data = book.data(native.name());
    let logs = state::logs();
    std::fs::create_dir_all(&logs)?;
    let file = data
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let log = logs.join(format!("{file}.log"));
    let mut process = Process::launch(native, &install, &data, &log)?;
    book.add(process.server())?;
    process.ready().await?;
    book.add(process.server())?;
    process.leave_running();
    Ok(())
}
