//! A proxy for MongoDB's protocol.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::sleep;

use super::door;
use super::message::Message;
use super::plan::{Injected, Plan, Select, Turn};
use crate::Result;
use crate::background::Background;

/// What is done to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MongoFault {
    /// The connection is closed without an answer, after the server has done the command or before it hears of it.
    Drop {
        /// Whether the server does the command.
        applied: bool,
    },
    /// Nothing is answered, and the connection stays.
    Hang {
        /// Whether the server does the command.
        applied: bool,
    },
    /// The server gets the command so much later, also when the client has given up by then.
    DelayRequest(Duration),
    /// The client gets the answer so much later.
    DelayAnswer(Duration),
}

/// Selects commands; all of its words must hold.
#[derive(Debug, Clone, Default)]
pub struct Commands {
    name: Option<String>,
    target: Option<String>,
    text: Option<String>,
}

impl Commands {
    /// Every command, those included by which a driver greets and watches the server.
    pub fn all() -> Self {
        Self::default()
    }

    /// The commands of a name, such as `insert`, `update`, `findAndModify`, `commitTransaction`.
    pub fn named(name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// Only on this collection.
    #[must_use]
    pub fn on(mut self, collection: &str) -> Self {
        self.target = Some(collection.to_owned());
        self
    }

    /// Only where the message has this text, such as an id.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }
}

impl Select for Commands {
    type Request = Message;

    fn selects(&self, message: &Message) -> bool {
        let Some(command) = message.command() else {
            return false;
        };
        self.name.as_ref().is_none_or(|name| *name == command.name)
            && self
                .target
                .as_ref()
                .is_none_or(|target| Some(target) == command.target.as_ref())
            && self.text.as_ref().is_none_or(|text| message.contains(text))
    }
}

type Faults = Plan<Commands, MongoFault>;

/// A proxy before a server that speaks MongoDB's protocol; ended when dropped.
#[derive(Debug)]
pub struct Mongo {
    url: String,
    faults: Arc<Faults>,
    cut: watch::Sender<bool>,
    _background: Background,
}

impl Mongo {
    /// A proxy on a free port before the one server of this URL.
    ///
    /// # Errors
    /// The URL is none, has no address or several, or there is no free port.
    pub fn to(url: &str) -> Result<Self> {
        // 27017 is the port of MongoDB where the URL has none.
        let (url, server) = door::resolve(url, Some(27017))?;
        let faults = Arc::new(Faults::new());
        let (cut, watched) = watch::channel(false);
        let background = Background::start("mongo proxy", 0, {
            let faults = Arc::clone(&faults);
            move |listener| {
                door::accept(listener, watched, move |client| {
                    let faults = Arc::clone(&faults);
                    async move {
                        // It ends with an error wherever a fault closes the connection.
                        let _ = serve(client, server, &faults).await;
                    }
                })
            }
        })?;
        let mut url = door::moved(url, background.address())?;
        // Without it a driver goes on to the address the server has for itself, past the proxy.
        if !url
            .query_pairs()
            .any(|(name, _)| name.eq_ignore_ascii_case("directConnection"))
        {
            url.query_pairs_mut().append_pair("directConnection", "true");
            if url.path().is_empty() {
                url.set_path("/");
            }
        }
        Ok(Self {
            url: url.into(),
            faults,
            cut,
            _background: background,
        })
    }

    /// The URL of the server, as it is reached through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next command of these meets the fault.
    pub fn once(&self, commands: Commands, fault: MongoFault) -> Injected {
        self.faults.inject(commands, Turn::After(0), fault)
    }

    /// The n-th command of these from now on, counted from 1, meets the fault.
    pub fn nth(&self, n: usize, commands: Commands, fault: MongoFault) -> Injected {
        self.faults
            .inject(commands, Turn::After(n.saturating_sub(1)), fault)
    }

    /// Every command of these meets the fault.
    pub fn always(&self, commands: Commands, fault: MongoFault) -> Injected {
        self.faults.inject(commands, Turn::Every, fault)
    }

    /// Counts the commands of these from now on.
    pub fn count(&self, commands: Commands) -> Injected {
        self.faults.count(commands)
    }

    /// Cuts the network: connections are closed, and new ones as soon as they are made. What the server has heard, it does.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Takes all faults away and joins the network again.
    pub fn heal(&self) {
        self.faults.clear();
        self.cut.send_replace(false);
    }
}

/// What the answers to requests meet, by the ids of the requests.
type Awaited = Mutex<HashMap<i32, MongoFault>>;

/// Passes messages both ways until one side ends.
async fn serve(client: TcpStream, server: SocketAddr, faults: &Faults) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let awaited = Awaited::default();
    tokio::select! {
        ended = requests(from_client, to_server, faults, &awaited) => ended,
        ended = answers(from_server, to_client, &awaited) => ended,
    }
}

async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    faults: &Faults,
    awaited: &Awaited,
) -> io::Result<()> {
    use MongoFault::{DelayAnswer, DelayRequest, Drop, Hang};

    while let Some(message) = Message::read(&mut client).await? {
        match faults.meet(&message) {
            Some(Drop { applied: false }) => return Ok(()),
            Some(Hang { applied: false }) => continue,
            // Nothing is read meanwhile, so a client that has gone is not noticed before the command is passed on.
            Some(DelayRequest(time)) => sleep(time).await,
            Some(fault @ (Drop { .. } | Hang { .. } | DelayAnswer(_))) => {
                let mut awaited = awaited.lock().unwrap_or_else(PoisonError::into_inner);
                awaited.insert(message.request_id(), fault);
            }
            None => {}
        }
        server.write_all(message.bytes()).await?;
    }
    Ok(())
}

async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, awaited: &Awaited) -> io::Result<()> {
    use MongoFault::{DelayAnswer, Drop, Hang};

    while let Some(message) = Message::read(&mut server).await? {
        let fault = awaited
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&message.response_to());
        match fault {
            Some(Drop { .. }) => return Ok(()),
            Some(Hang { .. }) => continue,
            Some(DelayAnswer(time)) => sleep(time).await,
            _ => {}
        }
        client.write_all(message.bytes()).await?;
    }
    Ok(())
}
