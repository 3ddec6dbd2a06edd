//! [`Kv::get_or_set`]: a value is made once.

use serde::Serialize;
use serde::de::DeserializeOwned;
use storage_core::{DocumentId, ErrorKind, Result};

use super::lifetime::SetOptions;
use super::store::Kv;

impl Kv {
    /// The value of a key, which is made and stored where there is none. Of those in this process who ask at once one makes it, and the
    /// others wait for it; where that one fails or is dropped, the next one makes it. Where another process was faster, its value counts.
    ///
    /// # Errors
    /// Those of `make`; as [`get`](Self::get) and [`set_with`](Self::set_with).
    pub async fn get_or_set<T, F>(
        &self,
        key: impl AsRef<str> + Send,
        options: SetOptions,
        make: impl FnOnce() -> F + Send,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + Sync,
        F: Future<Output = Result<T>> + Send,
    {
        let key = key.as_ref();
        if let Some(value) = self.get(key).await? {
            return Ok(value);
        }
        let id = DocumentId::new(key)?;
        let slot = self.shared.makers.enter(&id);
        let _turn = slot.lock().await;
        if let Some(value) = self.get(key).await? {
            return Ok(value);
        }
        let value = make().await?;
        match self.set_with(key, &value, options.if_absent()).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                drop(self.shared.memory.writing(key));
                // It may have gone again already; what was made is as good as any.
                Ok(self.get(key).await?.unwrap_or(value))
            }
            stored => stored.map(|()| value),
        }
    }
}
