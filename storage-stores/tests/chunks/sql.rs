//! Other programs read what is known about contents with SQL, as the document's schema says.

use rusqlite::Connection;

use crate::place::{info, open};

#[tokio::test]
async fn contents_are_read_with_sql_by_the_names_of_the_schema() {
    let directory = tempfile::tempdir().unwrap();
    for backend in ["sqlite", "pair"] {
        let place = directory.path().join(backend);
        std::fs::create_dir(&place).unwrap();
        let store = open(backend, &place).await;
        for (bytes, index) in [("abc", 0), ("de", 1)] {
            let told = info("whole", index, 2).content_type("text/plain");
            store.save_chunk(bytes, told).await.unwrap();
        }
        store.mark_content_complete("whole").await.unwrap();
        store.save_chunk("x", info("part", 1, 2)).await.unwrap();
        store.close().await.unwrap();

        let database = Connection::open(place.join("metadata.db")).unwrap();
        let mut rows = database
            .prepare("SELECT content_id, is_complete FROM content_metadata ORDER BY content_id")
            .unwrap();
        let rows: Vec<(String, bool)> = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows, [("part".to_owned(), false), ("whole".to_owned(), true)]);

        let whole: (String, String, i64, i64, i64, i64) = database
            .query_row(
                "SELECT session_id, content_type, total_chunks, total_size, created_at, last_accessed
                 FROM content_metadata WHERE content_id = 'whole'",
                [],
                |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                        row.get(5)?,
                    ))
                },
            )
            .unwrap();
        assert_eq!(
            (whole.0.as_str(), whole.1.as_str(), whole.2, whole.3),
            ("s", "text/plain", 2, 5)
        );
        assert!(
            whole.4 > 1_700_000_000_000 && whole.5 >= whole.4,
            "milliseconds: {whole:?}"
        );

        let mut rows = database
            .prepare(
                "SELECT content_id, chunk_index, size FROM chunk_metadata ORDER BY content_id, chunk_index",
            )
            .unwrap();
        let rows: Vec<(String, i64, i64)> = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let expected = [("part", 1, 1), ("whole", 0, 3), ("whole", 1, 2)];
        assert_eq!(
            rows,
            expected.map(|(id, index, size)| (id.to_owned(), index, size))
        );

        let session: (String, i64) = database
            .query_row("SELECT session_id, last_active FROM sessions", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert!(session.0 == "s" && session.1 > 1_700_000_000_000, "{session:?}");
    }
}
