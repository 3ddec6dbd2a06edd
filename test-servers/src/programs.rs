//! Test programs over servers: tests are made when it is known which servers there are, and those of a server that is not there
//! never pass.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::servers::required;
use crate::{Kind, Missing, Native, Server, Servers, install};

/// Runs the tests that are made for each server of these kinds, and those that stand for a server that is not there.
///
/// # Panics
/// When the servers cannot be asked for, or one is not there and `STORAGE_REQUIRE` names its kind.
pub fn run(
    kinds: &[Kind],
    on_server: impl Fn(Server) -> Vec<Trial>,
    absent: impl Fn(&str, &str) -> Vec<Trial>,
) -> ExitCode {
    let servers = load();
    let mut tests = Vec::new();
    for kind in kinds {
        tests.extend(servers.of(*kind).into_iter().map(&on_server));
        let missing = servers.missing(*kind).into_iter();
        tests.extend(missing.map(|missing| absent(&missing.name, &missing.reason)));
    }
    exit(in_turn(tests))
}

/// One test of each server, then the next of each: all servers are asked all the time, and none by all threads at once.
fn in_turn(tests: Vec<Vec<Trial>>) -> Vec<Trial> {
    let mut servers: Vec<_> = tests.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    while !servers.is_empty() {
        servers.retain_mut(|tests| {
            let next = tests.next();
            let is_more = next.is_some();
            all.extend(next);
            is_more
        });
    }
    all
}

/// Runs a test on each of [`Native::CARELESS`]. Where one is not up its test is ignored and says why.
///
/// # Panics
/// When the servers cannot be asked for.
pub fn run_careless<F>(name: &str, test: impl Fn(Server) -> F + Clone + Send + 'static) -> ExitCode
where
    F: Future<Output = ()>,
{
    let on_one = |found: Result<Server, Missing>| match found {
        Ok(server) => {
            let (name, test) = (careless_name(&server.name, name), test.clone());
            trial(name, move || test(server))
        }
        Err(Missing {
            name: server, reason, ..
        }) => {
            let reason = format!("{server}: {reason}");
            eprintln!("NOT AVAILABLE: {reason}");
            not_available(&careless_name(&server, name), &reason, false)
        }
    };
    exit(load().careless().into_iter().map(on_one).collect())
}

fn careless_name(server: &str, test: &str) -> String {
    format!("{}::{test}", server.to_lowercase())
}

/// Runs the tests that are made for each of these servers and start it themselves, with [`Native::spawn`]. Where it is not
/// installed they are ignored and say why; where `STORAGE_REQUIRE` names its kind they fail.
///
/// # Panics
/// When there are no threads to be had, or `STORAGE_REQUIRE` names what is no kind.
pub fn run_natives(natives: &[Native], tests: impl Fn(Native) -> Vec<Trial>) -> ExitCode {
    let required = required(std::env::var("STORAGE_REQUIRE").ok().as_deref());
    let required = required.unwrap_or_else(|error| panic!("{error}"));
    let on_one = |native: &Native| match block_on(install::installed(*native)) {
        Ok(_) => tests(*native),
        Err(reason) => {
            eprintln!("NOT AVAILABLE: {reason}");
            let required = required.contains(&native.kind());
            let absent = |test: Trial| not_available(test.name(), &reason.to_string(), required);
            tests(*native).into_iter().map(absent).collect()
        }
    };
    exit(natives.iter().flat_map(on_one).collect())
}

/// A test that is a future, with a runtime of its own.
///
/// # Panics
/// The test does, when there are no threads to be had.
pub fn trial<F>(name: impl Into<String>, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    Trial::test(name, move || {
        block_on(test());
        Ok(())
    })
}

/// The test of this name for a server that is not there: ignored, and failing with the reason when it is asked for with
/// `--ignored`.
pub fn absent_trial(name: &str, reason: &str) -> Trial {
    not_available(name, reason, false)
}

/// The test of this name, which fails with the reason when it is run: if it is required, or asked for with `--ignored`.
fn not_available(name: &str, reason: &str, required: bool) -> Trial {
    let reason = reason.to_owned();
    Trial::test(name, move || Err(reason.into()))
        .with_kind("not available")
        .with_ignored_flag(!required)
}

fn load() -> Servers {
    Servers::load().unwrap_or_else(|error| panic!("the servers of the tests: {error}"))
}

fn exit(tests: Vec<Trial>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Tests wait for servers most of their time, so more of them than there are processors keep one busy.
    arguments.test_threads.get_or_insert(8);
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Two, so that what races can.
        .worker_threads(2)
        .enable_all()
        .build();
    runtime
        .unwrap_or_else(|error| panic!("no runtime: {error}"))
        .block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_turns() {
        let tests = |names: &[&str]| {
            let tests = names.iter().map(|name| Trial::test(*name, || Ok(())));
            tests.collect::<Vec<_>>()
        };
        let all = in_turn(vec![tests(&["a1", "a2", "a3"]), tests(&[]), tests(&["b1"])]);
        let names: Vec<&str> = all.iter().map(Trial::name).collect();
        assert_eq!(names, ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn what_is_not_available_fails_if_it_is_run_and_is_run_if_it_is_required() {
        for required in [false, true] {
            let test = not_available("one::test", "it is not here", required);
            assert_eq!((test.name(), test.kind()), ("one::test", "not available"));
            assert_eq!(test.has_ignored_flag(), !required);
            // To a file: whoever adds up what test programs print must not find this one.
            let log = tempfile::NamedTempFile::new().unwrap();
            let arguments = Arguments {
                include_ignored: true,
                logfile: Some(log.path().display().to_string()),
                ..Arguments::default()
            };
            let conclusion = libtest_mimic::run(&arguments, vec![test]);
            assert_eq!((conclusion.num_passed, conclusion.num_failed), (0, 1));
        }
    }
}
