//! SQLite: ours beside rusqlite by hand.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use storage_core::Storage;

use crate::table::{Outcome, Table};

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    name: String,
    age: i64,
    text: String,
}

/// As many as fit into the page cache of one connection, so that the code is measured and not the disk.
const ROWS: u64 = 4_000;

/// Reads of one document of about 1 KiB by id, decoded into a struct.
pub(crate) async fn point_read(directory: &Path) -> Outcome {
    let config = storage_sqlite::SqliteConfig::new(directory.join("ours.db"));
    let storage = Storage::new(storage_sqlite::Sqlite::open(config).await?);
    let rows = storage.collection::<Row>("rows");
    let row = Row {
        name: "Ada".into(),
        age: 36,
        text: "x".repeat(950),
    };
    let ids: Vec<String> = (0..ROWS).map(|number| format!("row-{number:06}")).collect();
    for chunk in ids.chunks(1000) {
        for result in rows.put_many(chunk.iter().map(|id| (id, &row))).await? {
            result?;
        }
    }
    let pool = by_hand(&directory.join("by-hand.db"), &row, &ids)?;
    let get = {
        let rows = rows.clone();
        move |number: u64| {
            let rows = rows.clone();
            async move {
                let found = rows.get(format!("row-{:06}", number * 7919 % ROWS)).await?;
                assert_eq!(found.map(|found| found.value.age), Some(36));
                Ok(())
            }
        }
    };
    Table::new("sqlite: point read of a 1 KiB document", 60, 5_000)
        .contender("ours, with version and expiry", get.clone())
        .contender("rusqlite pooled, inline", move |number| {
            let pool = Arc::clone(&pool);
            async move {
                let taken = pool.lock().map_err(|_| "poisoned")?.pop();
                let connection = taken.ok_or("the pool is empty")?;
                let id = format!("row-{:06}", number * 7919 % ROWS);
                let row: Row = {
                    let mut statement =
                        connection.prepare_cached("SELECT name, age, text FROM rows WHERE id = ?1")?;
                    statement.query_row([id], |row| {
                        Ok(Row {
                            name: row.get(0)?,
                            age: row.get(1)?,
                            text: row.get(2)?,
                        })
                    })?
                };
                assert_eq!(row.age, 36);
                pool.lock().map_err(|_| "poisoned")?.push(connection);
                Ok(())
            }
        })
        .contender("control", get)
        .run()
        .await
}

fn by_hand(
    path: &Path,
    row: &Row,
    ids: &[String],
) -> Result<Arc<Mutex<Vec<Connection>>>, Box<dyn std::error::Error + Send + Sync>> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE rows (id TEXT PRIMARY KEY, name TEXT, age INTEGER, text TEXT)")?;
    let transaction = connection.transaction()?;
    for id in ids {
        transaction.execute(
            "INSERT INTO rows VALUES (?1, ?2, ?3, ?4)",
            (id, &row.name, row.age, &row.text),
        )?;
    }
    transaction.commit()?;
    let pool: Result<Vec<_>, _> = (0..4).map(|_| Connection::open(path)).collect();
    Ok(Arc::new(Mutex::new(pool?)))
}
