//! The overlay's protocols as small machines, explored exhaustively: a step is one call of the backend, and every order of steps
//! of two to four processes is tried, with a crash or a pause between any two, and with swaps that are never answered.
//!
//! The machines do what `src/overlay` does, call by call. Change a protocol here first. That the model can see a fault at
//! all is shown by making every mistake the protocols rule out, one at a time.

#![allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]

#[path = "overlay_model/builder.rs"]
mod builder;
#[path = "overlay_model/claiming.rs"]
mod claiming;
#[path = "overlay_model/explore.rs"]
mod explore;
#[path = "overlay_model/reader.rs"]
mod reader;
#[path = "overlay_model/rename.rs"]
mod rename;
#[path = "overlay_model/rules.rs"]
mod rules;
#[path = "overlay_model/sweeper.rs"]
mod sweeper;
#[path = "overlay_model/world.rs"]
mod world;
#[path = "overlay_model/writer.rs"]
mod writer;

use self::builder::{Builder, Dropper};
use self::explore::{Process, explore};
use self::reader::Reader;
use self::rules::{Mistake, Rules};
use self::sweeper::Sweeper;
use self::world::World;
use self::writer::Writer;

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// Where some processes begin.
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

fn put(me: usize, id: usize, value: usize) -> Process {
    Process::Write(Writer::put(me, id, value))
}

fn create(me: usize, id: usize, value: usize) -> Process {
    Process::Write(Writer::create(me, id, value))
}

fn delete(me: usize, id: usize) -> Process {
    Process::Write(Writer::delete(me, id))
}

fn build() -> Process {
    Process::Build(Builder::new())
}

fn drop_index() -> Process {
    Process::Drop(Dropper::new())
}

fn sweep() -> Process {
    Process::Sweep(Sweeper::new())
}

fn read() -> Process {
    Process::Read(Reader::new())
}

fn scenes() -> Vec<Scene> {
    let empty = World::new;
    let indexed = || World::new().with_index(false);
    let unique = || World::new().with_index(true);
    vec![
        scene(
            "two writers of one new document",
            indexed(),
            [create(0, A, 1), create(1, A, 2)],
        ),
        scene("a writer and a builder", empty(), [put(0, A, 1), build()]),
        scene(
            "a writer over something and a builder",
            empty().with_document(A, 0),
            [put(0, A, 1), build()],
        ),
        scene(
            "a writer over a placeholder and a builder",
            empty().with_placeholder(A),
            [put(0, A, 1), build()],
        ),
        scene(
            "a deleter, a writer and a builder",
            empty().with_document(A, 0),
            [delete(0, A), put(1, A, 1), build()],
        ),
        scene(
            "two writers and a builder",
            empty().with_document(A, 0),
            [put(0, A, 1), put(1, A, 2), build()],
        ),
        scene(
            "a writer and two builders",
            empty().with_document(A, 0),
            [put(0, A, 1), build(), build()],
        ),
        scene(
            "a writer, a builder and a sweeper",
            empty().with_document(A, 0),
            [put(0, A, 1), build(), sweep()],
        ),
        scene(
            "a writer and a sweeper",
            indexed().with_document(A, 0),
            [put(0, A, 1), sweep()],
        ),
        scene(
            "two writers and a sweeper",
            indexed().with_document(A, 0),
            [put(0, A, 1), put(1, A, 0), sweep()],
        ),
        scene(
            "two sweepers",
            indexed().with_document(A, 0).with_orphan(A, 2),
            [sweep(), sweep(), put(0, A, 2)],
        ),
        scene(
            "a deleter, a creator and a sweeper",
            indexed().with_document(A, 0),
            [delete(0, A), create(1, A, 1), sweep()],
        ),
        scene(
            "two deleters and a writer",
            indexed().with_document(A, 0),
            [delete(0, A), delete(1, A), put(2, A, 0)],
        ),
        scene(
            "a query among writers",
            indexed().with_document(A, 0).with_document(B, 1),
            [read(), put(0, A, 2), put(1, A, 0)],
        ),
        scene(
            "a query, a writer and a sweeper",
            indexed().with_document(A, 0).with_document(B, 1),
            [read(), put(0, A, 1), sweep()],
        ),
        scene(
            "a query and a drop",
            indexed().with_document(A, 0).with_document(B, 1),
            [read(), drop_index(), put(0, A, 2)],
        ),
        scene(
            "a query and a builder",
            empty().with_document(A, 0),
            [read(), build(), put(0, B, 1)],
        ),
        scene("two want a free value", unique(), [put(0, A, 1), put(1, B, 1)]),
        scene(
            "two want a value with a stale claim",
            unique().with_claim(1, C),
            [put(0, A, 1), put(1, B, 1)],
        ),
        scene(
            "two want a value one of them claims",
            unique().with_document(A, 0).with_claim(1, A),
            [put(0, A, 1), put(1, B, 1)],
        ),
        scene(
            "the old holder returns",
            unique().with_document(A, 1),
            [put(0, A, 2), put(1, B, 1), put(2, A, 1)],
        ),
        scene(
            "a freed value is wanted by two",
            unique().with_document(A, 1),
            [delete(0, A), put(1, B, 1), put(2, C, 1)],
        ),
        scene(
            "a unique index is built over equal values",
            empty().with_unique().with_document(A, 1).with_document(B, 1),
            [build(), put(0, B, 2)],
        ),
        scene(
            "a unique index is built while one writes",
            empty().with_unique().with_document(A, 1),
            [build(), put(0, B, 1)],
        ),
        scene(
            "two unique builders",
            empty().with_unique().with_document(A, 1).with_document(B, 1),
            [build(), build()],
        ),
        scene(
            "an unanswered writer",
            indexed().with_document(A, 0).with_faults(1),
            [put(0, A, 1), put(1, A, 2)],
        ),
        scene(
            "an unanswered writer and a sweeper",
            indexed().with_document(A, 0).with_faults(1),
            [put(0, A, 1), sweep()],
        ),
        scene(
            "an unanswered deleter",
            indexed().with_document(A, 0).with_faults(1),
            [delete(0, A), put(1, A, 1), sweep()],
        ),
        scene(
            "an unanswered claimant",
            unique().with_claim(1, C).with_faults(1),
            [put(0, A, 1), put(1, B, 1)],
        ),
        scene(
            "an unanswered writer and a builder",
            empty().with_document(A, 0).with_faults(1),
            [put(0, A, 1), build()],
        ),
    ]
}

#[test]
fn no_order_of_steps_breaks_a_promise() {
    let mut states = 0;
    for scene in scenes() {
        let began = std::time::Instant::now();
        let explored = explore(scene.world, &scene.processes, Rules::default());
        println!(
            "{:>9} states, {:>6} ends, {:>6} ms: {}",
            explored.states,
            explored.ends,
            began.elapsed().as_millis(),
            scene.name
        );
        assert_eq!(explored.violation, None, "{}", scene.name);
        assert!(explored.ends > 0, "{} never ends", scene.name);
        states += explored.states;
    }
    println!("{states:>9} states in all");
    assert!(
        states > 50_000,
        "the model has become too small to mean anything: {states} states"
    );
}

/// The mistake shows in this scene, which is sound without it.
fn caught(mistake: Mistake, name: &str) {
    let scene = scenes().into_iter().find(|scene| scene.name == name).unwrap();
    let explored = explore(scene.world, &scene.processes, Rules::with(mistake));
    let violation = explored.violation;
    println!(
        "{mistake:?} shows after {} states: {violation:?}",
        explored.states
    );
    assert!(
        violation.is_some(),
        "{mistake:?} does not show in {} states",
        explored.states
    );
}

macro_rules! mistakes_are_caught {
    ($($test:ident: $mistake:ident in $scene:literal,)*) => {
        $(
            #[test]
            fn $test() {
                caught(Mistake::$mistake, $scene);
            }
        )*
    };
}

mistakes_are_caught! {
    committing_by_create_if_absent_is_caught: CommitByCreate in "a writer and a builder",
    reading_the_catalog_before_the_base_version_is_caught: CatalogFirst in "a writer over something and a builder",
    creating_entries_after_the_commit_is_caught: EntriesAfterCommit in "a writer and a sweeper",
    sweeping_by_age_without_a_fence_is_caught: SweepByAge in "a writer and a sweeper",
    removing_marks_unconditionally_is_caught: RemoveMarksUnconditionally in "a deleter, a creator and a sweeper",
    releasing_claims_is_caught: ReleaseClaims in "a freed value is wanted by two",
    keeping_ones_own_claim_without_writing_it_anew_is_caught: KeepOwnClaim in "two want a value one of them claims",
    taking_over_a_claim_without_a_fence_is_caught: TakeOverWithoutFence in "two want a value one of them claims",
    building_an_index_without_rewriting_documents_is_caught: BuildWithoutRewriting in "a writer over something and a builder",
    building_an_index_over_documents_but_not_placeholders_is_caught: BuildDocumentsOnly in "a writer over a placeholder and a builder",
    building_an_index_before_registering_it_is_caught: BuildBeforeRegistering in "a writer over something and a builder",
    retracting_entries_after_a_lost_swap_without_looking_is_caught: RetractWithoutLooking in "an unanswered writer",
    trusting_the_base_version_after_an_unknown_outcome_is_caught: TrustTheBase in "an unanswered writer",
    a_query_that_does_not_look_at_the_catalog_again_is_caught: QueryOnce in "a query and a drop",
}
