//! What tests ask: which servers are there?

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state::{self, State};
use crate::{How, Kind, Native, Result, Server, explicit};

/// A server that is not there, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Missing {
    /// What it would have served.
    pub kind: Kind,
    /// What it would have been.
    pub name: String,
    /// Why it is not there.
    pub reason: String,
    /// What would have been started.
    pub(crate) program: Option<Native>,
}

impl Missing {
    /// Whether it would have stood for this kind. One of [`Native::CARELESS`] would not.
    pub(crate) fn serves(&self, kind: Kind) -> bool {
        self.kind == kind && !self.program.is_some_and(Native::is_careless)
    }
}

/// The servers that `cargo xtask servers up` has started or found.
#[derive(Clone, Debug, Default)]
pub struct Servers {
    servers: Vec<Server>,
    missing: Vec<Missing>,
}

impl Servers {
    /// Reads what was written down, and looks whether it is still there.
    ///
    /// # Errors
    /// The file, or an environment variable, cannot be read, or an URL in the environment leads nowhere.
    pub fn load() -> Result<Self> {
        let state = State::read()?;
        let mut found = Self {
            servers: Vec::new(),
            missing: state.missing,
        };
        for server in state.servers {
            // What the environment says now counts, not what it said at `up`.
            if server.how == How::Explicit {
                continue;
            }
            match listens(&server) {
                Ok(()) => found.servers.push(server),
                Err(reason) => found.missing.push(Missing {
                    kind: server.kind,
                    name: server.name,
                    reason,
                    program: server.program,
                }),
            }
        }
        for kind in Kind::ALL {
            if let Some(server) = explicit::named(kind)? {
                listens(&server).map_err(|reason| format!("{}: {reason}", kind.variable()))?;
                found.servers.retain(|other| !other.serves(kind));
                found.missing.retain(|other| !other.serves(kind));
                found.servers.push(server);
            }
            let known = found.servers.iter().any(|server| server.serves(kind))
                || found.missing.iter().any(|missing| missing.serves(kind));
            if !known {
                found.missing.push(Missing {
                    kind,
                    name: kind.name().to_owned(),
                    reason: format!(
                        "{} has not been written; `cargo xtask servers up` starts servers",
                        state::path().display()
                    ),
                    program: None,
                });
            }
        }
        found.servers.sort_by_key(|server| server.kind);
        Ok(found)
    }

    /// The servers of this kind, the preferred one first. When there is none the reasons go to standard error.
    ///
    /// # Panics
    /// When there is none and `STORAGE_REQUIRE` names the kind: a test that would be left out must fail.
    pub fn of(&self, kind: Kind) -> Vec<Server> {
        let found: Vec<Server> = self
            .servers
            .iter()
            .filter(|server| server.serves(kind))
            .cloned()
            .collect();
        if found.is_empty() {
            let reasons: Vec<String> = self
                .missing(kind)
                .iter()
                .map(|missing| format!("{}: {}", missing.name, missing.reason))
                .collect();
            not_available(kind, &reasons.join("; "));
        }
        found
    }

    /// Those of this kind that are not there.
    pub fn missing(&self, kind: Kind) -> Vec<Missing> {
        self.missing
            .iter()
            .filter(|missing| missing.serves(kind))
            .cloned()
            .collect()
    }

    /// Each of [`Native::CARELESS`], or why it is not there.
    pub fn careless(&self) -> Vec<Result<Server, Missing>> {
        let started = |native: Native| {
            let server = self.servers.iter().find(|server| server.program == Some(native));
            server.cloned().ok_or_else(|| {
                let missing = self
                    .missing
                    .iter()
                    .find(|missing| missing.program == Some(native));
                missing.cloned().unwrap_or_else(|| Missing {
                    kind: native.kind(),
                    name: native.name().to_owned(),
                    reason: "only `cargo xtask servers up --deep` starts it".to_owned(),
                    program: Some(native),
                })
            })
        };
        Native::CARELESS.map(started).into()
    }
}

/// Says that a test is left out; panics where `STORAGE_REQUIRE` forbids that.
fn not_available(kind: Kind, reason: &str) {
    let message = format!("NOT AVAILABLE: {kind}: {reason}");
    match required(std::env::var("STORAGE_REQUIRE").ok().as_deref()) {
        Ok(required) => assert!(
            !required.contains(&kind),
            "{message} (STORAGE_REQUIRE asks for it)"
        ),
        Err(error) => panic!("{error}"),
    }
    eprintln!("{message}");
}

/// The kinds in `STORAGE_REQUIRE`.
pub(crate) fn required(value: Option<&str>) -> Result<Vec<Kind>> {
    let words = value.unwrap_or_default().split(',').map(str::trim);
    let kinds = words.filter(|word| !word.is_empty()).map(str::parse);
    kinds
        .collect::<Result<_>>()
        .map_err(|error| format!("STORAGE_REQUIRE: {error}").into())
}

/// Whether somebody listens where the URL says. Of the vendor's own services this is not asked.
fn listens(server: &Server) -> Result<(), String> {
    let endpoint = match server.kind {
        Kind::Mongo => Some(server.url.clone()),
        Kind::S3 | Kind::Azure => server.option("endpoint"),
        Kind::Gcs => server.option("base_url"),
    };
    let Some(url) = endpoint.and_then(|endpoint| url::Url::parse(&endpoint).ok()) else {
        return Ok(());
    };
    if url.scheme() == "mongodb+srv" {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    // 27017 is MongoDB's own.
    let port = url.port_or_known_default().unwrap_or(27017);
    let addresses = (host, port).to_socket_addrs();
    let addresses = addresses.map_err(|error| format!("{host}: {error}"))?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(_) => return Ok(()),
            Err(error) => last = format!("nothing answers at {address} any more: {error}"),
        }
    }
    Err(last)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server as `up` writes it down.
    pub(crate) fn started(program: Native) -> Server {
        Server {
            kind: program.kind(),
            name: program.name().to_owned(),
            version: program.version().to_owned(),
            says: String::new(),
            how: How::Native,
            url: "s3://bucket".to_owned(),
            credentials: program.credentials(),
            program: Some(program),
            process: None,
            container: None,
            log: None,
            data: None,
        }
    }

    #[test]
    fn careless_servers_are_given_to_nobody_who_does_not_ask_for_them() {
        let missing = Missing {
            kind: Kind::S3,
            name: Native::S3sFs.name().to_owned(),
            reason: "it did not start".to_owned(),
            program: Some(Native::S3sFs),
        };
        let servers = Servers {
            servers: vec![started(Native::Moto), started(Native::Garage)],
            missing: vec![missing.clone()],
        };
        let names: Vec<String> = servers
            .of(Kind::S3)
            .into_iter()
            .map(|server| server.name)
            .collect();
        assert_eq!(names, ["moto"]);
        assert_eq!(servers.missing(Kind::S3), []);
        match servers.careless().as_slice() {
            [Ok(garage), Err(s3s_fs)] => {
                assert_eq!((garage.name.as_str(), s3s_fs), ("Garage", &missing));
            }
            others => panic!("{others:?}"),
        }
    }
}
