//! What a user's first program does: writes, closes, opens again and finds it all there. With nothing set, it lies
//! in `./data`.

use std::error::Error;

use storage_factory::prelude::*;
use storage_factory::storage_core::bson::Bson;

#[derive(Serialize, Deserialize)]
struct User {
    name: String,
    age: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let storage = storage_factory::open_from_env().await?;
    storage.objects().write("notes/a.txt", "hello").await?;

    let users = storage.collection::<User>("users");
    users.ensure_index(Index::btree("by_age", ["age"])).await?;
    let mut ada = User {
        name: "Ada".into(),
        age: 36,
    };
    let version = users.put("ada", &ada).await?;
    ada.age = 37;
    users.put_if("ada", &ada, version.clone()).await?;
    assert!(users.put_if("ada", &ada, version).await.is_err(), "a stale write");

    let program = Program::new("hello", "Hello", "main() {}", Bson::Null);
    storage.save_program(&program).await?;
    storage.close().await?;

    let storage = storage_factory::open_from_env().await?;
    let bytes: Option<Bytes> = storage.objects().read("notes/a.txt").await?;
    let users = storage.collection::<User>("users");
    let adults: Vec<Document<User>> = users
        .find(Query::ge("age", 18).limit(10))
        .await?
        .collect()
        .await?;
    let saved = storage.get_program("hello").await?;
    storage.close().await?;

    assert_eq!(bytes.as_deref(), Some(&b"hello"[..]));
    assert_eq!(adults.len(), 1);
    assert_eq!((adults[0].value.name.as_str(), adults[0].value.age), ("Ada", 37));
    assert_eq!(saved, Some(program));
    println!("read back what was written");
    Ok(())
}
