//! Several entries in one call.

use futures::stream::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage_core::Result;

use super::lifetime::SetOptions;
use super::store::Kv;

/// How many are under way at once: enough to hide the way to a server, and few enough not to flood it.
const AT_ONCE: usize = 16;

impl Kv {
    /// Stores many values, several at once, one result each in the order given. Not atomic: each is stored or not by itself.
    pub async fn set_many<K, T>(&self, values: &[(K, T)], options: SetOptions) -> Vec<Result<()>>
    where
        K: AsRef<str> + Sync,
        T: Serialize + Sync,
    {
        let writes: Vec<_> = values
            .iter()
            .map(|(key, value)| self.set_with(key.as_ref(), value, options.clone()))
            .collect();
        futures::stream::iter(writes).buffered(AT_ONCE).collect().await
    }

    /// Reads many values, several at once, in the order asked.
    ///
    /// # Errors
    /// As [`get`](Self::get), for the first that fails.
    pub async fn get_many<K, T>(&self, keys: &[K]) -> Result<Vec<Option<T>>>
    where
        K: AsRef<str> + Sync,
        T: DeserializeOwned + Send,
    {
        let reads: Vec<_> = keys.iter().map(|key| self.get::<T>(key.as_ref())).collect();
        futures::stream::iter(reads).buffered(AT_ONCE).try_collect().await
    }

    /// Deletes many entries, several at once, one result each in the order given: whether it was there.
    pub async fn delete_many<K: AsRef<str> + Sync>(&self, keys: &[K]) -> Vec<Result<bool>> {
        let deletions: Vec<_> = keys.iter().map(|key| self.delete(key.as_ref())).collect();
        futures::stream::iter(deletions).buffered(AT_ONCE).collect().await
    }
}
