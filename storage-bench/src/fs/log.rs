//! Logs in files: durable appends, and the end of a long log.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use storage_core::Bytes;

use super::{OURS, Peers};
use crate::report::Goal;
use crate::run::{Outcome, Run};
use crate::table::Table;

pub(super) async fn all(run: &mut Run, peers: &Peers) -> Outcome {
    append(run, peers, 1).await?;
    append(run, peers, 32).await?;
    tail(run, peers).await
}

fn entry() -> Bytes {
    Bytes::from(vec![b'x'; 200])
}

async fn append(run: &mut Run, peers: &Peers, at_once: u64) -> Outcome {
    let log = peers.ours.log(format!("appends-{at_once}"));
    let path = peers.plain.join(format!("appends-{at_once}.jsonl"));
    let file = std::fs::File::options().create(true).append(true).open(path)?;
    let file = Arc::new(Mutex::new(file));
    let peer = "a line, and fdatasync";
    Table::new(
        format!("fs-log-append-c{at_once}"),
        format!("Files: durable append of 200 bytes to a log, {at_once} at once"),
    )
    .per_round(if at_once == 1 { 16 } else { 128 })
    .at_once(at_once)
    .contender(OURS, move |_| {
        let log = log.clone();
        async move {
            log.append(entry()).await?;
            Ok(())
        }
    })
    .contender(peer, move |_| {
        let file = Arc::clone(&file);
        async move {
            tokio::task::spawn_blocking(move || {
                let mut line = entry().to_vec();
                line.push(b'\n');
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.write_all(&line)?;
                file.sync_data()
            })
            .await??;
            Ok(())
        }
    })
    .goal(Goal::within(peer, 1.1))
    .note("Ours numbers and checks every entry, and keeps out other processes.")
    .run(run)
    .await
}

async fn tail(run: &mut Run, peers: &Peers) -> Outcome {
    let entries = run.amount(100_000, 1_000);
    let (long, short) = (peers.ours.log("long"), peers.ours.log("short"));
    for first in (0..entries).step_by(1_000) {
        let some = (first..entries.min(first + 1_000)).map(|_| entry());
        long.append_all(some).await?;
    }
    short.append_all((0..1_000).map(|_| entry())).await?;
    let peer = "of 1,000";
    Table::new(
        "fs-log-tail",
        format!("Files: the last 100 entries of a log of {entries}"),
    )
    .per_round(20)
    .contender(format!("of {entries}"), move |_| {
        let long = long.clone();
        async move {
            let page = long.read(entries - 100, 100).await?;
            assert_eq!(page.entries.len(), 100);
            Ok(())
        }
    })
    .contender(peer, move |_| {
        let short = short.clone();
        async move {
            assert_eq!(short.read(900, 100).await?.entries.len(), 100);
            Ok(())
        }
    })
    .goal(Goal::within(peer, 2.0))
    .run(run)
    .await
}
