//! A register: one object or one document that holds a number, and a client that does random things to some and keeps their history.

use serde::{Deserialize, Serialize};
use storage_core::{Applied, Collection, ErrorKind, Result, Storage, Version};

use crate::abandon::dropped_after;
use crate::case::Failure;
use crate::history::{Action, Operation};
use crate::random::Random;

/// What registers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    Objects,
    Documents,
}

/// Registers of one storage.
#[derive(Debug, Clone)]
pub(crate) struct Registers {
    pub(crate) storage: Storage,
    pub(crate) medium: Medium,
}

#[derive(Debug, Serialize, Deserialize)]
struct Held {
    value: u64,
}

impl Registers {
    pub(crate) async fn read(&self, name: &str) -> Result<Option<(u64, Version)>, Failure> {
        match self.medium {
            Medium::Objects => {
                let objects = self.storage.objects();
                let Some(object) = objects.read_with(name, Default::default()).await? else {
                    return Ok(None);
                };
                let text = String::from_utf8_lossy(&object.bytes).into_owned();
                let value = text.parse();
                let value = value.map_err(|_| Failure::new(format!("a register reads {text:?}")))?;
                Ok(Some((value, object.meta.version)))
            }
            Medium::Documents => {
                let document = self.documents().get(name).await?;
                Ok(document.map(|document| (document.value.value, document.version)))
            }
        }
    }

    fn documents(&self) -> Collection<Held> {
        self.storage.collection("registers")
    }

    /// Does what the action says, and says whether there was something to delete.
    async fn act(&self, name: &str, action: Action, version: Option<Version>) -> Result<Option<bool>> {
        let (objects, documents) = (self.storage.objects(), self.documents());
        let written = match (self.medium, action, version) {
            (Medium::Objects, Action::Delete(_), _) => return objects.delete(name).await.map(|()| None),
            (Medium::Documents, Action::Delete(_), _) => return documents.delete(name).await.map(Some),
            (Medium::Objects, Action::Create(value, _), _) => objects.create(name, value.to_string()).await,
            (Medium::Documents, Action::Create(value, _), _) => documents.insert(name, &Held { value }).await,
            (Medium::Objects, Action::Swap(_, value, _), Some(version)) => {
                objects.write_if(name, value.to_string(), version).await
            }
            (Medium::Documents, Action::Swap(_, value, _), Some(version)) => {
                documents.put_if(name, &Held { value }, version).await
            }
            (Medium::Objects, Action::Write(value), _) => objects.write(name, value.to_string()).await,
            (Medium::Documents, Action::Write(value), _) => documents.put(name, &Held { value }).await,
            (_, Action::Read(_) | Action::Swap(..), _) => return Ok(None),
        };
        written.map(|_| None)
    }
}

/// One who does random things to registers.
pub(crate) struct Client {
    pub(crate) registers: Registers,
    pub(crate) random: Random,
    /// A clock all clients share: what is called after another one returned gets a later number.
    pub(crate) clock: Box<dyn Fn() -> u64 + Send + Sync>,
    /// A number nobody else gets.
    pub(crate) fresh: Box<dyn FnMut() -> u64 + Send>,
    pub(crate) create: bool,
    pub(crate) swap: bool,
    /// Whether it gives up now and then before it learned how a call ended.
    pub(crate) abandons: bool,
}

/// What a client last read of a register.
pub(crate) type Known = Option<(u64, Version)>;

impl Client {
    /// Does one thing to the register of this name; `announce` is told before anything happens, as if its end were never learned.
    pub(crate) async fn step(
        &mut self,
        name: &str,
        known: &mut Known,
        announce: impl FnOnce(&Operation) + Send,
    ) -> Result<Operation, Failure> {
        let (intended, version) = self.choose(known);
        let mut operation = Operation {
            called: (self.clock)(),
            returned: None,
            action: intended,
        };
        if let Action::Read(_) = intended {
            *known = self.registers.read(name).await?;
            operation.action = Action::Read(known.as_ref().map(|(value, _)| *value));
            operation.returned = Some((self.clock)());
            return Ok(operation);
        }
        announce(&operation);
        // A call rarely takes more polls than this.
        let polls = if self.abandons && self.random.below(4) == 0 {
            self.random.below(6)
        } else {
            usize::MAX
        };
        let ended = dropped_after(polls, self.registers.act(name, intended, version)).await;
        let ended = match ended {
            None => return Ok(operation),
            Some(Err(error)) if error.applied() == Applied::Unknown => return Ok(operation),
            Some(ended) => ended,
        };
        operation.returned = Some((self.clock)());
        operation.action = match (intended, ended) {
            (Action::Delete(_), Ok(there)) => Action::Delete(there),
            (action, Ok(_)) => action,
            (Action::Create(value, _), Err(error)) if error.kind() == ErrorKind::AlreadyExists => {
                Action::Create(value, false)
            }
            (Action::Swap(old, value, _), Err(error)) if error.kind() == ErrorKind::PreconditionFailed => {
                Action::Swap(old, value, false)
            }
            (_, Err(error)) => return Err(error.into()),
        };
        Ok(operation)
    }

    fn choose(&mut self, known: &mut Known) -> (Action, Option<Version>) {
        match self.random.below(10) {
            0 | 1 => (Action::Write((self.fresh)()), None),
            2 => (Action::Delete(None), None),
            3 | 4 if self.create => (Action::Create((self.fresh)(), true), None),
            5..=7 if self.swap => match known.take() {
                Some((old, version)) => (Action::Swap(old, (self.fresh)(), true), Some(version)),
                None => (Action::Read(None), None),
            },
            _ => (Action::Read(None), None),
        }
    }
}
