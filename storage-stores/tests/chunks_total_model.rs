//! What sessions have reserved together, as small machines, explored exhaustively: a step is one call of the storage, and every order of
//! steps of two or three processes is tried. One that crashed or is paused takes no further step, and everything is checked in every
//! state, so every crash and every pause is among them.
//!
//! The machines do what `sessions.rs` and `totals.rs` of the store do, call by call; change the protocol here first. That the model can
//! see a fault at all is shown by making the mistakes the protocol rules out.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

use std::collections::HashSet;

type Token = u8;
/// A bit for each content that has something reserved.
type Contents = u8;

/// The bytes of all sessions together.
const LIMIT: u8 = 10;

/// What each content needs.
const fn bytes(contents: Contents) -> u8 {
    const NEEDS: [u8; 4] = [6, 4, 3, 1];
    let (mut sum, mut at) = (0, 0);
    while at < NEEDS.len() {
        if contents & (1 << at) != 0 {
            sum += NEEDS[at];
        }
        at += 1;
    }
    sum
}

/// The document with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Totals {
    version: Token,
    of: [u8; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Session {
    version: Token,
    contents: Contents,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    totals: Totals,
    sessions: [Option<Session>; 2],
    last: Token,
}

impl World {
    /// Two sessions with these contents.
    fn with(sessions: [Option<Contents>; 2]) -> Self {
        let contents = sessions.map(Option::unwrap_or_default);
        let mut last = 1;
        let sessions = sessions.map(|contents| {
            last += 1;
            let version = last;
            contents.map(|contents| Session { version, contents })
        });
        let totals = Totals {
            version: 1,
            of: contents.map(bytes),
        };
        Self {
            totals,
            sessions,
            last,
        }
    }

    fn token(&mut self) -> Token {
        self.last = self.last.checked_add(1).unwrap();
        self.last
    }

    fn swap_totals(&mut self, over: Token, of: [u8; 2]) -> bool {
        if self.totals.version != over {
            return false;
        }
        let version = self.token();
        self.totals = Totals { version, of };
        true
    }

    fn swap_session(&mut self, at: usize, over: Option<Token>, contents: Option<Contents>) -> Option<Token> {
        if self.sessions[at].map(|session| session.version) != over {
            return None;
        }
        let version = self.token();
        self.sessions[at] = contents.map(|contents| Session { version, contents });
        Some(version)
    }

    fn rename(&mut self, name: &mut impl FnMut(&mut Token)) {
        name(&mut self.totals.version);
        self.sessions
            .iter_mut()
            .flatten()
            .for_each(|session| name(&mut session.version));
    }

    fn violation(&self) -> Option<String> {
        let has = self
            .sessions
            .map(|session| session.map_or(0, |session| bytes(session.contents)));
        if has.iter().sum::<u8>() > LIMIT {
            return Some(format!("more than the limit: {self:?}"));
        }
        let hidden = has.iter().zip(self.totals.of).any(|(has, number)| number < *has);
        hidden.then(|| format!("a number is less than what the session has: {self:?}"))
    }
}

/// The same state, with its tokens named in the order they are met: those who make each other try again go in circles, and do not go
/// on for ever.
fn canonical((mut world, mut processes): (World, Vec<Process>)) -> (World, Vec<Process>) {
    let mut met: Vec<Token> = Vec::new();
    let mut name = |token: &mut Token| {
        let at = met.iter().position(|other| other == token).unwrap_or_else(|| {
            met.push(*token);
            met.len() - 1
        });
        *token = u8::try_from(at + 1).unwrap();
    };
    world.rename(&mut name);
    for process in &mut processes {
        process.at.rename(&mut name);
        if process.made > 0 {
            name(&mut process.made);
        }
    }
    world.last = u8::try_from(met.len()).unwrap();
    (world, processes)
}

/// What the protocol rules out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// The session is swapped before there is room.
    SessionFirst,
    /// What an attempt that was lost had raised stays.
    LeaveTooHigh,
    /// A number that is enough already is not written.
    DoNotWriteEnough,
    /// What was read before the number was raised is not what the swap depends on.
    SwapAnyway,
    /// The number is brought down without writing the session.
    DoNotFence,
    /// Where no session is, it is made with what it is to have.
    CreateWithBytes,
    /// The number is brought down as it is now, not as it was before the session was written.
    ReadTotalsLate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Reserves what a content needs.
    Reserve(Contents),
    /// Gives back what it needed.
    Settle(Contents),
    Reconcile,
    /// Deletes the session if nothing is left in it.
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Begin,
    Room(Option<Session>),
    Raise(Option<Session>, Totals),
    Swap(Option<Session>),
    Read(Totals),
    Write(Totals, Option<Session>),
    Lower(Totals, u8),
    LowerLate(u8),
    Create,
    Unmake,
    Delete(Session),
    Done,
    Refused,
}

impl At {
    fn rename(&mut self, name: &mut impl FnMut(&mut Token)) {
        let (totals, session) = match self {
            Self::Room(session) | Self::Swap(session) => (None, session.as_mut()),
            Self::Raise(session, totals) | Self::Write(totals, session) => (Some(totals), session.as_mut()),
            Self::Read(totals) | Self::Lower(totals, _) => (Some(totals), None),
            Self::Delete(session) => (None, Some(session)),
            Self::Begin | Self::Create | Self::Unmake | Self::LowerLate(_) | Self::Done | Self::Refused => {
                (None, None)
            }
        };
        if let Some(totals) = totals {
            name(&mut totals.version);
        }
        if let Some(session) = session {
            name(&mut session.version);
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Process {
    session: usize,
    kind: Kind,
    at: At,
    /// The most it raised the number to.
    raised: u8,
    /// Refused, and brings down what it raised.
    refused: bool,
    /// The version of the session that it made, empty, or 0.
    made: Token,
}

impl Process {
    const fn new(session: usize, kind: Kind) -> Self {
        Self {
            session,
            kind,
            at: At::Begin,
            raised: 0,
            refused: false,
            made: 0,
        }
    }

    fn step(&mut self, world: &mut World, mistake: Option<Mistake>) -> bool {
        self.at = match (self.kind, self.at) {
            (_, At::Done | At::Refused) => return false,
            (Kind::Reserve(contents), _) => self.reserve(world, contents, mistake),
            (Kind::Settle(contents), _) => self.settle(world, contents, mistake),
            (Kind::Reconcile, _) => self.reconcile(world, mistake),
            (Kind::Remove, At::Begin) => match world.sessions[self.session] {
                Some(session) if session.contents == 0 => At::Delete(session),
                _ => At::Done,
            },
            (Kind::Remove, At::Delete(session)) => {
                let deleted = world.swap_session(self.session, Some(session.version), None);
                if deleted.is_some() { At::Done } else { At::Begin }
            }
            (Kind::Remove, at) => unreachable!("{at:?}"),
        };
        true
    }

    fn reserve(&mut self, world: &mut World, wanted: Contents, mistake: Option<Mistake>) -> At {
        let with = |session: Option<Session>| session.map_or(0, |session| session.contents) | wanted;
        match self.at {
            At::Begin => match world.sessions[self.session] {
                Some(session) if session.contents & wanted != 0 => self.lowering(self.raised > 0, mistake),
                None if mistake != Some(Mistake::CreateWithBytes) => At::Create,
                session if mistake == Some(Mistake::SessionFirst) => At::Swap(session),
                session => At::Room(session),
            },
            At::Create => {
                self.made = world
                    .swap_session(self.session, None, Some(0))
                    .unwrap_or(self.made);
                At::Begin
            }
            At::Unmake => {
                world.swap_session(self.session, Some(self.made), None);
                At::Refused
            }
            At::Room(session) => {
                let (total, totals) = (bytes(with(session)), world.totals);
                let enough = totals.of[self.session] >= total;
                if enough && mistake == Some(Mistake::DoNotWriteEnough) {
                    At::Swap(session)
                } else if !enough && totals.of[1 - self.session] + total > LIMIT {
                    self.refused = true;
                    self.lowering(self.raised > 0, mistake)
                } else {
                    At::Raise(session, totals)
                }
            }
            At::Raise(session, mut totals) => {
                totals.of[self.session] = totals.of[self.session].max(bytes(with(session)));
                if world.swap_totals(totals.version, totals.of) {
                    self.raised = self.raised.max(bytes(with(session)));
                    if mistake == Some(Mistake::SessionFirst) {
                        At::Done
                    } else {
                        At::Swap(session)
                    }
                } else {
                    At::Room(session)
                }
            }
            At::Swap(session) => {
                let over = match mistake {
                    Some(Mistake::SwapAnyway) => world.sessions[self.session],
                    _ => session,
                };
                let over = over.map(|session| session.version);
                match world.swap_session(self.session, over, Some(with(session))) {
                    Some(_) if mistake == Some(Mistake::SessionFirst) => At::Room(session),
                    Some(_) => self.lowering(self.raised > bytes(with(session)), mistake),
                    None => At::Begin,
                }
            }
            at => unreachable!("{at:?}"),
        }
    }

    /// The end of a reservation, which brings down what an attempt that was lost had raised.
    fn lowering(&mut self, too_high: bool, mistake: Option<Mistake>) -> At {
        if too_high && mistake != Some(Mistake::LeaveTooHigh) {
            self.kind = Kind::Reconcile;
            return At::Begin;
        }
        self.end()
    }

    /// Who is refused takes away the session that was made for it.
    const fn end(&self) -> At {
        match self.refused {
            true if self.made > 0 => At::Unmake,
            true => At::Refused,
            false => At::Done,
        }
    }

    fn settle(&mut self, world: &mut World, gone: Contents, mistake: Option<Mistake>) -> At {
        match self.at {
            At::Begin => At::Read(world.totals),
            At::Read(totals) => match world.sessions[self.session] {
                Some(session) if session.contents & gone != 0 => At::Write(totals, Some(session)),
                _ => At::Done,
            },
            At::Write(totals, session) => {
                let session = session.unwrap();
                let left = session.contents & !gone;
                match world.swap_session(self.session, Some(session.version), Some(left)) {
                    Some(_) if mistake == Some(Mistake::ReadTotalsLate) => At::LowerLate(bytes(left)),
                    Some(_) if totals.of[self.session] == bytes(left) => At::Done,
                    Some(_) => At::Lower(totals, bytes(left)),
                    None => At::Begin,
                }
            }
            At::LowerLate(total) => At::Lower(world.totals, total),
            At::Lower(mut totals, total) => {
                totals.of[self.session] = total;
                if world.swap_totals(totals.version, totals.of) {
                    return At::Done;
                }
                self.kind = Kind::Reconcile;
                At::Begin
            }
            at => unreachable!("{at:?}"),
        }
    }

    fn reconcile(&self, world: &mut World, mistake: Option<Mistake>) -> At {
        match self.at {
            At::Begin => At::Read(world.totals),
            At::Read(totals) => {
                let session = world.sessions[self.session];
                let total = session.map_or(0, |session| bytes(session.contents));
                if totals.of[self.session] == total {
                    self.end()
                } else if session.is_none() || mistake == Some(Mistake::DoNotFence) {
                    At::Lower(totals, total)
                } else {
                    At::Write(totals, session)
                }
            }
            At::Write(totals, session) => {
                let Session { version, contents } = session.unwrap();
                match world.swap_session(self.session, Some(version), Some(contents)) {
                    Some(_) => At::Lower(totals, bytes(contents)),
                    None => At::Begin,
                }
            }
            At::Lower(mut totals, total) => {
                totals.of[self.session] = total;
                if world.swap_totals(totals.version, totals.of) {
                    self.end()
                } else {
                    At::Begin
                }
            }
            At::Unmake => {
                world.swap_session(self.session, Some(self.made), None);
                At::Refused
            }
            at => unreachable!("{at:?}"),
        }
    }
}

#[derive(Default)]
struct Explored {
    states: usize,
    /// Which processes were refused, in each end.
    ends: HashSet<Vec<bool>>,
    violation: Option<String>,
}

fn explore(world: World, processes: &[Process], mistake: Option<Mistake>) -> Explored {
    let mut explored = Explored::default();
    let mut seen = HashSet::new();
    let mut open = vec![(world, processes.to_vec())];
    while let Some(state) = open.pop() {
        let state = canonical(state);
        if !seen.insert(state.clone()) {
            continue;
        }
        explored.states += 1;
        let (world, processes) = state;
        explored.violation = world.violation();
        let mut over = true;
        for at in 0..processes.len() {
            let (mut world, mut processes) = (world.clone(), processes.clone());
            if processes[at].step(&mut world, mistake) {
                over = false;
                open.push((world, processes));
            }
        }
        if over {
            let exact = world
                .sessions
                .map(|session| session.map_or(0, |session| bytes(session.contents)));
            if explored.violation.is_none() && world.totals.of != exact {
                explored.violation = Some(format!("nobody crashed, and a number is too high: {world:?}"));
            }
            explored.ends.insert(
                processes
                    .iter()
                    .map(|process| process.at == At::Refused)
                    .collect(),
            );
        }
        if explored.violation.is_some() {
            break;
        }
    }
    explored
}

const A: Contents = 1;
const B: Contents = 2;
const C: Contents = 4;
const D: Contents = 8;

const fn reserve(session: usize, contents: Contents) -> Process {
    Process::new(session, Kind::Reserve(contents))
}

const fn settle(session: usize, contents: Contents) -> Process {
    Process::new(session, Kind::Settle(contents))
}

const fn reconcile(session: usize) -> Process {
    Process::new(session, Kind::Reconcile)
}

const fn remove(session: usize) -> Process {
    Process::new(session, Kind::Remove)
}

/// Who reserved before the scene begins and is gone, so that a number is too high.
fn crashed(mut world: World, session: usize, number: u8) -> World {
    world.totals.of[session] = number;
    world
}

type Scene = (&'static str, World, Vec<Process>);

fn scenes() -> Vec<Scene> {
    let empty = || World::with([None, None]);
    vec![
        (
            "two that fit together",
            empty(),
            vec![reserve(0, A), reserve(1, B)],
        ),
        (
            "two in one session that fit",
            empty(),
            vec![reserve(0, A), reserve(0, B)],
        ),
        (
            "three, of which two fit",
            empty(),
            vec![reserve(0, A), reserve(1, B), reserve(1, C)],
        ),
        (
            "one comes, one goes, one is refused or not",
            World::with([Some(A), None]),
            vec![settle(0, A), reserve(0, B), reserve(1, C)],
        ),
        (
            "one comes beside a cleanup",
            crashed(World::with([Some(D), None]), 0, 5),
            vec![reserve(0, B), reconcile(0), settle(0, D)],
        ),
        (
            "one comes where a crash left a number of no session",
            crashed(empty(), 0, 6),
            vec![reserve(0, B), reconcile(0), reserve(1, C)],
        ),
        (
            "a session goes while one comes",
            World::with([Some(A), None]),
            vec![settle(0, A), remove(0), reserve(0, B)],
        ),
        (
            "a session that is gone and a cleanup, while one comes",
            crashed(World::with([Some(0), None]), 0, 4),
            vec![remove(0), reconcile(0), reserve(0, B)],
        ),
        (
            "a session comes and goes while one comes",
            crashed(empty(), 0, 4),
            vec![reserve(0, C), settle(0, C), remove(0), reserve(0, D)],
        ),
        (
            "two cleanups and one who comes",
            crashed(World::with([Some(D), None]), 0, 5),
            vec![reconcile(0), reconcile(0), reserve(0, C)],
        ),
        (
            "one that is there already, and one that takes it away",
            World::with([Some(B), Some(C)]),
            vec![reserve(0, B), settle(0, B), reserve(1, D)],
        ),
    ]
}

#[test]
fn no_order_of_steps_exceeds_the_limit_or_hides_bytes() {
    let mut states = 0;
    for (name, world, processes) in scenes() {
        let explored = explore(world, &processes, None);
        println!("{:>7} states: {name}", explored.states);
        assert_eq!(explored.violation, None, "{name}");
        assert!(!explored.ends.is_empty(), "{name} never ends");
        states += explored.states;
    }
    println!("{states:>7} states in all");
    assert!(states > 2_000, "the model has become too small: {states} states");
}

#[test]
fn who_fits_is_not_refused_and_who_does_not_is() {
    let ends = |name: &str| {
        let (_, world, processes) = scenes().into_iter().find(|scene| scene.0 == name).unwrap();
        explore(world, &processes, None).ends
    };
    for name in ["two that fit together", "two in one session that fit"] {
        assert_eq!(ends(name), HashSet::from([vec![false, false]]), "{name}");
    }
    for end in ends("three, of which two fit") {
        assert_eq!(end.iter().filter(|refused| **refused).count(), 1, "{end:?}");
    }
}

macro_rules! mistakes_are_caught {
    ($($test:ident: $mistake:ident,)*) => {
        $(
            #[test]
            fn $test() {
                let caught = scenes().into_iter().find_map(|(name, world, processes)| {
                    Some((name, explore(world, &processes, Some(Mistake::$mistake)).violation?))
                });
                println!("{caught:?}");
                assert!(caught.is_some(), "it does not show");
            }
        )*
    };
}

mistakes_are_caught! {
    swapping_the_session_before_there_is_room_is_caught: SessionFirst,
    leaving_a_number_too_high_is_caught: LeaveTooHigh,
    leaving_a_number_that_is_enough_is_caught: DoNotWriteEnough,
    swapping_over_what_was_not_read_is_caught: SwapAnyway,
    bringing_down_without_writing_the_session_is_caught: DoNotFence,
    making_a_session_with_what_it_is_to_have_is_caught: CreateWithBytes,
    reading_the_numbers_after_writing_the_session_is_caught: ReadTotalsLate,
}
