//! Documents and logs in SQLite: ours beside rusqlite by hand, redb, and OpenDAL's SQLite service.

mod by_hand;
mod contend;
mod log;
mod many;
mod opendal;
mod put;
mod query;
mod read;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use storage_core::{Collection, Index, Storage};
use storage_sqlite::{Sqlite, SqliteConfig};

use self::by_hand::ByHand;
use crate::run::{Outcome, Run};

/// A document of about 1 KiB.
#[derive(Clone, Serialize, Deserialize)]
struct Row {
    name: String,
    age: i64,
    text: String,
}

const OURS: &str = "ours";
const HAND: &str = "rusqlite by hand";
const REDB: &str = "redb";
const OPENDAL: &str = "OpenDAL sqlite";

/// As many as fit into the page cache of one connection, so that the code is measured and not the disk.
const ROWS: u64 = 4_000;

pub(crate) async fn all(run: &mut Run) -> Outcome {
    run.say("## SQLite");
    let directory = run.directory("sqlite")?;
    let peers = Peers::open(&directory, run).await?;
    read::all(run, &peers).await?;
    query::all(run, &peers).await?;
    put::all(run, &peers).await?;
    many::all(run, &peers).await?;
    contend::all(run, &peers, &directory).await?;
    log::all(run, &peers).await?;
    peers.ours.close().await?;
    Run::remove(&directory)
}

/// Ours and the others, with the same documents in them.
struct Peers {
    ours: Storage,
    rows: Collection<Row>,
    hand: Arc<ByHand>,
    redb: Arc<redb::Database>,
    /// Or why it does not take part.
    opendal: Result<Arc<opendal::OpenDal>, String>,
}

impl Peers {
    async fn open(directory: &Path, run: &Run) -> Outcome<Self> {
        let ours = Storage::new(Sqlite::open(SqliteConfig::new(directory.join("ours.db"))).await?);
        let rows = ours.collection::<Row>("rows");
        rows.ensure_index(Index::btree("by_age", ["age"])).await?;
        let all: Vec<(String, Row)> = (0..ROWS).map(|number| (id(number), row(number))).collect();
        for chunk in all.chunks(1000) {
            for result in rows.put_many(chunk.iter().map(|(id, row)| (id, row))).await? {
                result?;
            }
        }
        let hand = Arc::new(ByHand::open(&directory.join("by-hand.db"))?);
        hand.put_many(&all)?;
        let redb = put::redb(&directory.join("redb"), &all)?;
        let opendal = opendal::OpenDal::start(&directory.join("opendal.db"), ROWS, run.is_quick()).await;
        Ok(Self {
            ours,
            rows,
            hand,
            redb: Arc::new(redb),
            opendal: opendal.map_err(|error| error.to_string()),
        })
    }
}

fn id(number: u64) -> String {
    format!("row-{number:09}")
}

/// The id of one of the rows there are from the start, in no order.
fn some(number: u64) -> String {
    id(number.wrapping_mul(7_919) % ROWS)
}

fn row(number: u64) -> Row {
    Row {
        name: "Ada".into(),
        age: age(number),
        text: "x".repeat(950),
    }
}

fn age(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
