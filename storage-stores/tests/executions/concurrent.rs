//! Many at once, on two independent handles.

use std::collections::BTreeMap;

use storage_core::bson::{Bson, doc};
use storage_core::{ErrorKind, Storage};
use storage_stores::executions::{ExecutionOptions, ExecutionState, ExecutionStorage};

use crate::place::{Place, execution, laws};

laws! {
    reads_during_saves_are_never_torn,
    concurrent_appends_keep_every_line_once,
    no_conditional_save_is_lost,
    one_of_many_creators_wins,
    a_final_state_is_final_also_in_a_race,
    deletes_beside_saves_leave_all_or_nothing,
}

async fn both(place: &Place) -> [Storage; 2] {
    [place.open().await, place.open().await]
}

/// In the predecessor all of 400 such reads were torn.
async fn reads_during_saves_are_never_torn(place: &Place) {
    let [writer, reader] = both(place).await;
    let state = |round: i64| {
        let mut execution = execution("e", ExecutionState::Running);
        execution.pc = round;
        execution.stack = vec![Bson::Int64(round); 200 + usize::try_from(round).unwrap() % 7];
        execution.variables = doc! { "round": round };
        execution
    };
    writer.save_execution(&state(0)).await.unwrap();
    let writing = tokio::spawn(async move {
        for round in 1..=400 {
            writer.save_execution(&state(round)).await.unwrap();
        }
    });
    let (mut last, mut reads) = (0, 0);
    while reads < 400 || last < 400 {
        let read = reader.get_execution("e").await.unwrap().unwrap();
        assert!(read.pc >= last, "{} after {last}", read.pc);
        assert_eq!(read.variables, doc! { "round": read.pc });
        assert_eq!(
            read.stack,
            vec![Bson::Int64(read.pc); 200 + usize::try_from(read.pc).unwrap() % 7]
        );
        (last, reads) = (read.pc, reads + 1);
        assert!(
            !writing.is_finished() || last == 400 || reads < 1_000_000,
            "the last save is not seen"
        );
    }
    writing.await.unwrap();
}

async fn concurrent_appends_keep_every_line_once(place: &Place) {
    let handles = both(place).await;
    let tasks = (0..8).map(|task: usize| {
        let storage = handles[task % 2].clone();
        tokio::spawn(async move {
            for round in 0..10 {
                let lines: Vec<String> = (0..3)
                    .map(|line| format!("{task} {}", round * 3 + line))
                    .collect();
                storage.append_output("e", lines).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_whole(&handles[0].get_output("e").await.unwrap(), 8, 10);
}

/// Every task's lines are there once, in its order, and the three lines of one append stand together.
pub(crate) fn assert_whole(lines: &[String], tasks: usize, rounds: usize) {
    assert_eq!(lines.len(), tasks * rounds * 3);
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    for append in lines.chunks(3) {
        let (task, _) = append[0].split_once(' ').unwrap();
        for line in append {
            let at = next.entry(task).or_default();
            assert_eq!(line, &format!("{task} {at}"));
            *at += 1;
        }
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), vec![rounds * 3; tasks]);
}

/// Adds 1 to the program counter so often.
pub(crate) async fn count(storage: &Storage, rounds: usize) {
    for _ in 0..rounds {
        loop {
            let (mut execution, version) = storage.get_execution_with_version("e").await.unwrap().unwrap();
            execution.pc += 1;
            match storage.save_execution_if(&execution, version).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{error}"),
            }
        }
    }
}

async fn no_conditional_save_is_lost(place: &Place) {
    let handles = both(place).await;
    handles[0]
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|task: usize| {
            let storage = handles[task % 2].clone();
            tokio::spawn(async move { count(&storage, 10).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(handles[1].get_execution("e").await.unwrap().unwrap().pc, 40);
}

async fn one_of_many_creators_wins(place: &Place) {
    let handles = both(place).await;
    let tasks: Vec<_> = (0..8)
        .map(|task: usize| {
            let storage = handles[task % 2].clone();
            tokio::spawn(async move {
                let mut execution = execution("e", ExecutionState::Ready);
                execution.pc = i64::try_from(task).unwrap();
                storage.create_execution(&execution).await.map(|_| execution)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(execution) => winners.push(execution),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(handles[0].get_execution("e").await.unwrap(), winners.pop());
}

async fn a_final_state_is_final_also_in_a_race(place: &Place) {
    let handles = both(place).await;
    for round in 0..15 {
        let id = format!("e{round}");
        let tasks: Vec<_> = (0..4)
            .map(|task: usize| {
                let store =
                    handles[task % 2].executions_with(ExecutionOptions::new().enforce_transitions(true));
                let state = if task == 0 {
                    ExecutionState::Completed
                } else {
                    ExecutionState::Running
                };
                let execution = execution(&id, state);
                tokio::spawn(async move { store.save_execution(&execution).await })
            })
            .collect();
        for (task, outcome) in tasks.into_iter().enumerate() {
            match outcome.await.unwrap() {
                Ok(_) => {}
                Err(error) => assert_eq!(
                    (task > 0, error.kind()),
                    (true, ErrorKind::InvalidArgument),
                    "{error}"
                ),
            }
        }
        let state = handles[1].get_execution(&id).await.unwrap().unwrap().state;
        assert_eq!(state, ExecutionState::Completed);
    }
}

async fn deletes_beside_saves_leave_all_or_nothing(place: &Place) {
    let handles = both(place).await;
    for round in 0..15 {
        let tasks: Vec<_> = (0..4)
            .map(|task: usize| {
                let storage = handles[task % 2].clone();
                tokio::spawn(async move {
                    if task < 2 {
                        storage.delete_execution("e").await.unwrap();
                    } else {
                        storage
                            .save_execution(&execution("e", ExecutionState::Running))
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let stored = handles[0]
            .collection::<storage_core::bson::Document>("executions")
            .get("e")
            .await
            .unwrap();
        let marked = stored.is_some_and(|stored| stored.value.get("state") == Some(&Bson::Null));
        assert!(
            !marked,
            "round {round}: every delete has finished, and left its mark"
        );
    }
}
