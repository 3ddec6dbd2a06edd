//! The protocol of chunks as small machines, explored exhaustively: a step is one call of the storage, and every order of steps of two
//! to four processes is tried. A process that crashed or is paused is one that takes no further step, and everything is checked in
//! every state, so every crash and every pause is among them.
//!
//! Where objects are not deleted by their version, as on buckets, the upload is part of their names: a scene says so.
//!
//! The machines do what `save.rs`, `complete.rs`, `delete.rs` and `verify.rs` of the store do, call by call, on one content of one chunk;
//! change the protocol here first. That the model can see a fault at all is shown by making the mistakes the protocol rules out.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

#[path = "chunks_model/completer.rs"]
mod completer;
#[path = "chunks_model/deleter.rs"]
mod deleter;
#[path = "chunks_model/explore.rs"]
mod explore;
#[path = "chunks_model/machines.rs"]
mod machines;
#[path = "chunks_model/quarantiner.rs"]
mod quarantiner;
#[path = "chunks_model/repairer.rs"]
mod repairer;
#[path = "chunks_model/saver.rs"]
mod saver;
#[path = "chunks_model/world.rs"]
mod world;

use self::completer::Completer;
use self::deleter::Deleter;
use self::explore::explore;
use self::machines::Process;
use self::quarantiner::Quarantiner;
use self::repairer::Repairer;
use self::saver::Saver;
use self::world::{Mistake, World};

fn save(bytes: u8) -> Process {
    Process::Save(Saver::new(bytes))
}

fn complete() -> Process {
    Process::Complete(Completer::new())
}

fn delete() -> Process {
    Process::Delete(Deleter::new())
}

fn repair(world: &World) -> Process {
    Process::Repair(Repairer::of(world))
}

const fn quarantine() -> Process {
    Process::Quarantine(Quarantiner::Read)
}

struct Scene {
    name: &'static str,
    world: World,
    processes: Vec<Process>,
}

fn scene(name: &'static str, world: World, processes: impl Into<Vec<Process>>) -> Scene {
    Scene {
        name,
        world,
        processes: processes.into(),
    }
}

fn scenes() -> Vec<Scene> {
    let (empty, orphan, one) = (World::begun, World::with_orphan, World::with_chunk);
    vec![
        scene("two first savers of one chunk", empty(), [save(1), save(2)]),
        scene(
            "three first savers of one chunk",
            empty(),
            [save(1), save(2), save(3)],
        ),
        scene("the same saver twice", empty(), [save(1), save(1), complete()]),
        scene("two savers over an orphan", orphan(9), [save(1), save(2)]),
        scene(
            "savers of an orphan's bytes and of others",
            orphan(1),
            [save(1), save(2)],
        ),
        scene(
            "savers over an orphan and a repair",
            orphan(1),
            [save(1), save(2), repair(&orphan(1))],
        ),
        scene(
            "a saver of an orphan's bytes, a repair and a completion",
            orphan(1),
            [save(1), repair(&orphan(1)), complete()],
        ),
        scene("a replacement and a completion", one(1), [save(2), complete()]),
        scene("two replacements", one(1), [save(2), save(3)]),
        scene(
            "two replacements and a completion",
            one(1),
            [save(2), save(3), complete()],
        ),
        scene(
            "a replacement and a quarantine",
            one(1),
            [save(2), quarantine(), quarantine(), complete()],
        ),
        scene(
            "a replacement there and back",
            one(1),
            [save(2), save(1), complete()],
        ),
        scene("a first saver and a deletion", empty(), [save(1), delete()]),
        scene(
            "a deletion, a saver and another",
            one(1),
            [delete(), save(2), save(3)],
        ),
        scene("two deletions and a saver", one(1), [delete(), delete(), save(2)]),
        scene(
            "a deletion, a replacement and a completion",
            one(1),
            [delete(), save(2), complete()],
        ),
        scene(
            "on a bucket, two deletions and a saver",
            one(1).on_a_bucket(),
            [delete(), delete(), save(2)],
        ),
        scene(
            "on a bucket, a first saver, a deletion and a later saver",
            empty().on_a_bucket(),
            [save(1), delete(), save(2)],
        ),
        scene(
            "on a bucket, a deletion, a replacement and a completion",
            one(1).on_a_bucket(),
            [delete(), save(2), complete()],
        ),
    ]
}

/// More than a quarter of a million states each.
fn large_scenes() -> Vec<Scene> {
    let (empty, orphan, one) = (World::begun, World::with_orphan, World::with_chunk);
    vec![
        scene(
            "two completions and a replacement",
            one(1),
            [complete(), complete(), save(2)],
        ),
        scene(
            "a saver, a deletion, a later saver and a completion",
            empty(),
            [save(1), delete(), save(2), complete()],
        ),
        scene(
            "two deletions, a saver and a completion",
            one(1),
            [delete(), delete(), save(2), complete()],
        ),
        scene(
            "on a bucket, a saver of an orphan's bytes, a repair, a deletion and a later saver",
            orphan(1).on_a_bucket(),
            [save(1), repair(&orphan(1).on_a_bucket()), delete(), save(2)],
        ),
    ]
}

#[test]
fn no_order_of_steps_breaks_a_promise() {
    explore_all(scenes());
}

#[test]
#[ignore = "deep: run it with --ignored"]
fn no_order_of_steps_of_more_breaks_a_promise() {
    explore_all(large_scenes());
}

fn explore_all(scenes: Vec<Scene>) {
    let mut states = 0;
    for scene in scenes {
        let explored = explore(scene.world, &scene.processes, None);
        println!(
            "{:>9} states, {:>6} ends: {}",
            explored.states, explored.ends, scene.name
        );
        assert_eq!(explored.violation, None, "{}", scene.name);
        assert!(explored.ends > 0, "{} never ends", scene.name);
        states += explored.states;
    }
    println!("{states:>9} states in all");
    assert!(
        states > 20_000,
        "the model has become too small to mean anything: {states} states"
    );
}

macro_rules! mistakes_are_caught {
    ($($test:ident: $mistake:ident in $scene:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let mut all = scenes().into_iter().chain(large_scenes());
                let scene = all.find(|scene| scene.name == $scene).unwrap();
                let explored = explore(scene.world, &scene.processes, Some(Mistake::$mistake));
                println!("{:?} after {} states", explored.violation, explored.states);
                assert!(explored.violation.is_some(), "it does not show in {} states", explored.states);
            }
        )*
    };
}

mistakes_are_caught! {
    adopting_an_orphan_without_writing_it_is_caught: AdoptUnwritten in "a saver of an orphan's bytes, a repair and a completion",
    writing_over_an_object_unconditionally_is_caught: WriteUnconditionally in "two replacements",
    writing_before_intending_is_caught: WriteBeforeIntending in "two replacements",
    forgetting_others_intentions_is_caught: ForgetOthers in "two replacements",
    taking_a_later_uploads_record_for_an_earlier_ones_is_caught: DoNotConfirm in "a saver, a deletion, a later saver and a completion",
    not_marking_the_content_is_caught: DoNotMark in "a replacement and a completion",
    completing_without_looking_at_the_revision_is_caught: IgnoreRevision in "a replacement and a completion",
    completing_over_intentions_is_caught: IgnoreIntentions in "two replacements and a completion",
    counting_an_earlier_uploads_record_is_caught: IgnoreUpload in "a saver, a deletion, a later saver and a completion",
    deleting_without_looking_at_the_mark_again_is_caught: DoNotLookAtTheMark in "two deletions and a saver",
    deleting_objects_by_name_alone_is_caught: DeleteByName in "two deletions and a saver",
    quarantining_by_name_alone_is_caught: DeleteByName in "a replacement and a quarantine",
}
