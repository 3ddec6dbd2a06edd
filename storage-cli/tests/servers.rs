//! The `storage` command on every server there is, told where to go by its environment alone.
#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

#[allow(dead_code, reason = "the program beside this one uses the rest")]
#[path = "command/shell.rs"]
mod shell;

use std::process::ExitCode;

use libtest_mimic::Trial;
use storage_core::random_u128;
use storage_factory::Factory;
use test_servers::{Kind, Places, Server, Servers, absent_trial, run};

use self::shell::Shell;

/// What the tests are called.
const BY_URL: &str = "objects_documents_and_logs_by_url";
const PAIR: &str = "documents_in_mongodb_and_objects_in_a_bucket";
const CONFORMANCE: &str = "a_run_of_the_suite_leaves_nothing_behind";

fn main() -> ExitCode {
    run(
        &Kind::ALL,
        |server| {
            let name = format!("{}::{BY_URL}", server.name.to_lowercase());
            let mut tests = vec![Trial::test(name, {
                let server = server.clone();
                move || {
                    by_url(&server);
                    Ok(())
                }
            })];
            let name = format!("{}::{CONFORMANCE}", server.name.to_lowercase());
            tests.push(Trial::test(name, {
                let server = server.clone();
                move || {
                    conformance(&server);
                    Ok(())
                }
            }));
            if server.kind == Kind::Mongo {
                let name = format!("{}::{PAIR}", server.name.to_lowercase());
                tests.push(Trial::test(name, move || pair(&server)));
            }
            tests
        },
        |server, reason| {
            [BY_URL, CONFORMANCE]
                .map(|test| absent_trial(&format!("{}::{test}", server.to_lowercase()), reason))
                .into()
        },
    )
}

/// A place on a server: its URL, and the shell in which the command finds its way there.
struct At<'a> {
    server: &'a Server,
    name: String,
}

impl<'a> At<'a> {
    fn new(server: &'a Server) -> Self {
        Self {
            server,
            name: format!("cli-{:016x}", random_u128() >> 64),
        }
    }

    fn url(&self) -> String {
        let mut url = self.server.url.clone();
        if self.server.name == "moto" {
            // It looks and writes without a lock: on a busy machine the probe finds two winners now and then, and refuses documents.
            url.push_str("&conditional_writes=trust");
        }
        let url = Factory::default().parse(&url).unwrap();
        url.with_path(&format!("/{}", self.name))
            .with_secrets()
            .to_owned()
    }

    /// The shell with what the server wants to be known.
    fn admitted(&self, shell: Shell) -> Shell {
        let credentials = self.server.credentials.iter();
        credentials.fold(shell, |shell, (name, value)| shell.with(name, value))
    }

    fn wipe(self) {
        let places = Places::new(self.server.clone());
        runtime().block_on(places.wipe(&self.name)).unwrap();
    }

    /// What the server has of this place and of those beside it.
    fn names(&self) -> Vec<String> {
        let places = Places::new(self.server.clone());
        runtime().block_on(places.names(&self.name)).unwrap()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn by_url(server: &Server) {
    let at = At::new(server);
    let variable = if server.kind == Kind::Mongo {
        "MONGODB_URL"
    } else {
        "STORAGE_URL"
    };
    let shell = at.admitted(Shell::new().with(variable, &at.url()));
    let put = shell.run_with_input(&["put", "notes/a.txt", "-"], b"hello");
    assert_eq!(put.code, 0, "{}", put.err);
    assert_eq!(shell.ok(&["get", "notes/a.txt"]), "hello");
    assert_eq!(shell.ok(&["ls", "notes/"]).trim(), "notes/a.txt");
    let document = shell.run(&["doc", "put", "people", "ada", r#"{"name":"Ada","age":36}"#]);
    if server_takes_documents(server) {
        assert_eq!(document.code, 0, "{}", document.err);
        assert!(shell.ok(&["doc", "get", "people", "ada"]).contains("Ada"));
        shell.ok(&["log", "append", "events", "one", "two"]);
        assert_eq!(shell.ok(&["log", "read", "events"]).lines().count(), 2);
    } else {
        assert_ne!(document.code, 0, "documents on {}", server.name);
        assert!(document.err.contains(&server.name), "{}", document.err);
    }
    for secret in server.credentials.values() {
        assert!(!document.err.contains(secret.as_str()), "{}", document.err);
    }
    assert_ne!(at.names(), [""; 0], "what is there is seen");
    at.wipe();
}

/// FerretDB changes documents in two steps, so nothing that needs one is offered on it.
fn server_takes_documents(server: &Server) -> bool {
    server.name != "FerretDB"
}

/// Objects, documents with their indexes, and logs.
fn conformance(server: &Server) {
    let at = At::new(server);
    let shell = at.admitted(Shell::new());
    for only in ["harness.places-*", "index.ensure-*", "log.closed-*"] {
        let url = at.url();
        let ended = shell.run(&["conformance", &url, "--only", only, "--tier", "smoke"]);
        assert_eq!(ended.code, 0, "{only}: {}{}", ended.out, ended.err);
        assert_eq!(at.names(), [""; 0], "after {only}");
    }
}

fn pair(documents: &Server) -> Result<(), libtest_mimic::Failed> {
    if !server_takes_documents(documents) {
        return Ok(());
    }
    let buckets = Servers::load()?.of(Kind::S3);
    let bucket = buckets.first().ok_or("no S3 server is there for the objects")?;
    let (documents, objects) = (At::new(documents), At::new(bucket));
    let shell = Shell::new()
        .with("STORAGE_DOCUMENTS_URL", &documents.url())
        .with("STORAGE_OBJECTS_URL", &objects.url());
    let shell = documents.admitted(objects.admitted(shell));
    let put = shell.run_with_input(&["put", "notes/a.txt", "-"], b"hello");
    assert_eq!(put.code, 0, "{}", put.err);
    shell.ok(&["doc", "put", "people", "ada", r#"{"name":"Ada"}"#]);

    let bucket = objects.admitted(Shell::on(&objects.url()));
    assert_eq!(
        bucket.ok(&["get", "notes/a.txt"]),
        "hello",
        "the object is in the bucket"
    );
    assert_eq!(bucket.ok(&["doc", "ls"]), "", "and no document is");
    let database = documents.admitted(Shell::on(&documents.url()));
    assert_eq!(
        database.ok(&["doc", "ls"]),
        "people\n",
        "the document is in MongoDB"
    );
    assert_eq!(database.ok(&["ls"]), "", "and no object is");
    documents.wipe();
    objects.wipe();
    Ok(())
}
