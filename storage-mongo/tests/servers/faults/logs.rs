//! Logs: an append happens once, or not at all.

use storage_core::{AppendRequest, Bytes, Error, Name, StorageAdapter};
use storage_mongo::Mongo;
use test_servers::proxy::Commands;

use super::{Write, under_each_fault};
use crate::place::{Place, laws};

laws! {
    Atomic: an_append,
    Atomic: an_append_at_a_number,
    Atomic: the_first_append,
    Atomic: a_close,
    Atomic: a_delete,
}

enum Way {
    Append,
    Expected,
    First,
    Close,
    Delete,
}

struct Log {
    way: Way,
    name: Option<Name>,
}

impl Log {
    fn by(way: Way) -> Self {
        Self { way, name: None }
    }

    fn name(&self) -> &Name {
        self.name.as_ref().unwrap()
    }
}

fn append(entries: &[&'static str]) -> AppendRequest {
    let bytes = |entry: &&'static str| Bytes::from_static(entry.as_bytes());
    AppendRequest::new(entries.iter().map(bytes).collect())
}

fn state(entries: &[&str], closed: bool) -> (Vec<String>, bool) {
    (entries.iter().map(ToString::to_string).collect(), closed)
}

impl Write for Log {
    /// The entries, and whether it is closed.
    type State = (Vec<String>, bool);

    async fn prepare(&mut self, mongo: &Mongo, round: usize) -> Self::State {
        let name = Name::new(format!("log-{round}")).unwrap();
        let name = self.name.insert(name);
        if matches!(self.way, Way::First) {
            return state(&[], false);
        }
        mongo.append(name, append(&["one"])).await.unwrap();
        state(&["one"], false)
    }

    async fn write(&self, mongo: &Mongo) -> Result<(), Error> {
        let mut request = append(&["two", "three"]);
        match self.way {
            Way::Close => return mongo.close_log(self.name()).await,
            Way::Delete => return mongo.delete_log(self.name()).await,
            Way::Expected => request.expected = Some(1),
            Way::First => request.expected = Some(0),
            Way::Append => {}
        }
        let first = u64::from(!matches!(self.way, Way::First));
        let appended = mongo.append(self.name(), request).await?;
        assert_eq!((appended.first, appended.next), (first, first + 2));
        Ok(())
    }

    fn after(&self) -> Self::State {
        match self.way {
            Way::Append | Way::Expected => state(&["one", "two", "three"], false),
            Way::First => state(&["two", "three"], false),
            Way::Close => state(&["one"], true),
            Way::Delete => state(&[], false),
        }
    }

    async fn look(&self, mongo: &Mongo) -> Self::State {
        let page = mongo.read_log(self.name(), 0, 100).await.unwrap();
        let text = |entry: storage_core::LogEntry| String::from_utf8(entry.bytes.to_vec()).unwrap();
        (page.entries.into_iter().map(text).collect(), page.closed)
    }
}

fn heads(command: &str) -> Commands {
    Commands::named(command).on("_storage.logs")
}

async fn an_append(place: &Place) {
    under_each_fault(place, heads("findAndModify"), Log::by(Way::Append)).await;
}

async fn an_append_at_a_number(place: &Place) {
    under_each_fault(place, heads("findAndModify"), Log::by(Way::Expected)).await;
}

async fn the_first_append(place: &Place) {
    under_each_fault(place, heads("insert"), Log::by(Way::First)).await;
}

async fn a_close(place: &Place) {
    under_each_fault(place, heads("update"), Log::by(Way::Close)).await;
}

async fn a_delete(place: &Place) {
    under_each_fault(place, heads("findAndModify"), Log::by(Way::Delete)).await;
}
