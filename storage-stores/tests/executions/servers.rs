//! The laws of the executions store on every server there is, each in a database or under a prefix of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(dead_code, reason = "the program beside this one tests what needs no server")]

mod concurrent;
mod corrupt;
mod delete;
mod faulty;
mod fork;
mod ids;
mod interrupted;
mod lifecycle;
mod list;
mod output;
mod place;
mod retention;
mod save;
mod values;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use storage_core::{StorageAdapter, random_u128};
use storage_factory::Factory;
use test_servers::{Kind, Server, Servers};

use crate::place::{Law, Place};

const LAWS: &[(&str, &[Law])] = &[
    ("concurrent", concurrent::LAWS),
    ("corrupt", corrupt::LAWS),
    ("delete", delete::LAWS),
    ("fork", fork::LAWS),
    ("ids", ids::LAWS),
    ("interrupted", interrupted::LAWS),
    ("lifecycle", lifecycle::LAWS),
    ("list", list::LAWS),
    ("output", output::LAWS),
    ("retention", retention::LAWS),
    ("save", save::LAWS),
    ("values", values::LAWS),
];

fn main() -> ExitCode {
    let servers = Servers::load().unwrap();
    let mut tests = Vec::new();
    for kind in Kind::ALL {
        for server in servers.of(kind) {
            tests.extend(each_law().map(|(name, law)| on(&server, name, law)));
        }
        for missing in servers.missing(kind) {
            tests.extend(each_law().map(|(name, _)| absent(&missing.name, &missing.reason, &name)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

fn each_law() -> impl Iterator<Item = (String, Law)> {
    LAWS.iter()
        .flat_map(|(file, laws)| laws.iter().map(move |law| (format!("{file}::{}", law.0), *law)))
}

fn on(server: &Server, name: String, (_, check): Law) -> Trial {
    let url = server.url_at(&format!("executions-{:016x}", random_u128() >> 64));
    Trial::test(format!("{}::{name}", server.name.to_lowercase()), move || {
        let open = move || {
            let url = url.clone();
            let opening: futures::future::BoxFuture<'static, Arc<dyn StorageAdapter>> =
                Box::pin(async move { Factory::default().open_adapter(&url).await.unwrap() });
            opening
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(check(&Place::Server(Box::new(open))));
        Ok(())
    })
}

/// What is not there never counts as passed.
fn absent(server: &str, reason: &str, name: &str) -> Trial {
    let reason = reason.to_owned();
    Trial::test(format!("{}::{name}", server.to_lowercase()), move || Err(reason.into()))
        .with_kind("not available")
        .with_ignored_flag(true)
}
