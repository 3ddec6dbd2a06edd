//! Test programs beside each other, in lanes: while one waits another computes.

use std::collections::VecDeque;
use std::io::{self, Read, pipe};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::programs::Program;

/// What becomes of a program.
pub(super) enum Event<'a> {
    Began(&'a Program),
    Ended(&'a Program, Ended),
}

/// How a program ended, and all it wrote to both of its streams.
pub(super) type Ended = io::Result<(ExitStatus, Vec<u8>)>;

/// The programs of a lane, of which `at_once` run at a time.
pub(super) struct Lane<'a> {
    pub(super) programs: Vec<&'a Program>,
    pub(super) at_once: usize,
}

/// Runs all programs and tells what becomes of each.
pub(super) fn run<'a>(
    lanes: Vec<Lane<'a>>,
    command: impl Fn(&Program) -> Command + Sync,
    mut tell: impl FnMut(Event<'a>),
) {
    let command = &command;
    let waiting: Vec<(usize, Mutex<VecDeque<&Program>>)> = lanes
        .into_iter()
        .map(|lane| (lane.at_once, Mutex::new(lane.programs.into())))
        .collect();
    thread::scope(|scope| {
        let (events, happened) = channel();
        for (at_once, waiting) in &waiting {
            for _ in 0..*at_once {
                let events = events.clone();
                scope.spawn(move || work(waiting, command, &events));
            }
        }
        drop(events);
        happened.into_iter().for_each(&mut tell);
    });
}

/// Runs what is waiting, one after the other.
fn work<'a>(
    waiting: &Mutex<VecDeque<&'a Program>>,
    command: &impl Fn(&Program) -> Command,
    events: &Sender<Event<'a>>,
) {
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(program) = next() {
        let began = events.send(Event::Began(program));
        let ended = began.and_then(|()| events.send(Event::Ended(program, output(command(program)))));
        if ended.is_err() {
            return; // Nobody listens any more.
        }
    }
}

/// Runs it to its end. One pipe for both streams, so that what it says stays in its order.
fn output(mut command: Command) -> Ended {
    let (mut reader, writer) = pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    drop(command); // It holds the pipe's writing end, and reading would never end.
    let mut said = Vec::new();
    let read = reader.read_to_end(&mut said);
    let status = child.wait()?;
    read?;
    Ok((status, said))
}

#[cfg(test)]
mod tests {
    use super::super::programs::tests::named;
    use super::*;
    use crate::cargo::program;

    #[test]
    fn every_program_runs_once_and_what_it_says_stays_in_its_order() {
        let programs = ["a", "b", "c"].map(named);
        let [a, b, c] = &programs;
        let lanes = vec![
            Lane {
                programs: vec![a, b],
                at_once: 1,
            },
            Lane {
                programs: vec![c],
                at_once: 2,
            },
        ];
        let command = |of: &Program| {
            let script = format!("echo {0}; echo {0} again >&2; test {0} != b", of.target);
            let mut command = program("sh");
            command.args(["-c", &script]);
            command
        };
        let mut ended = Vec::new();
        run(lanes, command, |event| {
            if let Event::Ended(program, outcome) = event {
                let (status, said) = outcome.unwrap();
                ended.push((
                    program.target.as_str(),
                    status.success(),
                    String::from_utf8(said).unwrap(),
                ));
            }
        });
        ended.sort();
        let expected = [("a", true), ("b", false), ("c", true)];
        assert_eq!(
            ended,
            expected.map(|(name, passes)| (name, passes, format!("{name}\n{name} again\n")))
        );
    }
}
