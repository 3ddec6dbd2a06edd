//! Writes an object, closes the storage, opens it again and reads the object back. With nothing set, it lies in
//! `./data`.

use std::error::Error;

use storage_factory::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let storage = storage_factory::open_from_env().await?;
    storage.objects().write("notes/a.txt", "hello").await?;
    storage.close().await?;

    let storage = storage_factory::open_from_env().await?;
    let bytes = storage.objects().read("notes/a.txt").await?;
    storage.close().await?;

    assert_eq!(bytes.as_deref(), Some(&b"hello"[..]));
    println!("read back what was written");
    Ok(())
}
