//! Everything is encrypted anew under a fresh key.

use serde::Serialize;
use storage_core::{Error, ErrorKind, Query, Result};

use super::entry::{Entry, Found, Value};
use super::lifetime::SetOptions;
use super::names;
use super::set::Given;
use super::store::Kv;
use crate::race::{MAX_ATTEMPTS, busy, pause};

const OPERATION: &str = "rotate keys";

/// What [`Kv::rotate`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RotationReport {
    /// Values sealed anew.
    pub sealed: u64,
    /// Former keys of the namespace that were destroyed, because nothing is sealed under them any more.
    pub destroyed: u64,
    /// Former keys that are kept for now.
    pub former: u64,
    /// The id of the key that seals now.
    pub key_id: Option<String>,
}

impl Kv {
    /// Makes a fresh key of the namespace, seals every value anew under it, backups included, and destroys those former ones that
    /// nothing is sealed under and that were given up at least ten minutes ago: until then another process may be writing under one. The next
    /// rotation destroys them. The namespace's keys are then sealed under the key given now, whatever they were under before. Where every value
    /// has to be encrypted, those that are not are. Values stay readable all the while; cut short, it is finished by doing it again.
    ///
    /// # Errors
    /// `Unsupported` without a key; `Corrupt` naming a value that cannot be read, and the former keys stay; those of the medium.
    pub async fn rotate(&self) -> Result<RotationReport> {
        let named = |error: Error| self.named(error, OPERATION, "");
        self.access.require_all().map_err(named)?;
        if self.shared.values.keys().is_none() {
            return Err(named(Error::new(
                ErrorKind::Unsupported,
                "the namespace is not encrypted",
            )));
        }
        Box::pin(self.recorded("rotate", "", self.rotate_now())).await
    }

    async fn rotate_now(&self) -> Result<RotationReport> {
        self.store_waiting().await?;
        let Some(keys) = self.shared.values.keys() else {
            return Ok(RotationReport::default());
        };
        keys.rotate().await?;
        let mut report = RotationReport {
            key_id: keys.active(),
            ..RotationReport::default()
        };
        let mut in_use = std::collections::BTreeSet::new();
        // Twice: what others wrote under a former key while the first went on is found by the second.
        for _ in 0..2 {
            in_use.clear();
            let mut documents = self.entries().find(Query::all()).await?;
            while let Some(document) = documents.next().await? {
                let key = document.id.as_str();
                let entry = Entry::read(key, &document.value)?;
                in_use.extend(entry.values().filter_map(|value| value.key_id.clone()));
                report.sealed += self
                    .seal_anew(Found {
                        key: key.to_owned(),
                        version: document.version,
                        entry,
                    })
                    .await?;
            }
        }
        (report.destroyed, report.former) = keys.forget_former(&in_use).await?;
        Ok(report)
    }

    /// Seals the values of an entry that are under another key than the present one.
    async fn seal_anew(&self, found: Found) -> Result<u64> {
        let mut found = found;
        let Some(keys) = self.shared.values.keys() else {
            return Ok(0);
        };
        for attempt in 0..MAX_ATTEMPTS {
            let active = keys.active();
            let due = |value: &Value| match &value.cipher {
                Some(_) => value.key_id != active,
                None => self.shared.values.seals_all(),
            };
            let count = found.entry.values().filter(|value| due(value)).count() as u64;
            if count == 0 {
                return Ok(0);
            }
            let key = found.key.clone();
            if let Some((found, entry)) = self.sealed_anew(found, due).await? {
                let writing = self.shared.memory.writing(&key);
                let mut room = self.shared.ledger.reserve();
                let (before, after) = (found.entry.charge(&key), entry.charge(&key));
                self.make_room(&mut room, after.saturating_sub(before), &key)
                    .await?;
                room.begins();
                if self
                    .swap(&key, Some(&found.version), &entry, None)
                    .await?
                    .is_some()
                {
                    room.happened(before, after, 0);
                    drop(writing);
                    self.clear_away(&found.entry, Some(&entry)).await;
                    let kept: Vec<&str> = entry.data_keys().collect();
                    let gone = found.entry.data_keys().filter(|name| !kept.contains(name));
                    let gone: Vec<String> = gone.map(str::to_owned).collect();
                    self.shared.values.destroy(&gone).await?;
                    return Ok(count);
                }
                room.did_not_happen();
                self.clear_away(&entry, Some(&found.entry)).await;
            }
            pause(attempt).await;
            match self.find(&key).await? {
                Some(again) => found = again,
                None => return Ok(0),
            }
        }
        Err(self.named(busy(), OPERATION, ""))
    }

    /// The entry with its values sealed anew and their objects written, and as it is stored now, with those objects announced; `None` when
    /// it was changed meanwhile.
    async fn sealed_anew(
        &self,
        found: Found,
        due: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Result<Option<(Found, Entry)>> {
        let mut found = found;
        let old: Vec<Value> = found.entry.values().cloned().collect();
        let mut values = Vec::new();
        for value in old {
            if !due(&value) {
                values.push(value);
                continue;
            }
            let Some(plain) = self.plain_of(&found, &value).await? else {
                return Ok(None);
            };
            let given = Given {
                plain,
                kind: value.kind,
                life: value.life(),
                options: SetOptions::new().compress(value.codec != "none").encrypt(true),
            };
            let encoded = self.shared.values.encode(&found.key, &given).await?;
            let object = match &value.object {
                Some(_) => {
                    let object = names::object(self.namespace(), &found.key);
                    let key = found.key.clone();
                    let Some(announced) = self.announce(&key, &object, Some(found), None).await? else {
                        return Ok(None);
                    };
                    found = announced;
                    self.objects().write(&object, encoded.bytes.clone()).await?;
                    Some(object)
                }
                None => None,
            };
            values.push(Value::new(&encoded, object, given.life, value.written_at));
        }
        let entry = found.entry.with_values(&found.key, values);
        Ok(Some((found, entry)))
    }
}
