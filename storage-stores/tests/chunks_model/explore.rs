//! Every order of every step, once.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::completer::{Complete, Completer};
use crate::deleter::{Delete, Deleter};
use crate::machines::Process;
use crate::quarantiner::Quarantiner;
use crate::repairer::Repair;
use crate::saver::{Save, Saver};
use crate::world::{Content, Mistake, Object, Record, Token, World};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    world: World,
    processes: Vec<Process>,
}

/// What was explored.
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) violation: Option<&'static str>,
    /// How many states no process can leave.
    pub(crate) ends: usize,
}

pub(crate) fn explore(world: World, processes: &[Process], mistake: Option<Mistake>) -> Explored {
    let mut stack = vec![State {
        world,
        processes: processes.to_vec(),
    }];
    let mut seen = HashSet::new();
    let mut explored = Explored {
        states: 0,
        violation: None,
        ends: 0,
    };
    while let Some(mut state) = stack.pop() {
        state.make_canonical();
        if !seen.insert(fingerprint(&state)) {
            continue;
        }
        explored.states += 1;
        explored.violation = state.world.check();
        if explored.violation.is_some() {
            return explored;
        }
        let mut left = false;
        for at in 0..state.processes.len() {
            let mut next = state.clone();
            if next.processes[at].step(&mut next.world, mistake) {
                left = true;
                stack.push(next);
            }
        }
        explored.ends += usize::from(!left);
    }
    explored
}

/// Two states with the same 64 bits would hide what lies behind one of them; of two million that is unlikely, and harmless.
fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

impl State {
    /// Numbers tokens in the order they are met, since only whether two are the same matters; then states that differ in nothing else
    /// are one, and there are finitely many.
    fn make_canonical(&mut self) {
        let mut names = BTreeMap::new();
        let mut rename = |token: &mut Token| {
            if *token > 0 {
                let fresh = Token::try_from(names.len() + 1).unwrap();
                *token = *names.entry(*token).or_insert(fresh);
            }
        };
        // What a process that has ended remembers no longer matters.
        let live: Vec<Token> = self.world.content.iter().map(|content| content.upload).collect();
        self.world.acknowledged.retain(|upload| live.contains(upload));
        tokens_of_world(&mut self.world, &mut rename);
        for process in &mut self.processes {
            match process {
                Process::Save(saver) => tokens_of_saver(saver, &mut rename),
                Process::Complete(completer) => tokens_of_completer(completer, &mut rename),
                Process::Delete(deleter) => tokens_of_deleter(deleter, &mut rename),
                Process::Repair(repairer) => {
                    if repairer.at == Repair::Done {
                        (repairer.name, repairer.orphan) = (0, 0);
                    }
                    rename(&mut repairer.name);
                    rename(&mut repairer.orphan);
                }
                Process::Quarantine(quarantiner) => tokens_of_quarantiner(quarantiner, &mut rename),
            }
        }
        self.world.last = Token::try_from(names.len()).unwrap();
    }
}

fn tokens_of_quarantiner(quarantiner: &mut Quarantiner, rename: &mut impl FnMut(&mut Token)) {
    if let Quarantiner::Judge(object) | Quarantiner::Delete(object) = quarantiner {
        rename(&mut object.version);
    }
}

fn tokens_of_world(world: &mut World, rename: &mut impl FnMut(&mut Token)) {
    world
        .content
        .iter_mut()
        .for_each(|content| tokens_of_content(content, rename));
    world
        .record
        .iter_mut()
        .for_each(|record| tokens_of_record(record, rename));
    let mut renamed = |(mut name, mut object): (Token, Object)| {
        rename(&mut name);
        rename(&mut object.version);
        (name, object)
    };
    world.objects = std::mem::take(&mut world.objects)
        .into_iter()
        .map(&mut renamed)
        .collect();
    world.acknowledged.iter_mut().for_each(rename);
}

fn tokens_of_content(content: &mut Content, rename: &mut impl FnMut(&mut Token)) {
    rename(&mut content.version);
    rename(&mut content.upload);
    rename(&mut content.revision);
}

fn tokens_of_record(record: &mut Record, rename: &mut impl FnMut(&mut Token)) {
    rename(&mut record.version);
    rename(&mut record.upload);
}

fn tokens_of_saver(saver: &mut Saver, rename: &mut impl FnMut(&mut Token)) {
    match saver.at {
        Save::Begin | Save::Insert | Save::FinishDeletion | Save::Done | Save::Refused => {
            (saver.upload, saver.intended, saver.complete) = (0, 0, false);
        }
        Save::Mark | Save::MarkSwap(_) | Save::Stat | Save::Check(_) | Save::Write(_) | Save::Settle => {}
        _ => saver.intended = 0,
    }
    rename(&mut saver.upload);
    rename(&mut saver.intended);
    match &mut saver.at {
        Save::AdoptWrite(token) | Save::Heal(token) => rename(token),
        Save::HealCheck(token, over) => {
            rename(token);
            over.iter_mut().for_each(&mut *rename);
        }
        Save::HealWrite(over) | Save::Check(over) | Save::Write(over) => {
            over.iter_mut().for_each(&mut *rename)
        }
        Save::Confirm(record) | Save::Intend(record) => tokens_of_record(record, rename),
        Save::MarkSwap(content) => tokens_of_content(content, rename),
        _ => {}
    }
    if let Some(deleter) = &mut saver.deletion {
        tokens_of_deleter(deleter, rename);
    }
}

fn tokens_of_completer(completer: &mut Completer, rename: &mut impl FnMut(&mut Token)) {
    if matches!(completer.at, Complete::Begin | Complete::Done) {
        (completer.upload, completer.revision) = (0, 0);
    }
    rename(&mut completer.upload);
    rename(&mut completer.revision);
    match &mut completer.at {
        Complete::ReadForSettling(record) | Complete::ReadObject(record) => tokens_of_record(record, rename),
        Complete::Swap(_, content) => tokens_of_content(content, rename),
        _ => {}
    }
    if let Some(saver) = &mut completer.settling {
        tokens_of_saver(saver, rename);
    }
}

fn tokens_of_deleter(deleter: &mut Deleter, rename: &mut impl FnMut(&mut Token)) {
    if matches!(deleter.at, Delete::Begin | Delete::Mark(_) | Delete::Done) {
        deleter.mark = 0;
    }
    if matches!(deleter.at, Delete::Remove | Delete::Done) {
        deleter.page.clear();
    }
    rename(&mut deleter.mark);
    for (name, version) in &mut deleter.page {
        rename(name);
        rename(version);
    }
    match &mut deleter.at {
        Delete::Mark(content) => tokens_of_content(content, rename),
        Delete::Look(record) | Delete::Unrecord(record) => record.iter_mut().for_each(rename),
        _ => {}
    }
}
