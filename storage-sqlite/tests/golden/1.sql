-- What the first version wrote, as `sqlite3 app.db .dump` shows it, and what stands in the file's header.
PRAGMA application_id = 1937010546;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
BEGIN TRANSACTION;
CREATE TABLE _storage (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO "_storage" VALUES('format','1');
CREATE TABLE _storage_chunks (
    chunk INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);
CREATE TABLE _storage_collections (
    collection INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    view TEXT NOT NULL UNIQUE COLLATE NOCASE,
    fields TEXT NOT NULL
);
INSERT INTO "_storage_collections" VALUES(1,'users','users','["name","age","seen"]');
CREATE TABLE _storage_documents_1 (
                 row INTEGER PRIMARY KEY,
                 id TEXT NOT NULL UNIQUE,
                 body TEXT NOT NULL,
                 version TEXT NOT NULL,
                 expires_at INTEGER
             );
INSERT INTO "_storage_documents_1" VALUES(1,'ada','{"name":"Ada","age":36,"tags":["x","y"]}','2fbf6b6094b0bd96f7962759be0af85b',NULL);
INSERT INTO "_storage_documents_1" VALUES(2,'grace','{"name":"Grace","age":45,"tags":["y"],"seen":{"$date":"2024-02-29T12:00:00.000Z"}}','dbe0e99bc4bae9b83e81342b69167299',NULL);
CREATE TABLE _storage_generations (
    generation INTEGER PRIMARY KEY AUTOINCREMENT,
    handle TEXT NOT NULL,
    touched INTEGER NOT NULL
);
CREATE TABLE _storage_index_1 (
                 key BLOB NOT NULL,
                 id TEXT NOT NULL,
                 doc INTEGER NOT NULL,
                 PRIMARY KEY (key, id)
             ) WITHOUT ROWID;
INSERT INTO "_storage_index_1" VALUES(X'20C0420000000000000000','ada',1);
INSERT INTO "_storage_index_1" VALUES(X'20C0468000000000000000','grace',2);
CREATE TABLE _storage_index_2 (
                 key BLOB NOT NULL,
                 id TEXT NOT NULL,
                 doc INTEGER NOT NULL,
                 PRIMARY KEY (key, id)
             ) WITHOUT ROWID;
INSERT INTO "_storage_index_2" VALUES(X'3041646100','ada',1);
INSERT INTO "_storage_index_2" VALUES(X'30477261636500','grace',2);
CREATE TABLE _storage_index_3 (
                 key BLOB NOT NULL,
                 id TEXT NOT NULL,
                 doc INTEGER NOT NULL,
                 PRIMARY KEY (key, id)
             ) WITHOUT ROWID;
INSERT INTO "_storage_index_3" VALUES(X'307800','ada',1);
INSERT INTO "_storage_index_3" VALUES(X'307900','ada',1);
INSERT INTO "_storage_index_3" VALUES(X'307900','grace',2);
CREATE TABLE _storage_indexes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    UNIQUE (collection, name)
);
INSERT INTO "_storage_indexes" VALUES(1,1,'by_age','{"name":"by_age","fields":["age"],"kind":"btree","unique":false,"sparse":false,"each":false}');
INSERT INTO "_storage_indexes" VALUES(2,1,'by_name','{"name":"by_name","fields":["name"],"kind":"btree","unique":true,"sparse":false,"each":false}');
INSERT INTO "_storage_indexes" VALUES(3,1,'by_tag','{"name":"by_tag","fields":["tags"],"kind":"btree","unique":false,"sparse":false,"each":true}');
CREATE TABLE _storage_log_entries (
    log INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (log, sequence)
);
INSERT INTO "_storage_log_entries" VALUES(1,0,X'6669727374206C696E65');
INSERT INTO "_storage_log_entries" VALUES(1,1,X'7365636F6E64206C696E65');
INSERT INTO "_storage_log_entries" VALUES(2,0,X'78');
CREATE TABLE _storage_logs (
    log INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    incarnation TEXT NOT NULL,
    closed INTEGER NOT NULL,
    next INTEGER NOT NULL
);
INSERT INTO "_storage_logs" VALUES(1,'program/run','c499865c29570ebb26ef59815aac03e3',0,2);
INSERT INTO "_storage_logs" VALUES(2,'closed','9f82caad62788b2c164e0489bb793b1f',1,1);
CREATE TABLE _storage_objects (
    object INTEGER PRIMARY KEY,
    area INTEGER NOT NULL,
    key TEXT NOT NULL,
    size INTEGER NOT NULL,
    version TEXT NOT NULL,
    modified INTEGER NOT NULL,
    generation INTEGER,
    bytes BLOB,
    UNIQUE (area, key)
);
INSERT INTO "_storage_objects" VALUES(1,0,'notes/a.txt',5,'21184a1ba033d420c68e75bf85e1bd54',1795999325634,NULL,X'68656C6C6F');
INSERT INTO "_storage_objects" VALUES(2,0,'a',5,'888d246550bb1e5c5cb4687273aef09f',1795999325784,NULL,X'68656C6C6F');
CREATE INDEX _storage_expiry_1 ON _storage_documents_1 (expires_at)
                 WHERE expires_at IS NOT NULL;
CREATE VIEW "users" AS SELECT id, json_extract(body, '$."name"') AS "name", json_extract(body, '$."age"') AS "age", json_extract(body, '$."seen"') AS "seen", version, expires_at, body FROM _storage_documents_1;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('_storage_indexes',3);
INSERT INTO "sqlite_sequence" VALUES('_storage_logs',2);
COMMIT;
